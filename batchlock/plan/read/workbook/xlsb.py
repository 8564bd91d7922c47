"""Read an .xlsb record by record.

Each part is a sequence of records: a type of one or two bytes and a length of one to four bytes,
seven bits in each byte, then the content ([MS-XLSB] 2.1.4).

python-calamine 0.9.1, the newest, is not used for the sheets of this format: it holds a sheet as a
rectangle, shows a whole number as a number although its cell has the format of a date, shows short
cells as blank, and aborts at a record that is cut off.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from batchlock.core.rows import Cell, NoValue
from batchlock.plan.read.workbook.no_value import (
    MAX_COLUMNS,
    MAX_ROWS,
    SheetEntry,
    error_name,
)
from batchlock.plan.read.workbook.number_cells import Number, NumberReader, RawRow, format_code
from batchlock.plan.read.workbook.zip_safety import Link, Package, damaged


# Record types ([MS-XLSB] 2.3.2). A cell is blank, a number of 4 bytes, an error, a truth value, a
# number of 8 bytes, a text, or the index of a shared string; then the results of formulas.
class _Kind(IntEnum):
    ROW = 0
    BLANK = 1
    RK = 2
    ERROR = 3
    BOOL = 4
    REAL = 5
    TEXT = 6
    SHARED = 7
    FORMULA_TEXT = 8
    FORMULA_REAL = 9
    FORMULA_BOOL = 10
    FORMULA_ERROR = 11
    RICH_TEXT = 62
    """A text with formats of its letters."""


# What a cell has after its format, in bytes. A text is as long as it says.
_VALUE_BYTES: Mapping[int, int] = {
    _Kind.BLANK: 0,
    _Kind.RK: 4,
    _Kind.ERROR: 1,
    _Kind.BOOL: 1,
    _Kind.REAL: 8,
    _Kind.SHARED: 4,
    _Kind.FORMULA_REAL: 8,
    _Kind.FORMULA_BOOL: 1,
    _Kind.FORMULA_ERROR: 1,
}
# After the result of a formula comes the formula, and after an error SheetJS writes three bytes.
_EXACT_KINDS = (_Kind.BLANK, _Kind.RK, _Kind.BOOL, _Kind.REAL, _Kind.SHARED)
# The first seven cells again, without their column: each follows the cell before it. SheetJS
# writes them.
_FIRST_SHORT, _LAST_CELL = 12, 18
# BrtSSTItem, one of the shared strings.
_SHARED_STRING = 19
# BrtBundleSh and BrtWbProp in the workbook part; BrtBeginSheetData and BrtEndSheetData in a sheet;
# BrtFmt, BrtXF, and the beginning and end of the cell formats in the styles.
_SHEET, _PROPERTIES, _SHEET_DATA, _SHEET_DATA_END = 156, 153, 145, 146
_FORMAT, _CELL_FORMAT, _CELL_FORMATS, _CELL_FORMATS_END = 44, 47, 617, 618
# A sheet of a million rows has a fifth of it.
_MAX_SHEET_BYTES = 512 << 20
_NUMBER, _SHORT, _REAL_NUMBER = struct.Struct("<I"), struct.Struct("<H"), struct.Struct("<d")
# In BrtRowHdr ([MS-XLSB] 2.4.753) after the row, its format, its height and a byte of borders:
# the byte with fDyZero, which says that the row is hidden.
_ROW_FLAGS, _ROW_HIDDEN = 11, 0x10
# The index of a cell's format has 24 bits; a flag follows.
_STYLE_MASK = 0xFFFFFF
# The states of a hidden sheet in BrtBundleSh.
_HIDDEN_STATES = (1, 2)


@dataclass(frozen=True, slots=True)
class Xlsb:
    """The sheets of an .xlsb."""

    package: Package
    sheets: Sequence[SheetEntry]
    """The worksheets whose part exists, in the order of the workbook."""
    texts: Sequence[str]
    """The shared strings."""
    formats: Sequence[str]
    """The number format of each cell format."""
    since_1904: bool
    """Whether dates count from 1904, as on old Macs."""

    def parsed(self, entry: SheetEntry) -> Iterator[Sequence[Cell]]:
        """Yield every row from row 1 on; raises UnreadableFile for a sheet that is damaged."""
        numbers = NumberReader(self.package.path, self.formats, self.since_1904)
        try:
            yield from numbers.rows(self._rows(entry))
        except (IndexError, UnicodeDecodeError, struct.error) as error:
            raise damaged(self.package.path) from error

    def hidden_rows(self, entry: SheetEntry) -> Iterator[int]:
        """Yield the number of each row that the spreadsheet does not show."""
        try:
            for kind, content, start, end in self._records(entry):
                flags = content[start + _ROW_FLAGS : min(start + _ROW_FLAGS + 1, end)]
                if kind == _Kind.ROW and flags and flags[0] & _ROW_HIDDEN:
                    yield _NUMBER.unpack_from(content, start)[0] + 1
        except IndexError as error:
            raise damaged(self.package.path) from error

    def _rows(self, entry: SheetEntry) -> Iterator[RawRow]:
        row, column = 0, -1
        cells: dict[int, Cell | Number] = {}
        for kind, content, start, end in self._records(entry):
            if kind == _Kind.ROW:
                _check_size(start, 4, end)
                if row:
                    yield RawRow(row, sorted(cells.items()))
                next_row = _NUMBER.unpack_from(content, start)[0] + 1
                if not row < next_row <= MAX_ROWS:
                    raise damaged(self.package.path)
                row, column, cells = next_row, -1, {}
                continue
            short = _FIRST_SHORT <= kind <= _LAST_CELL
            if short and column < 0:  # it follows no cell, so its column is unknown
                raise damaged(self.package.path)
            column = column + 1 if short else _NUMBER.unpack_from(content, start)[0]
            if not row or column >= MAX_COLUMNS or column in cells:
                raise damaged(self.package.path)
            # The format of the cell comes first, after the column if there is one.
            cell = self._cell(
                kind - _FIRST_SHORT + _Kind.BLANK if short else kind,
                content,
                start + 4 * (not short),
                end,
            )
            if cell is not None and cell != "":
                cells[column] = cell
        if row:
            yield RawRow(row, sorted(cells.items()))

    def _cell(self, kind: int, content: bytes, start: int, end: int) -> Cell | Number:
        """Return what a cell shows, whose format and value begin there; None for a blank one."""
        at = start + 4
        size = _VALUE_BYTES.get(kind, 0)
        _check_size(at, size, end)
        # A longer record is of another type than it says.
        if kind in _EXACT_KINDS and at + size < end:
            raise damaged(self.package.path)
        number: float
        match kind:
            case _Kind.RK:
                number = _rk(_NUMBER.unpack_from(content, at)[0])
            case _Kind.REAL | _Kind.FORMULA_REAL:
                number = _REAL_NUMBER.unpack_from(content, at)[0]
            case _Kind.ERROR | _Kind.FORMULA_ERROR:
                return NoValue(error_name(content[at]))
            case _Kind.BOOL | _Kind.FORMULA_BOOL:
                return bool(content[at])
            case _Kind.TEXT | _Kind.FORMULA_TEXT:
                text, text_end = _text(content, at, end)
                if kind == _Kind.TEXT and text_end < end:
                    raise damaged(self.package.path)
                return text
            case _Kind.RICH_TEXT:
                return _text(content, at + 1, end)[0]  # after a byte of flags
            case _Kind.SHARED:
                index: int = _NUMBER.unpack_from(content, at)[0]
                return self.texts[index]
            case _:
                return None
        style = _NUMBER.unpack_from(content, start)[0] & _STYLE_MASK
        return Number(repr(number), style)

    def _records(self, entry: SheetEntry) -> Iterator[tuple[int, bytes, int, int]]:
        """Yield each row and cell: its type, the content of the sheet, its start and its end."""
        content = self.package.content(entry.part, _MAX_SHEET_BYTES)
        in_sheet_data = False
        for kind, start, end in _records(content):
            if in_sheet_data and (kind <= _LAST_CELL or kind == _Kind.RICH_TEXT):
                yield kind, content, start, end
            elif kind == _SHEET_DATA:
                in_sheet_data = True
            elif kind == _SHEET_DATA_END and in_sheet_data:
                return
        raise damaged(self.package.path)


def open_workbook(package: Package) -> Xlsb:
    """Find the part of every sheet; raises UnreadableFile when the workbook is damaged."""
    book = package.main_part()
    links = package.links(book)
    content = package.content(book)
    parts = {link.kind: link.part for link in links.values() if link.part in package.parts}
    sheets: list[SheetEntry] = []
    since_1904 = False
    try:
        for record, start, end in _records(content):
            if record == _SHEET:
                sheets += _sheet(content, start, end, links, package)
            elif record == _PROPERTIES:
                since_1904 = bool(content[start] & 1)
        texts = _shared_texts(package, parts.get("sharedstrings"))
        formats = _formats(package, parts.get("styles"))
    except (IndexError, ValueError, OverflowError, struct.error) as error:
        raise damaged(package.path) from error
    if not sheets:
        raise damaged(package.path)
    return Xlsb(package, sheets, texts, formats, since_1904)


def _sheet(
    content: bytes, start: int, end: int, links: Mapping[str, Link], package: Package
) -> Iterator[SheetEntry]:
    """Yield the worksheet of an entry, unless the entry is of a macro, a chart or nothing."""
    _check_size(start, 12, end)
    state = _NUMBER.unpack_from(content, start)[0]
    if _NUMBER.unpack_from(content, start + 8)[0] == 0xFFFFFFFF:  # no part at all
        return
    # 8 bytes: whether the sheet is hidden, and its number.
    link_id, at = _text(content, start + 8, end)
    name, _ = _text(content, at, end)
    link = links.get(link_id)
    if link and link.kind == "worksheet" and link.part in package.parts:
        yield SheetEntry(name, link.part, visible=state not in _HIDDEN_STATES)


def _shared_texts(package: Package, part: str | None) -> Sequence[str]:
    if part is None:
        return ()
    content = package.content(part, _MAX_SHEET_BYTES)
    # A byte of flags comes before the text.
    return [
        _text(content, start + 1, end)[0]
        for record, start, end in _records(content)
        if record == _SHARED_STRING
    ]


def _formats(package: Package, part: str | None) -> Sequence[str]:
    """Return the number format of each cell format."""
    codes, formats = {}, []
    in_cell_formats = False
    content = b"" if part is None else package.content(part, _MAX_SHEET_BYTES)
    for record, start, end in _records(content):
        if record == _FORMAT:
            _check_size(start, 2, end)
            codes[_SHORT.unpack_from(content, start)[0]] = _text(content, start + 2, end)[0]
        elif record in (_CELL_FORMATS, _CELL_FORMATS_END):
            in_cell_formats = record == _CELL_FORMATS
        elif record == _CELL_FORMAT and in_cell_formats:
            # After the format of the style that it belongs to.
            _check_size(start, 4, end)
            formats.append(format_code(_SHORT.unpack_from(content, start + 2)[0], codes))
    return formats


def _rk(value: int) -> float:
    """Return a number of 30 bits, whole or the upper part of a real one ([MS-XLSB] 2.5.123)."""
    number: float
    if value & 2:
        number = float((value ^ 0x80000000) - 0x80000000 >> 2)
    else:
        number = _REAL_NUMBER.unpack(bytes(4) + _NUMBER.pack(value & ~3))[0]
    return number / 100 if value & 1 else number


def _records(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield each record's type, and the start and end of its content.

    Raises IndexError at a record that is cut off.
    """
    at, size = 0, len(content)
    while at < size:
        kind = content[at]
        at += 1
        # The high bit says that another byte follows.
        if kind & 0x80:
            kind = kind & 0x7F | (content[at] & 0x7F) << 7
            at += 1
        length = content[at]
        at += 1
        if length & 0x80:
            length &= 0x7F
            for shift in (7, 14, 21):
                byte = content[at]
                at += 1
                length |= (byte & 0x7F) << shift
                if not byte & 0x80:
                    break
        if at + length > size:
            raise IndexError("a record that is cut off")
        yield kind, at, at + length
        at += length


def _check_size(start: int, size: int, end: int) -> None:
    """Raise IndexError for a record without the bytes that its type has: the next one follows."""
    if start + size > end:
        raise IndexError("a record that is too short")


def _text(content: bytes, at: int, end: int) -> tuple[str, int]:
    """Return a text that follows its number of UTF-16 units, and its end.

    Raises IndexError when it is longer than its record, and UnicodeDecodeError.
    """
    text_end = at + 4 + 2 * _NUMBER.unpack_from(content, at)[0]
    if text_end > end:
        raise IndexError("a text that is cut off")
    return content[at + 4 : text_end].decode("utf-16-le"), text_end
