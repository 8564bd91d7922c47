"""Find the cells that python-calamine shows as blank and a person does not.

They are errors, and formulas that no program has worked out yet. Only a sheet in which a quick
look finds such a cell is read a second time.
"""

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from typing import IO, Any
from xml.etree import ElementTree as ET
from zipfile import ZipFile

from batchlock.errors import UnreadableFile
from batchlock.loader.kinds import Kind
from batchlock.model import Cell, Unread

Marks = Sequence[Unread | None]
"""One for each cell of a row; None where nothing is wrong."""

_PIECE = 1 << 20
_OVERLAP = 1 << 10
_LAST_ROW, _LAST_COLUMN = 1 << 20, 1 << 14

_ERROR = re.compile(rb"""<(?:\w+:)?c\s[^>]*\bt=["']e["']""")
_NO_VALUE = re.compile(
    rb"(?:</(?:\w+:)?f\s*>|<(?:\w+:)?f(?:\s[^>]*)?/>)\s*"
    rb"(?:</|<(?:\w+:)?v\s*/>|<(?:\w+:)?v(?:\s[^>]*)?>\s*</)"
)
_TRACES = ((b"e", b'="e"'), (b"e", b"='e'"), (b"f", b"<f"), (b"f", b":f"))
"""What a piece must hold for a pattern to be worth trying, after a letter that is found faster."""
_ODS_FORMULA = re.compile(rb"""[\s:]formula=|value-type=["']error["']""")

_TABLE_NS = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE_NS = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TEXT_NS = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_CALC_NS = "{urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}"


def unread_cells(path: Path, kind: Kind, sheet: str) -> Iterator[Marks]:
    """Yield the marks of every row from the first one on, or nothing when there are none.

    Errors in .xls and .xlsb stay blank: nothing that we use shows them.
    """
    finders = {Kind.XLSX: _in_xlsx, Kind.ODS: _in_ods}
    if kind not in finders:
        return
    marks = finders[kind](path, sheet)
    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # openpyxl's, about drawings and the like
                row = next(marks, None)
        except Exception as error:  # parsers answer an odd file with any exception
            raise UnreadableFile(
                f"{path.name}, sheet {sheet}: it holds errors or formulas without a value that "
                "cannot be told from blank cells. Open it in a spreadsheet program and save it."
            ) from error
        if row is None:
            return
        yield row


def with_unread(rows: Iterable[Sequence[Cell]], marks: Iterable[Marks]) -> Iterator[Sequence[Cell]]:
    """Put the marks in the place of the blanks, beyond the last row too."""
    for row, marked in zip_longest(rows, marks, fillvalue=()):
        if not any(marked):
            yield row
            continue
        cells = [*row, *[None] * (len(marked) - len(row))]
        for at, mark in enumerate(marked):
            if cells[at] is None:
                cells[at] = mark
        yield cells


def _in_xlsx(path: Path, sheet: str) -> Iterator[Marks]:
    from openpyxl import load_workbook

    with ZipFile(path) as archive:
        part = _part_of(archive, sheet)
        if part and not any(map(_holds_unread, _pieces(archive, part))):
            return
    with path.open("rb") as one, path.open("rb") as other:
        values = load_workbook(one, read_only=True, data_only=True, keep_links=False)[sheet]
        formulas = load_workbook(other, read_only=True, keep_links=False)[sheet]
        for each in (values, formulas):
            each.reset_dimensions()  # what a file says of its size is not always so
        for value_row, formula_row in zip(values.iter_rows(), formulas.iter_rows(), strict=True):
            yield [_mark(*cells) for cells in zip(value_row, formula_row, strict=True)]


def _mark(value: Any, formula: Any) -> Unread | None:
    """Return what to show for a cell that was read once for its value, once for its formula."""
    if value.data_type == "e":
        return Unread(str(value.value))
    # A formula whose value is an empty text is typed as text; one that has none is not.
    if formula.data_type == "f" and value.value is None and value.data_type == "n":
        return Unread(str(getattr(formula.value, "text", formula.value)))
    return None


def _part_of(archive: ZipFile, sheet: str) -> str | None:
    """Return the name of the archive's entry that holds a sheet; None when it is hard to tell."""
    names = {name.casefold(): name for name in archive.namelist()}
    if not {"xl/workbook.xml", "xl/_rels/workbook.xml.rels"} <= names.keys():
        return None
    book, links = (
        ET.fromstring(archive.read(names[part]))  # noqa: S314 - expat bounds what entities become
        for part in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels")
    )
    link = next(
        value
        for element in book.iterfind(".//{*}sheet")
        if element.get("name") == sheet
        for key, value in element.items()
        if key.endswith("}id")
    )
    target = next(each.get("Target", "") for each in links if each.get("Id") == link)
    return names.get(str(PurePosixPath("/xl", target)).casefold().lstrip("/"))


def _pieces(archive: ZipFile, part: str) -> Iterator[bytes]:
    """Yield an entry in pieces that overlap, so that no tag is cut in all of them."""
    with archive.open(part) as file:
        tail = b""
        while piece := file.read(_PIECE):
            yield tail + piece
            tail = piece[-_OVERLAP:]


def _holds_unread(piece: bytes) -> bool:
    return any(letter in piece and trace in piece for letter, trace in _TRACES) and bool(
        _ERROR.search(piece) or _NO_VALUE.search(piece)
    )


def _in_ods(path: Path, sheet: str) -> Iterator[Marks]:
    with ZipFile(path) as archive:
        if not any(map(_ODS_FORMULA.search, _pieces(archive, "content.xml"))):
            return
        with archive.open("content.xml") as file:
            yield from _ods_rows(file, sheet)


def _ods_rows(file: IO[bytes], sheet: str) -> Iterator[Marks]:
    """Yield the marks of a sheet; rows and cells that are alike are stored once, with a number."""
    table: ET.Element | None = None
    marks: list[Unread | None] = []
    column = row = blank_rows = 0
    events = ET.iterparse(file, events=("start", "end"))  # noqa: S314 - as above
    for event, element in events:
        if event == "start":
            if element.tag == f"{_TABLE_NS}table" and element.get(f"{_TABLE_NS}name") == sheet:
                table = element
            elif element.tag == f"{_TABLE_NS}table-row":
                marks, column = [], 0
        elif table is None:
            element.clear()
        elif element is table:
            return
        elif element.tag in (f"{_TABLE_NS}table-cell", f"{_TABLE_NS}covered-table-cell"):
            count = int(element.get(f"{_TABLE_NS}number-columns-repeated", "1"))
            mark = _ods_mark(element)
            if mark:
                marks += [None] * (column - len(marks))
                marks += [mark] * min(count, _LAST_COLUMN)
            column = min(column + count, _LAST_COLUMN)
        elif element.tag == f"{_TABLE_NS}table-row":
            count = int(element.get(f"{_TABLE_NS}number-rows-repeated", "1"))
            count = min(count, _LAST_ROW - row)
            row += count
            if marks:
                yield from [()] * blank_rows
                yield from [marks] * count
            blank_rows = 0 if marks else blank_rows + count
            table.clear()


def _ods_mark(cell: ET.Element) -> Unread | None:
    formula = cell.get(f"{_TABLE_NS}formula")
    text = cell.find(f"{_TEXT_NS}p")
    if cell.get(f"{_CALC_NS}value-type") == "error":
        return Unread("" if text is None else "".join(text.itertext()))
    # LibreOffice gives a formula whose value is an empty text an empty paragraph.
    if formula and text is None and cell.get(f"{_OFFICE_NS}value-type") is None:
        return Unread(formula[formula.find("=") :])
    return None
