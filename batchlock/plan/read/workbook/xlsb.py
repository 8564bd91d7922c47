"""Measure the sheets of an .xlsb before they are read, and find the cells that read as blank.

Each part is a sequence of records: a type of one or two bytes and a length of one to four bytes,
seven bits in each byte, then the content ([MS-XLSB] 2.1.4).
"""

import struct
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from batchlock.core.errors import UnreadableFile
from batchlock.core.rows import NoValue
from batchlock.plan.read.workbook.no_value import (
    ERROR_NAMES,
    MAX_COLUMNS,
    MAX_ROWS,
    RowOverrides,
    SheetStats,
)
from batchlock.plan.read.workbook.zip_safety import Package, damaged

# Record types ([MS-XLSB] 2.3.2): BrtRowHdr, BrtCellBlank, BrtCellError, BrtCellIsst (a shared
# string), BrtFmlaError.
_ROW, _BLANK, _ERROR, _SHARED, _FORMULA_ERROR = 0, 1, 3, 7, 11
# BrtSSTItem, one of the shared strings.
_SHARED_STRING = 19
# From BrtShortBlank on, cells do not contain their column. SheetJS writes such cells, and
# python-calamine shows nearly all of them as blank.
_FIRST_SHORT_CELL, _LAST_CELL = 12, 18
# BrtBundleSh in the workbook part; BrtBeginSheetData and BrtEndSheetData in a sheet.
_SHEET, _SHEET_DATA, _SHEET_DATA_END = 156, 145, 146
# A sheet of a million rows has a fifth of it.
_MAX_SHEET_BYTES = 512 << 20
_NUMBER = struct.Struct("<I")
# In BrtRowHdr ([MS-XLSB] 2.4.753) after the row, its format, its height and a byte of borders:
# the byte with fDyZero, which says that the row is hidden.
_ROW_FLAGS, _ROW_HIDDEN = 11, 0x10


@dataclass(frozen=True, slots=True)
class Xlsb:
    """The sheets of an .xlsb."""

    package: Package
    parts: Mapping[str, str]
    """The part of every sheet, by the sheet's name."""
    shared_lengths: Sequence[int]
    """The bytes of each shared string."""

    def measure(self, sheet: str) -> SheetStats:
        """Scan a sheet once for its size, and whether it has cells that read as blank.

        Raises UnreadableFile for a sheet that python-calamine would read wrong.
        """
        row = rows = columns = text_bytes = 0
        needs_overrides = hides_rows = False
        for kind, content, start in self._cells(sheet):
            if kind == _ROW:
                row = _NUMBER.unpack_from(content, start)[0] + 1
                hides_rows = hides_rows or _hides(content, start)
            elif kind >= _FIRST_SHORT_CELL:
                raise UnreadableFile(
                    f"{self.package.path.name} is an .xlsb of a kind that few programs write and "
                    "would be read wrong. Open it in a spreadsheet program and save it as .xlsx."
                )
            elif kind != _BLANK:
                rows = max(rows, row)
                columns = max(columns, _NUMBER.unpack_from(content, start)[0] + 1)
                needs_overrides = needs_overrides or kind in (_ERROR, _FORMULA_ERROR)
                if kind == _SHARED:
                    # 8 bytes after the start of a cell: its column and its format come first.
                    index = _NUMBER.unpack_from(content, start + 8)[0]
                    if index < len(self.shared_lengths):
                        text_bytes += self.shared_lengths[index]
        if rows > MAX_ROWS or columns > MAX_COLUMNS:
            raise damaged(self.package.path)
        return SheetStats(
            rows, columns, needs_overrides, text_bytes=text_bytes, hides_rows=hides_rows
        )

    def hidden_rows(self, sheet: str) -> Iterator[int]:
        """Yield the number of each row that the spreadsheet does not show."""
        for kind, content, start in self._cells(sheet):
            if kind == _ROW and _hides(content, start):
                yield _NUMBER.unpack_from(content, start)[0] + 1

    def overrides(self, sheet: str) -> Iterator[RowOverrides]:
        """Yield the overrides of every row, from row 1 on."""
        row = 0
        current: list[NoValue | None] = []
        for kind, content, start in self._cells(sheet):
            if kind == _ROW:
                next_row = _NUMBER.unpack_from(content, start)[0] + 1
                if row:
                    yield current
                yield from [()] * (next_row - row - 1)
                row, current = next_row, []
            elif kind in (_ERROR, _FORMULA_ERROR):
                column = _NUMBER.unpack_from(content, start)[0]
                current += [None] * (column + 1 - len(current))
                current[column] = NoValue(ERROR_NAMES.get(content[start + 8], "#N/A"))
        if row:
            yield current

    def _cells(self, sheet: str) -> Iterator[tuple[int, bytes, int]]:
        """Yield each row and cell: its type, the content of the sheet, and its start therein."""
        content = self.package.content(self.parts[sheet], _MAX_SHEET_BYTES)
        in_sheet_data = False
        try:
            for kind, start, _ in _records(content):
                if in_sheet_data and kind <= _LAST_CELL:
                    yield kind, content, start
                elif kind == _SHEET_DATA:
                    in_sheet_data = True
                elif kind == _SHEET_DATA_END:
                    return
        except (IndexError, struct.error) as error:
            raise damaged(self.package.path) from error


def _hides(content: bytes, row: int) -> bool:
    flags = content[row + _ROW_FLAGS : row + _ROW_FLAGS + 1]  # empty when the part is cut off
    return bool(flags and flags[0] & _ROW_HIDDEN)


def open_workbook(package: Package) -> Xlsb:
    """Find the part of every sheet; raises UnreadableFile when the workbook is damaged."""
    book = package.main_part()
    links = package.links(book)
    content = package.content(book)
    parts = {}
    shared_lengths = array("I")
    try:
        for kind, part in links.values():
            if kind == "sharedStrings" and part in package.parts:
                shared_lengths.extend(
                    end - start
                    for record, start, end in _records(package.content(part, _MAX_SHEET_BYTES))
                    if record == _SHARED_STRING
                )
        for record, start, _ in _records(content):
            if record == _SHEET:
                # 8 bytes: whether the sheet is hidden, and its number.
                link_id, end = _text(content, start + 8)
                name, _ = _text(content, end)
                parts[name] = links[link_id].part
    except (IndexError, KeyError, ValueError, OverflowError, struct.error) as error:
        raise damaged(package.path) from error
    return Xlsb(package, parts, shared_lengths)


def _records(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield each record's type, and the start and end of its content."""
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
        yield kind, at, at + length
        at += length


def _text(content: bytes, at: int) -> tuple[str, int]:
    """Return a text that follows its number of UTF-16 units, and its end."""
    length = _NUMBER.unpack_from(content, at)[0]
    end = at + 4 + 2 * length
    return content[at + 4 : end].decode("utf-16-le"), end
