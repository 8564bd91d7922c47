"""The results as a workbook, in memory that does not grow with the rows."""

import io
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from itertools import chain, islice
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile

from xlsxwriter import Workbook  # type: ignore[import-untyped]  # comes without types

from batchlock.core.results import RESULT_TITLES, Result, ResultRow, Summary
from batchlock.report.cells import legible
from batchlock.report.sheet_rows import Rows
from batchlock.report.styles import Styles, set_up_print
from batchlock.report.summary_sheet import write_summary

_ROWS_A_SHEET = 1_048_575  # Excel's limit, less the header
_COLUMNS_A_SHEET = 16_384
_WIDEST = 60
_LEVEL = 3
"""Of compression: a tenth larger than the usual, in half of the time."""
_REACH = re.compile(rb'(<dimension ref=")[^"]*(")')
_OPENING, _CLOSING = b"<sheetData>", b"</sheetData>"
_OPTIONS = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


def write_workbook(
    path: Path,
    titles: Sequence[str],
    lines: Iterable[ResultRow],
    summary: Summary,
    *,
    rows_a_sheet: int = _ROWS_A_SHEET,
) -> None:
    """Write the results as a workbook: the sheets `Summary`, `Results` and, if need be, more.

    XlsxWriter makes a workbook with all but the rows of results, which are then put in.
    The columns have to fit a sheet. Raises OSError when the file cannot be written.
    """
    frame = io.BytesIO()
    with (
        path.open("wb") as file,
        TemporaryDirectory(prefix="batchlock-", ignore_cleanup_errors=True) as folder,
    ):
        rows = {}
        with Workbook(frame, {**_OPTIONS, "tmpdir": folder}) as book:
            book.set_properties(
                {
                    "title": f"Results of {PurePath(legible(summary.file)).name}",
                    "author": f"batchlock {summary.version}",
                    "created": summary.finished_at.astimezone(UTC),
                }
            )
            styles = Styles(book)
            write_summary(book.add_worksheet("Summary"), styles, summary)
            for number, some in enumerate(_parted(lines, rows_a_sheet), 1):
                part = Rows(Path(folder) / str(number), styles, titles)
                part.write(some)
                sheet = book.add_worksheet("Results" if number == 1 else f"Results {number}")
                _set_up(sheet, part, styles)
                rows[f"xl/worksheets/sheet{number + 1}.xml"] = part
        _fill(frame, file, rows)


def fits_a_sheet(titles: Sequence[str]) -> bool:
    """Say whether a sheet has room for these columns and ours."""
    return len(titles) + len(RESULT_TITLES) <= _COLUMNS_A_SHEET


def _parted(lines: Iterable[ResultRow], most: int) -> Iterator[Iterable[ResultRow]]:
    """Yield the lines in parts, each to be read before the next; the first may be empty."""
    left = iter(lines)
    yield islice(left, most)
    for first in left:
        yield chain((first,), islice(left, most - 1))


def _set_up(sheet: Any, rows: Rows, styles: Styles) -> None:
    """Set all of a sheet but its rows: widths, filter, colours."""
    last, ours = len(rows.titles) - 1, len(rows.titles) - len(RESULT_TITLES)
    for column, (letter, width) in enumerate(zip(rows.letters, rows.widths, strict=True)):
        # Text, so that an id typed into the column later keeps its digits.
        style = styles.text if column < ours and letter not in rows.not_text else None
        sheet.set_column(column, column, min(width, _WIDEST), style)
    sheet.write_blank(0, 0, None, styles.text)  # so that it is a sheet with cells
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, rows.count, last)
    for result in Result if rows.count else ():
        rule = {"type": "cell", "criteria": "==", "value": f'"{result.value}"'}
        rule["format"] = styles.dressed[result]
        sheet.conditional_format(1, ours, rows.count, ours, rule)
    sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
    set_up_print(sheet)
    sheet.repeat_rows(0)


def _fill(frame: BinaryIO, file: BinaryIO, rows: Mapping[str, Rows]) -> None:
    """Copy a workbook, with rows in the sheets that have been left without."""
    with (
        ZipFile(frame) as source,
        ZipFile(file, "w", ZIP_DEFLATED, compresslevel=_LEVEL) as target,
    ):
        for part in source.namelist():
            content = source.read(part)
            if part not in rows:
                target.writestr(part, content)
                continue
            head, tail = content.partition(_OPENING)[0], content.rpartition(_CLOSING)[2]
            head = _REACH.sub(rf"\g<1>{rows[part].reach}\2".encode(), head, count=1)
            with (
                target.open(part, "w", force_zip64=True) as sheet,
                rows[part].path.open("rb") as told,
            ):
                sheet.write(head + _OPENING)
                shutil.copyfileobj(told, sheet, 1 << 20)
                sheet.write(_CLOSING + tail)
