"""Read an .xls with xlrd, which shows errors, and the text of every writer.

python-calamine shows the errors of this format as blank, and puts a NUL after each letter that
Perl's Spreadsheet::WriteExcel has written. Neither library shows whether a formula was ever
calculated: writers that cannot do so store 0 or nothing, and ask for a calculation on opening.
"""

import re
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import xlrd  # type: ignore[import-untyped]  # comes without types
from xlrd.compdoc import SIGNATURE, CompDoc  # type: ignore[import-untyped]  # the same

from batchlock.core.rows import Cell, NoValue
from batchlock.plan.read.cells import normalise_cell
from batchlock.plan.read.table import RowSource, SheetHandle
from batchlock.plan.read.workbook.no_value import error_name
from batchlock.plan.read.workbook.zip_safety import damaged, protected

# Record types ([MS-XLS] 2.3.2): the begin and end of a substream, and BoundSheet8.
_BOF, _EOF, _SHEET = 0x0809, 0x000A, 0x0085
# Formula: the first is that of BIFF5 and BIFF8, the others are those of BIFF3 and BIFF4.
_FORMULAS = (0x0006, 0x0206, 0x0406)
# The flag of a formula that asks for a calculation on opening (OpenOffice's documentation of the
# Excel file format, 5.50).
_CALCULATE_ON_OPENING = 0x0002
# The stored values 0 and "empty text" ([MS-XLS] 2.5.133 FormulaValue).
_NOT_CALCULATED = (bytes(8), b"\x03\0\0\0\0\0\xff\xff")

# A cell type of ours beside those of xlrd (0 to 6), which takes a length of time for a date.
_XL_CELL_DURATION = 100
# The parts of a number format that are literal: quoted texts, and one character after each of \_*.
_LITERAL = re.compile(r'"[^"]*"|[\\_*].')
# [h], [mm] and the like count beyond 24 hours; h and mm show a time of day.
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)

# The record of a row ([MS-XLS] 2.4.220), the position of its flags, and that of a hidden row.
_ROW, _ROW_FLAGS, _ROW_HIDDEN = 0x0208, 12, 0x20


@dataclass(frozen=True, slots=True)
class _ScannedSheet:
    """What xlrd does not tell about a sheet."""

    uncalculated: Mapping[int, Sequence[int]]
    """The columns of the formulas that have never been calculated, by row, both counted from 0."""
    hidden_rows: frozenset[int]
    """Their row numbers, as a spreadsheet shows them."""


def sheet_handles(path: Path) -> Sequence[SheetHandle]:
    """Return the worksheets; raises UnreadableFile for a damaged or encrypted file."""
    content = path.read_bytes()
    try:
        book = xlrd.open_workbook(
            # xlrd prints its warnings unless it has a file for them.
            file_contents=content,
            logfile=StringIO(),
            ragged_rows=True,
            on_demand=True,
        )
        _mark_durations(book)
        sheets = book.sheets()
        scanned = _scanned_sheets(content)
    except Exception as error:  # xlrd raises any exception for a damaged file
        encrypted = isinstance(error, xlrd.XLRDError) and "encrypted" in str(error)
        raise (protected if encrypted else damaged)(path) from error
    if len(scanned) != book.nsheets:
        raise damaged(path)
    return [
        SheetHandle(
            name=sheet.name,
            visible=not sheet.visibility,
            open=partial(_open, path, sheet, scan.uncalculated),
            hidden_rows=partial(sorted, scan.hidden_rows),
        )
        for sheet, scan in zip(sheets, scanned, strict=True)
    ]


def _mark_durations(book: Any) -> None:
    """Change the type of cells whose format counts beyond 24 hours, such as `[h]:mm`."""
    for index, cell_format in enumerate(book.xf_list):
        number_format = book.format_map.get(cell_format.format_key)
        if number_format and _ELAPSED.search(_LITERAL.sub("", number_format.format_str)):
            book._xf_index_to_xl_type_map[index] = _XL_CELL_DURATION  # noqa: SLF001  its only place


def _open(path: Path, sheet: Any, uncalculated: Mapping[int, Sequence[int]]) -> RowSource:
    return lambda: _rows(path, sheet, uncalculated)


def _rows(
    path: Path, sheet: Any, uncalculated: Mapping[int, Sequence[int]]
) -> Iterator[Sequence[Cell]]:
    for row in range(sheet.nrows):
        kinds, values = sheet.row_types(row), sheet.row_values(row)
        cells = [
            normalise_cell(path, _cell(kind, value, sheet.book.datemode))
            for kind, value in zip(kinds, values, strict=True)
        ]
        for column in uncalculated.get(row, ()):
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


def _scanned_sheets(content: bytes) -> list[_ScannedSheet]:
    """Return what xlrd does not tell about every worksheet; [MS-XLS] 2.1.4 has the records."""
    start, stream = _workbook_stream(content)
    # BoundSheet8: the offset of the sheet, whether it is hidden, and its type; 0 is a worksheet.
    offsets = [
        start + struct.unpack_from("<I", stream, at)[0]
        for kind, at in _records(stream, start)
        if kind == _SHEET and stream[at + 5] == 0
    ]
    return [_scan_sheet(stream, offset) for offset in offsets]


def _scan_sheet(stream: bytes, offset: int) -> _ScannedSheet:
    columns: dict[int, list[int]] = defaultdict(list)
    hidden_rows = set()
    for kind, at in _records(stream, offset):
        if kind in _FORMULAS:
            row, column, _, value, flags = struct.unpack_from("<HHH8sH", stream, at)
            if flags & _CALCULATE_ON_OPENING and value in _NOT_CALCULATED:
                columns[row].append(column)
        elif kind == _ROW and stream[at + _ROW_FLAGS] & _ROW_HIDDEN:
            hidden_rows.add(struct.unpack_from("<H", stream, at)[0] + 1)
    return _ScannedSheet(columns, frozenset(hidden_rows))


def _workbook_stream(content: bytes) -> tuple[int, bytes]:
    """Return where the workbook begins, and the bytes in which it lies.

    Raises ValueError when an OLE container holds no workbook.
    """
    # Report generators write the workbook without a container.
    if not content.startswith(SIGNATURE):
        return 0, content
    document = CompDoc(content, logfile=StringIO())
    # BIFF8 calls the stream Workbook, BIFF5 calls it Book.
    for name in ("Workbook", "Book"):
        stream, start, _ = document.locate_named_stream(name)
        if stream:
            return start, stream
    raise ValueError("no workbook in the container")


def _records(stream: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Yield the type of each record of a substream, and the start of its content."""
    depth = 0  # a chart in a sheet is a substream of its own
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        depth += (kind == _BOF) - (kind == _EOF)
        yield kind, at + 4
        if depth <= 0:
            return
        at += 4 + length
