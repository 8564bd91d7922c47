"""Survey the sheets of an .xlsb before they are read, and find the cells that read as blanks.

Its parts are records: a type and a length of one to four bytes, seven bits in each, then the
content. [MS-XLSB] 2.1.4 and 2.5 describe them.
"""

import struct
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from batchlock.core.errors import UnreadableFile
from batchlock.core.rows import NoValue
from batchlock.plan.read.workbook.no_value import ERRORS, LAST_COLUMN, LAST_ROW, Marks, SheetStats
from batchlock.plan.read.workbook.zip_safety import Package, damaged

_ROW, _BLANK, _ERROR, _SHARED, _FORMULA_ERROR = 0, 1, 3, 7, 11
_TEXT = 19
"""One of the texts that cells share."""
_SHORT, _LAST_CELL = 12, 18
"""From here on cells that leave out their column, which nothing that we use reads."""
_SHEET, _SHEET_DATA, _SHEET_DATA_END = 156, 145, 146
_LARGEST = 512 << 20
"""Bytes of a sheet; one of a million rows has a fifth of it."""
_NUMBER = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Xlsb:
    """The sheets of an .xlsb, by name the parts that hold them."""

    package: Package
    parts: Mapping[str, str]
    shared: Sequence[int]
    """The length of each text that cells share."""

    def survey(self, sheet: str) -> SheetStats:
        """Go through the whole sheet once."""
        row = rows = columns = text = 0
        unread = False
        for kind, content, start in self._cells(sheet):
            if kind == _ROW:
                row = _NUMBER.unpack_from(content, start)[0] + 1
            elif kind >= _SHORT:
                raise UnreadableFile(
                    f"{self.package.path.name} is an .xlsb of a kind that is seldom written and "
                    "would be read wrong. Open it in a spreadsheet program and save it as .xlsx."
                )
            elif kind != _BLANK:
                rows = max(rows, row)
                columns = max(columns, _NUMBER.unpack_from(content, start)[0] + 1)
                unread = unread or kind in (_ERROR, _FORMULA_ERROR)
                if kind == _SHARED:
                    at = _NUMBER.unpack_from(content, start + 8)[0]
                    text += self.shared[at] if at < len(self.shared) else 0
        if rows > LAST_ROW or columns > LAST_COLUMN:
            raise damaged(self.package.path)
        return SheetStats(rows, columns, unread, text=text)

    def marks(self, sheet: str) -> Iterator[Marks]:
        """Yield the marks of every row from the first on."""
        row = 0
        found: list[NoValue | None] = []
        for kind, content, start in self._cells(sheet):
            if kind == _ROW:
                number = _NUMBER.unpack_from(content, start)[0] + 1
                if row:
                    yield found
                yield from [()] * (number - row - 1)
                row, found = number, []
            elif kind in (_ERROR, _FORMULA_ERROR):
                column = _NUMBER.unpack_from(content, start)[0]
                found += [None] * (column + 1 - len(found))
                found[column] = NoValue(ERRORS.get(content[start + 8], "#N/A"))
        if row:
            yield found

    def _cells(self, sheet: str) -> Iterator[tuple[int, bytes, int]]:
        """Yield the rows and cells: their type, and where in a content they begin."""
        content = self.package.content(self.parts[sheet], _LARGEST)
        within = False
        try:
            for kind, start, _ in _records(content):
                if within and kind <= _LAST_CELL:
                    yield kind, content, start
                elif kind == _SHEET_DATA:
                    within = True
                elif kind == _SHEET_DATA_END:
                    return
        except (IndexError, struct.error) as error:
            raise damaged(self.package.path) from error


def opened(package: Package) -> Xlsb:
    """Find the part of every sheet."""
    book = next(
        (part for kind, part in package.linked("").values() if kind == "officeDocument"), ""
    )
    if book not in package.parts:
        raise damaged(package.path)
    links = package.linked(book)
    content = package.content(book)
    parts = {}
    shared = array("I")
    try:
        for what, part in links.values():
            if what == "sharedStrings" and part in package.parts:
                records = _records(package.content(part, _LARGEST))
                shared.extend(end - start for kind, start, end in records if kind == _TEXT)
        for kind, start, _ in _records(content):
            if kind == _SHEET:
                link, end = _text(content, start + 8)
                name, _ = _text(content, end)
                parts[name] = links[link][1]
    except (IndexError, KeyError, ValueError, OverflowError, struct.error) as error:
        raise damaged(package.path) from error
    return Xlsb(package, parts, shared)


def _records(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield each record's type, and where its content begins and ends."""
    at, last = 0, len(content)
    while at < last:
        kind = content[at]
        at += 1
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
    """Return a text that follows its length, and where it ends."""
    length = _NUMBER.unpack_from(content, at)[0]
    end = at + 4 + 2 * length
    return content[at + 4 : end].decode("utf-16-le"), end
