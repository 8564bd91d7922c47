"""Read an .xls with xlrd, which shows errors, and the text of every writer.

python-calamine 0.9.1, the newest, shows the errors of this format as blank, and puts a NUL after
each letter that Perl's Spreadsheet::WriteExcel has written. It is the second reader: of a file that
xlrd reads only by ignoring damage, and of one with a wrong count, which xlrd believes. Neither
library shows whether a formula was ever calculated: writers that cannot do so store 0 or nothing,
and ask for a calculation on opening.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from io import BytesIO, StringIO
from itertools import zip_longest
from pathlib import Path
from typing import Any

import xlrd  # type: ignore[import-untyped]  # comes without types
from python_calamine import CalamineError, CalamineWorkbook

from batchlock.core.rows import Cell, NoValue
from batchlock.plan.read.cells import normalise_cell
from batchlock.plan.read.table import RowSource, SheetHandle
from batchlock.plan.read.workbook.no_value import error_name
from batchlock.plan.read.workbook.xls_records import (
    ScannedSheet,
    scan_sheets,
    with_true_count,
    workbook_stream,
)
from batchlock.plan.read.workbook.xls_texts import RAW_ENCODING, TextDecoder
from batchlock.plan.read.workbook.zip_safety import damaged, protected

# A cell type of ours beside those of xlrd (0 to 6), which takes a length of time for a date.
_XL_CELL_DURATION = 100
# The parts of a number format that are literal: quoted texts, and one character after each of \_*.
_LITERAL = re.compile(r'"[^"]*"|[\\_*].')
# [h], [mm] and the like count beyond 24 hours; h and mm show a time of day.
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
# Excel 97 and later write BIFF8, whose texts are in Unicode.
_BIFF8 = 80


class _FromZero(list[str]):
    """A list without indices that count from its end."""

    def __getitem__(self, index: Any) -> Any:
        if index < 0:
            raise IndexError(index)
        return super().__getitem__(index)


def sheet_handles(path: Path) -> Sequence[SheetHandle]:
    """Return the worksheets; raises UnreadableFile for a damaged or encrypted file."""
    content = path.read_bytes()
    try:
        stream, intact = workbook_stream(content)
        try:
            book = _open_book(stream)
        except (AssertionError, IndexError):
            counted = with_true_count(stream)
            if counted is None:
                raise
            stream, intact = counted, False
            book = _open_book(stream)
        book, decoder = _with_decoder(book, stream)
        sheets = book.sheets()
        scans = scan_sheets(stream)
    except Exception as error:  # xlrd raises any exception for a damaged file
        encrypted = isinstance(error, xlrd.XLRDError) and "encrypted" in str(error)
        raise (protected if encrypted else damaged)(path) from error
    if len(scans) != len(sheets):
        raise damaged(path)
    handles = [
        SheetHandle(
            name=sheet.name if decoder is None else decoder.name(path, sheet.name),
            visible=not sheet.visibility,
            open=partial(_open, path, sheet, scan, decoder),
            hidden_rows=partial(sorted, scan.hidden_rows),
        )
        for sheet, scan in zip(sheets, scans, strict=True)
    ]
    if not intact:
        _check_second_reading(path, content, handles)
    return handles


def _open_book(stream: bytes, *, with_formats: bool = False) -> Any:
    """Return the workbook of xlrd, with all sheets read."""
    book = xlrd.open_workbook(
        # xlrd prints its warnings unless it has a file for them.
        file_contents=stream,
        logfile=StringIO(),
        ragged_rows=True,
        on_demand=True,  # the sheets are read when the types of the formats below are right
        encoding_override=RAW_ENCODING,  # BIFF8 is in Unicode, whatever is said here
        formatting_info=with_formats,
    )
    # An index of four bytes, which xlrd takes for a signed one: -1 would be the last text.
    book._sharedstrings = _FromZero(book._sharedstrings)  # noqa: SLF001  its only place
    for index, cell_format in enumerate(book.xf_list):
        number_format = book.format_map.get(cell_format.format_key)
        # Formats beyond 24 hours, such as `[h]:mm`. A built-in format may have no text.
        text = _LITERAL.sub("", (number_format and number_format.format_str) or "")
        if _ELAPSED.search(text):
            book._xf_index_to_xl_type_map[index] = _XL_CELL_DURATION  # noqa: SLF001  its only place
    # Report generators name formats that they do not write; such a cell shows a number or text.
    book._xf_index_to_xl_type_map = defaultdict(  # noqa: SLF001  the same
        lambda: xlrd.XL_CELL_NUMBER,
        book._xf_index_to_xl_type_map,  # noqa: SLF001  the same
    )
    book.sheets()
    return book


def _with_decoder(book: Any, stream: bytes) -> tuple[Any, TextDecoder | None]:
    """Return a workbook of BIFF5 with the fonts of its cells, which tell their encoding."""
    if book.biff_version >= _BIFF8:
        return book, None
    try:
        book = _open_book(stream, with_formats=True)
    except Exception:  # xlrd raises any exception for an odd format
        # Then only the code page of the file tells.
        return book, TextDecoder(book, ())
    fonts = [cell_format.font_index for cell_format in book.xf_list]
    return book, TextDecoder(book, fonts)


def _check_second_reading(path: Path, content: bytes, handles: Sequence[SheetHandle]) -> None:
    """Raise UnreadableFile unless python-calamine reads the same texts and numbers.

    It finds the sectors of the container and the shared strings in its own way, so that a file
    that both read alike is read right although something in it is wrong.
    """
    try:
        with CalamineWorkbook.from_filelike(BytesIO(content)) as workbook:
            for handle in handles:
                sheet = workbook.get_sheet_by_name(handle.name)
                second = sheet.to_python(skip_empty_area=False)
                first = [[*row] for row in handle.open()()]
                if not _agree(path, first, second):
                    raise damaged(path)
    except CalamineError as error:
        raise damaged(path) from error


def _agree(path: Path, first: Sequence[Sequence[Cell]], second: Sequence[Sequence[Any]]) -> bool:
    for row, other in zip_longest(first, second, fillvalue=()):
        for cell, other_cell in zip_longest(row, other):
            same = normalise_cell(path, other_cell)
            # Errors, dates and truth values are read from their record alone.
            if (isinstance(cell, str) or isinstance(same, str)) and cell != same:
                return False
    return True


def _open(path: Path, sheet: Any, scan: ScannedSheet, decoder: TextDecoder | None) -> RowSource:
    return partial(_rows, path, sheet, scan, decoder)


def _rows(
    path: Path, sheet: Any, scan: ScannedSheet, decoder: TextDecoder | None
) -> Iterator[Sequence[Cell]]:
    for row in range(sheet.nrows):
        kinds, values = sheet.row_types(row), sheet.row_values(row)
        if decoder is not None:
            values = [
                decoder.cell(path, value, sheet, row, column) if isinstance(value, str) else value
                for column, value in enumerate(values)
            ]
        cells = [
            normalise_cell(path, _cell(kind, value, sheet.book.datemode))
            for kind, value in zip(kinds, values, strict=True)
        ]
        for column in scan.uncalculated.get(row, ()):
            # The text of the formula would have to be decoded from its tokens.
            cells[column] = NoValue("=")
        yield cells


def _cell(kind: int, value: Any, datemode: int) -> Cell:
    match kind:
        case xlrd.XL_CELL_ERROR:
            return NoValue(error_name(value))
        case xlrd.XL_CELL_BOOLEAN:
            return bool(value)
        case xlrd.XL_CELL_DATE:
            return _date(value, datemode)
        case _ if kind == _XL_CELL_DURATION:
            return _duration(value)
        case _:
            assert isinstance(value, str | float)
            return value


def _date(value: float, datemode: int) -> date | datetime | time | float:
    try:
        moment = xlrd.xldate.xldate_as_datetime(value, datemode)
    except (OverflowError, ValueError):
        return value  # before 1900 or after 9999: a spreadsheet shows #####
    assert isinstance(moment, datetime)
    # The integer part counts the days. A value without one is a time of day.
    if 0 <= value < 1:
        return moment.time()
    return moment.date() if value == int(value) else moment


def _duration(value: float) -> timedelta | float:
    try:
        return timedelta(days=value)
    except (OverflowError, ValueError):
        return value
