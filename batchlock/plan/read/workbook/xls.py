"""Read an .xls with xlrd, which shows the errors in it and the text of every writer.

python-calamine shows the errors of this format as blanks, and the texts of some writers with a
NUL after each letter. What neither shows is whether a formula was ever worked out: writers that
cannot do so store 0 or nothing for its value, and the wish that it be done on opening.
"""

import re
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
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
from batchlock.plan.read.workbook.no_value import ERRORS
from batchlock.plan.read.workbook.zip_safety import damaged, protected

_BOF, _EOF, _SHEET = 0x0809, 0x000A, 0x0085
_FORMULAS = (0x0006, 0x0206, 0x0406)
_ON_OPENING = 0x0002
_NOTHING = (bytes(8), b"\x03\0\0\0\0\0\xff\xff")
"""A value of 0, and one of an empty text."""

_XL_CELL_SPAN = 100
"""Ours, beside those of xlrd, which takes a length of time for a date."""
_QUOTED = re.compile(r'"[^"]*"|[\\_*].')
_OF_SPANS = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)

_Waiting = Mapping[int, Sequence[int]]
"""The columns, by row, of formulas that have not been worked out; both count from 0."""


def tabs(path: Path) -> Sequence[SheetHandle]:
    """Return the sheets that hold cells."""
    content = path.read_bytes()
    try:
        book = xlrd.open_workbook(
            file_contents=content, logfile=StringIO(), ragged_rows=True, on_demand=True
        )
        _tell_spans(book)
        sheets = book.sheets()
        waiting = _formulas_waiting(content)
    except Exception as error:  # it answers a damaged file with any exception
        encrypted = isinstance(error, xlrd.XLRDError) and "encrypted" in str(error)
        raise (protected if encrypted else damaged)(path) from error
    if len(waiting) != book.nsheets:
        raise damaged(path)
    return [
        SheetHandle(
            name=sheet.name, visible=not sheet.visibility, open=partial(_open, path, sheet, cells)
        )
        for sheet, cells in zip(sheets, waiting, strict=True)
    ]


def _tell_spans(book: Any) -> None:
    """Give the cells whose format counts beyond 24 hours, such as `[h]:mm`, a type of their own."""
    for index, cell_format in enumerate(book.xf_list):
        told = book.format_map.get(cell_format.format_key)
        if told and _OF_SPANS.search(_QUOTED.sub("", told.format_str)):
            book._xf_index_to_xl_type_map[index] = _XL_CELL_SPAN  # noqa: SLF001  its only place


def _open(path: Path, sheet: Any, waiting: _Waiting) -> RowSource:
    return lambda: _rows(path, sheet, waiting)


def _rows(path: Path, sheet: Any, waiting: _Waiting) -> Iterator[Sequence[Cell]]:
    for row in range(sheet.nrows):
        kinds, values = sheet.row_types(row), sheet.row_values(row)
        cells = [
            normalise_cell(path, _cell(kind, value, sheet.book.datemode))
            for kind, value in zip(kinds, values, strict=True)
        ]
        for column in waiting.get(row, ()):
            cells[column] = NoValue("=")
        yield cells


def _cell(kind: int, value: Any, datemode: int) -> Cell:
    match kind:
        case xlrd.XL_CELL_ERROR:
            return NoValue(ERRORS.get(value, "#N/A"))
        case xlrd.XL_CELL_BOOLEAN:
            return bool(value)
        case xlrd.XL_CELL_DATE:
            return _date(value, datemode)
        case _ if kind == _XL_CELL_SPAN:
            return _span(value)
        case _:
            assert isinstance(value, str | float)
            return value


def _date(value: float, datemode: int) -> date | datetime | time | float:
    try:
        moment = xlrd.xldate.xldate_as_datetime(value, datemode)
    except (OverflowError, ValueError):
        return value  # nothing that a calendar has; a spreadsheet shows #####
    assert isinstance(moment, datetime)
    if 0 <= value < 1:
        return moment.time()
    return moment.date() if value == int(value) else moment


def _span(value: float) -> timedelta | float:
    try:
        return timedelta(days=value)
    except (OverflowError, ValueError):
        return value


def _formulas_waiting(content: bytes) -> list[_Waiting]:
    """Return, for every sheet that holds cells, the formulas that have not been worked out.

    The formats are described in [MS-XLS] 2.1.4 and 2.4.127, the wish in OpenOffice's description
    of the same, 5.50.
    """
    start, content = _stream(content)
    sheets = [
        start + struct.unpack_from("<I", content, at)[0]
        for kind, at in _records(content, start)
        if kind == _SHEET and content[at + 5] == 0
    ]
    return [_waiting(content, at) for at in sheets]


def _waiting(content: bytes, start: int) -> _Waiting:
    found: dict[int, list[int]] = defaultdict(list)
    for kind, at in _records(content, start):
        if kind in _FORMULAS:
            row, column, _, value, wishes = struct.unpack_from("<HHH8sH", content, at)
            if wishes & _ON_OPENING and value in _NOTHING:
                found[row].append(column)
    return found


def _stream(content: bytes) -> tuple[int, bytes]:
    """Return the part of the file that holds the workbook, and where in it."""
    if not content.startswith(SIGNATURE):
        return 0, content
    document = CompDoc(content, logfile=StringIO())
    for name in ("Workbook", "Book"):
        found, start, _ = document.locate_named_stream(name)
        if found:
            return start, found
    raise ValueError("no workbook in it")


def _records(content: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Yield the type of each record of a sheet, and where its content begins."""
    depth = 0  # a chart in a sheet is a stream of its own within it
    while at + 4 <= len(content):
        kind, length = struct.unpack_from("<HH", content, at)
        depth += (kind == _BOF) - (kind == _EOF)
        yield kind, at + 4
        if depth <= 0:
            return
        at += 4 + length
