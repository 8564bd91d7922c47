"""The results as a workbook, in memory that does not grow with the rows."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from xlsxwriter import Workbook  # type: ignore[import-untyped]  # comes without types
from xlsxwriter.exceptions import FileCreateError  # type: ignore[import-untyped]  # the same

from batchlock.errors import BatchlockError
from batchlock.model import RESULT_TITLES, Cell, Line, Result, Summary
from batchlock.reporter.cells import cells_of, is_exact, is_plain, legible, our_titles
from batchlock.reporter.styles import LINE_HEIGHT, Styles, set_up_print, write_text
from batchlock.reporter.summary import write_summary
from batchlock.shown import shown

_ROWS_A_SHEET = 1_048_575  # Excel's limit, less the header
_COLUMNS_A_SHEET = 16_384
_ROWS_MEASURED = 200
_ROWS_FITTED = 10_000  # XlsxWriter keeps every row height in memory
_MOST_LINES = 3
_WIDEST = 60
_LONG = 10**10
"""From here on Excel shows a whole number as 5.84E+12, unless told not to."""
_DATES_FROM = datetime(1900, 3, 1)  # noqa: DTZ001 cells have no zone; Excel is a day off before
_LONGEST_SPAN = timedelta(days=2_958_465)  # what Excel can show


def write_workbook(
    path: Path,
    titles: Sequence[str],
    lines: Iterable[Line],
    summary: Summary,
    *,
    rows_a_sheet: int = _ROWS_A_SHEET,
) -> None:
    """Write the results as a workbook: the sheets `Summary`, `Results` and, if need be, more.

    Raises OSError when the file cannot be written, BatchlockError when a sheet cannot hold as
    many columns.
    """
    if not fits_a_sheet(titles):
        raise BatchlockError(
            f"{summary.file} has {len(titles):,} columns, which leaves no room for the results in"
            " a workbook. Name a .csv file with --output."
        )
    with path.open("wb") as file, _workbook(file) as book:
        book.set_properties(
            {
                "title": f"Results of {PurePath(legible(summary.file)).name}",
                "author": f"batchlock {summary.version}",
                "created": summary.finished_at.astimezone(UTC),
            }
        )
        styles = Styles(book)
        write_summary(book.add_worksheet("Summary"), styles, summary)
        sheet = _ResultsSheet(book.add_worksheet("Results"), styles, titles)
        for written, line in enumerate(lines):
            if written and written % rows_a_sheet == 0:
                sheet.finish()
                name = f"Results {written // rows_a_sheet + 1}"
                sheet = _ResultsSheet(book.add_worksheet(name), styles, titles)
            sheet.add(line)
        sheet.finish()


def fits_a_sheet(titles: Sequence[str]) -> bool:
    """Say whether a sheet has room for these columns and ours."""
    return len(titles) + len(RESULT_TITLES) <= _COLUMNS_A_SHEET


@contextmanager
def _workbook(file: BinaryIO) -> Iterator[Any]:
    # XlsxWriter leaves its temporary files behind when it fails.
    with TemporaryDirectory(prefix="batchlock-", ignore_cleanup_errors=True) as folder:
        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "use_zip64": True,
            "tmpdir": folder,
        }
        try:
            with Workbook(file, options) as book:
                yield book
        except FileCreateError as failed:
            raise failed.args[0] from failed


class _ResultsSheet:
    """A sheet of results, written from top to bottom."""

    def __init__(self, sheet: Any, styles: Styles, titles: Sequence[str]) -> None:
        self._sheet = sheet
        self._styles = styles
        self._row = 0
        self._lines = 1
        self._fitted = 0
        self._ours = len(titles)
        self._titles = (*titles, *our_titles(titles))
        self._widths = [len(title) + 4 for title in self._titles]  # room for the filter's button
        # Of our own columns only the first has a format: formats cost time, and none holds ids.
        rest = [None] * (len(RESULT_TITLES) - 1)
        self._text_styles = [styles.text] * len(titles) + [styles.badge] + rest
        self._only_text = [True] * len(self._titles)
        for column, title in enumerate(self._titles):
            style = styles.our_header if column >= self._ours else styles.header
            write_text(sheet, 0, column, title, style)

    def add(self, line: Line) -> None:
        self._row = row = self._row + 1
        self._lines = 1
        write_string, text_styles = self._sheet.write_string, self._text_styles
        cells = cells_of(line)
        if self._row <= _ROWS_MEASURED:
            self._measure(cells)
        for column, cell in enumerate(cells):
            if isinstance(cell, str):
                if is_plain(cell):
                    write_string(row, column, cell, text_styles[column])
                elif cell:
                    self._write_text(column, cell)
            elif cell is not None:
                self._write(column, cell)
        if self._lines > 1:
            self._fit_height(line.cells)

    def finish(self) -> None:
        """Set what depends on the rows: widths, filter, colours."""
        sheet, last = self._sheet, len(self._titles) - 1
        for column, width in enumerate(self._widths):
            # Text, so that an id typed into the column later keeps its digits.
            is_theirs = column < self._ours
            style = self._styles.text if is_theirs and self._only_text[column] else None
            sheet.set_column(column, column, min(width, _WIDEST), style)
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, self._row, last)
        for result in Result if self._row else ():
            rule = {"type": "cell", "criteria": "==", "value": f'"{result.value}"'}
            rule["format"] = self._styles.dressed[result]
            sheet.conditional_format(1, self._ours, self._row, self._ours, rule)
        sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
        set_up_print(sheet)
        sheet.repeat_rows(0)

    def _measure(self, cells: tuple[Cell, ...]) -> None:
        for column, cell in enumerate(cells):
            width = max(map(len, shown(cell).splitlines()), default=0) + 2
            self._widths[column] = max(self._widths[column], width)

    def _fit_height(self, cells: Sequence[Cell]) -> None:
        self._fitted += 1
        self._sheet.set_row(self._row, LINE_HEIGHT * self._lines, self._styles.plain)
        for column, cell in enumerate(cells):
            if cell is None or cell == "":
                # The row's format hides the column's, so an id typed here would lose digits.
                self._sheet.write_blank(self._row, column, None, self._styles.text)

    def _write_text(self, column: int, text: str) -> None:
        style = self._text_styles[column]
        if "\n" in text and self._fitted < _ROWS_FITTED:
            style = self._styles.lines
            self._lines = max(self._lines, min(text.count("\n") + 1, _MOST_LINES))
        write_text(self._sheet, self._row, column, text, style)

    def _write(self, column: int, cell: Cell) -> None:
        sheet, row, styles = self._sheet, self._row, self._styles
        self._only_text[column] = False
        match cell:
            case bool():
                sheet.write_boolean(row, column, cell)
            case int() | float() if is_exact(cell):
                long = abs(cell) >= _LONG and cell == int(cell)
                sheet.write_number(row, column, cell, styles.long_number if long else None)
            case datetime() if cell.tzinfo is None and cell >= _DATES_FROM:
                sheet.write_datetime(
                    row, column, cell, styles.date if cell.time() == time.min else styles.datetime
                )
            case date() if not isinstance(cell, datetime) and cell >= _DATES_FROM.date():
                sheet.write_datetime(row, column, cell, styles.date)
            case time() if cell.tzinfo is None:
                sheet.write_datetime(row, column, cell, styles.time)
            case timedelta() if timedelta(0) <= cell <= _LONGEST_SPAN:
                sheet.write_datetime(row, column, cell, styles.span)
            case _:
                write_text(sheet, row, column, shown(cell), styles.text)
