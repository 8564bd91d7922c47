"""The results as a workbook, in memory that does not grow with the rows."""

import io
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from itertools import chain, islice
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile

from xlsxwriter import Workbook  # type: ignore[import-untyped]  # comes without types

from batchlock.core.results import RESULT_TITLES, Result, ResultRow, Summary
from batchlock.report.cells import writable
from batchlock.report.sheet_rows import SheetRows
from batchlock.report.styles import Styles, set_up_print
from batchlock.report.summary_sheet import write_summary

# Excel's limits: 1,048,576 rows, the header included, and 16,384 columns.
_MAX_ROWS = 1_048_575
_MAX_COLUMNS = 16_384

# In characters. A wider column would push the results off the screen.
_WIDEST_COLUMN = 60

# Files are a tenth larger than with the usual level 6, and compression takes half of the time.
_COMPRESSION_LEVEL = 3

# XlsxWriter computes the range from the cells that it writes itself, which is A1 alone.
_DIMENSION = re.compile(rb'(<dimension ref=")[^"]*(")')
_OPENING, _CLOSING = b"<sheetData>", b"</sheetData>"

# Text stays text: XlsxWriter would make formulas, links and numbers of what looks like one.
_OPTIONS = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}

_LONGEST_TEXT_IN_A_FORMULA = 250
# Pixels. About so many characters of the usual font fit a line of so wide a comment.
_COMMENT_WIDTH = 300
_COMMENT_LINE_HEIGHT = 17
_COMMENT_CHARACTERS = 42


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedUpload:
    """What a check found in the rows of a workbook."""

    sentence: str
    comments: Mapping[int, Mapping[int, str]]
    """The texts of problems by row number and column; columns count from 0."""
    columns: Sequence[int]
    """The columns that have problems."""


class _Comment(NamedTuple):
    """A comment on a cell; lines and columns of the sheet count from 0."""

    line: int
    column: int
    text: str


def write_workbook(
    path: Path,
    titles: Sequence[str],
    result_rows: Iterable[ResultRow],
    summary: Summary,
    *,
    checked: CheckedUpload | None = None,
    rows_per_sheet: int = _MAX_ROWS,
) -> None:
    """Write the results as a workbook: the sheets `Summary`, `Results` and, if need be, more.

    With `checked` it is the workbook of a check, with comments on the cells.

    The columns have to fit a sheet; see `fits_a_sheet`. Raises OSError when the file cannot be
    written.
    """
    # XlsxWriter makes a workbook without the result rows in memory. They go to a temporary file
    # for each sheet and are copied into the final one, so memory does not grow with the rows.
    frame = io.BytesIO()
    with (
        path.open("wb") as file,
        TemporaryDirectory(prefix="batchlock-", ignore_cleanup_errors=True) as folder,
    ):
        rows_by_part = {}
        with Workbook(frame, {**_OPTIONS, "tmpdir": folder}) as book:
            book.set_properties(
                {
                    "title": f"Results of {PurePath(writable(summary.file)).name}",
                    "author": f"batchlock {summary.version}",
                    "created": summary.finished_at.astimezone(UTC),
                }
            )
            styles = Styles(book)
            sentence = None if checked is None else checked.sentence
            write_summary(book.add_worksheet("Summary"), styles, summary, checked=sentence)
            for number, part in enumerate(_split(result_rows, rows_per_sheet), 1):
                rows = SheetRows(Path(folder) / str(number), styles, titles)
                comments: list[_Comment] = []
                rows.write(part if checked is None else _collected(part, checked, comments))
                sheet = book.add_worksheet("Results" if number == 1 else f"Results {number}")
                _set_up(sheet, rows, styles)
                if checked is not None:
                    _mark_problems(sheet, rows, checked.columns, comments, styles)
                # sheet1.xml is the summary
                rows_by_part[f"xl/worksheets/sheet{number + 1}.xml"] = rows
        _insert_rows(frame, file, rows_by_part)


def fits_a_sheet(titles: Sequence[str]) -> bool:
    """Say whether a sheet has room for these columns and those of batchlock."""
    return len(titles) + len(RESULT_TITLES) <= _MAX_COLUMNS


def _split(result_rows: Iterable[ResultRow], rows_per_sheet: int) -> Iterator[Iterable[ResultRow]]:
    """Yield the rows in parts; each must be read before the next. The first part may be empty."""
    remaining = iter(result_rows)
    yield islice(remaining, rows_per_sheet)
    for first in remaining:
        yield chain((first,), islice(remaining, rows_per_sheet - 1))


def _set_up(sheet: Any, rows: SheetRows, styles: Styles) -> None:
    """Set everything of a sheet but its rows: widths, filter, colours."""
    last_column = len(rows.titles) - 1
    result_column = len(rows.titles) - len(RESULT_TITLES)
    for column, (letter, width) in enumerate(zip(rows.letters, rows.widths, strict=True)):
        # Text format, so that an id typed into the column later keeps its digits.
        is_text = column < result_column and letter not in rows.not_text
        sheet.set_column(
            column, column, min(width, _WIDEST_COLUMN), styles.text if is_text else None
        )
    # Without any cell XlsxWriter writes an empty `<sheetData/>`, which has no place for rows.
    sheet.write_blank(0, 0, None, styles.text)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, rows.count, last_column)
    for result in Result if rows.count else ():
        rule = {"type": "cell", "criteria": "==", "value": f'"{result.value}"'}
        rule["format"] = styles.by_result[result]
        sheet.conditional_format(1, result_column, rows.count, result_column, rule)
    # No green triangle in every cell with an id.
    sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
    set_up_print(sheet)
    sheet.repeat_rows(0)


def _collected(
    part: Iterable[ResultRow], checked: CheckedUpload, comments: list[_Comment]
) -> Iterator[ResultRow]:
    """Yield the rows, and add their comments to a list with the lines on which they stand."""
    for line, row in enumerate(part, 1):
        for column, text in checked.comments.get(row.row, {}).items():
            comments.append(_Comment(line, column, text))
        yield row


def _mark_problems(
    sheet: Any,
    rows: SheetRows,
    columns: Sequence[int],
    comments: Iterable[_Comment],
    styles: Styles,
) -> None:
    """Put the comments on their cells, and colour every cell with a problem."""
    message = rows.letters[-len(RESULT_TITLES) + RESULT_TITLES.index("Message")]
    for column in columns if rows.count else ():
        # One rule for a column, however many cells have a problem: the message of the row has a
        # line for each, which begins with the title.
        title = rows.titles[column].replace('"', '""')
        formula = f'=ISNUMBER(FIND(CHAR(10)&"{title}: ",CHAR(10)&${message}2))'
        # Excel takes no longer text in a formula.
        if len(title) <= _LONGEST_TEXT_IN_A_FORMULA:
            rule = {"type": "formula", "criteria": formula, "format": styles.problem}
            sheet.conditional_format(1, column, rows.count, column, rule)
    for comment in comments:
        lines = sum(len(line) // _COMMENT_CHARACTERS + 1 for line in comment.text.split("\n"))
        size = {"width": _COMMENT_WIDTH, "height": _COMMENT_LINE_HEIGHT * (lines + 1)}
        sheet.write_comment(
            comment.line, comment.column, comment.text, {"author": "batchlock", **size}
        )


def _insert_rows(frame: BinaryIO, file: BinaryIO, rows_by_part: Mapping[str, SheetRows]) -> None:
    """Copy the workbook `frame` to `file`, with the rows of each sheet in its part of the ZIP."""
    with (
        ZipFile(frame) as source,
        ZipFile(file, "w", ZIP_DEFLATED, compresslevel=_COMPRESSION_LEVEL) as target,
    ):
        for part in source.namelist():
            content = source.read(part)
            if part not in rows_by_part:
                target.writestr(part, content)
                continue
            rows = rows_by_part[part]
            head, tail = content.partition(_OPENING)[0], content.rpartition(_CLOSING)[2]
            head = _DIMENSION.sub(rf"\g<1>{rows.dimension}\2".encode(), head, count=1)
            # The size is not known beforehand, and a sheet can exceed the 2 GiB of a plain ZIP.
            with target.open(part, "w", force_zip64=True) as sheet, rows.path.open("rb") as xml:
                sheet.write(head + _OPENING)
                shutil.copyfileobj(xml, sheet, 1 << 20)
                sheet.write(_CLOSING + tail)
