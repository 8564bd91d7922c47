"""Measure the sheets of an .xlsx before they are read, and choose how each one is read.

python-calamine 0.9.1, the newest, reads a sheet as nearly every program writes it. It shows errors
and formulas without a value as blank, which its crate knows better (`worksheet_formula`,
`DataRef::Error`), so they are found here by a second look; a later version may save that. It holds
a sheet as a rectangle, so that one cell far outside takes gigabytes, and takes a number that is
written in an odd way for 0. Such sheets are read element by element (`xlsx_rows`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET
from xml.parsers import expat

from batchlock.core.errors import UnreadableFile
from batchlock.core.rows import Cell
from batchlock.plan.read.workbook.cell_refs import (
    CELL_REF,
    LETTERS,
    ROW_NUMBER,
    TAG,
    position,
    row_numbers,
)
from batchlock.plan.read.workbook.hidden_rows import xlsx_hidden, xlsx_hides
from batchlock.plan.read.workbook.no_value import (
    MAX_COLUMNS,
    MAX_ROWS,
    MAX_TEXT_BYTES,
    Override,
    RowOverrides,
    SheetEntry,
    SheetStats,
)
from batchlock.plan.read.workbook.number_cells import NumberReader, RawRow
from batchlock.plan.read.workbook.xlsx_book import Book, open_book
from batchlock.plan.read.workbook.xlsx_cells import has_no_value, override_of
from batchlock.plan.read.workbook.xlsx_rows import OutOfPlace, parsed_rows
from batchlock.plan.read.workbook.xlsx_texts import (
    MAX_CELL_BYTES,
    CellTooLong,
)
from batchlock.plan.read.workbook.zip_safety import Package, cell_too_long, damaged, damaged_xml

# What the tags of a usual cell take, <c r="AB12345" s="1" t="s"><v></v></c>: the rest of a sheet
# counts as text.
_TAG_BYTES = 40

# A row of all 16,384 columns has a tenth of it.
_MAX_ROW_BYTES = 16 << 20

# Before the first row stand views and the widths of at most 16,384 columns.
_MAX_HEAD_BYTES = 8 << 20

# Any tag may have a namespace prefix, which some report generators write (<x:sheetData>).
_SHEET_DATA = re.compile(rb"<(\w+:)?sheetData")
# Before the rows: what may hold such a tag that is none, and the rule for white space in texts.
_ODD_HEAD = re.compile(rb"<!|\bxml:space")
# In the rows: an escape that python-calamine does not know, since it stands for no control
# character.
_ODD_TEXT = re.compile(rb"_x(?!00)[0-9A-Fa-f]{4}_")
# The column of a cell beyond Z, unless its tag ends with a slash: such a cell has only a format.
_WIDE_COLUMN = re.compile(rb""" r=["']([A-Za-z]{2,})\d+["'][^>/]*>""")

# The index into the shared strings of a cell of the type "s" (ECMA-376 part 1, 18.18.11).
_SHARED_INDEX = re.compile(rb'\bt="s"[^>]*><(?:\w+:)?v>(\d+)')


class _UnusualMarkup(ValueError):
    """A sheet is not written as nearly every program does."""


@dataclass(frozen=True, slots=True)
class Xlsx:
    """The sheets of an .xlsx."""

    package: Package
    book: Book

    @property
    def sheets(self) -> Sequence[SheetEntry]:
        """The worksheets, in the order of the workbook."""
        return self.book.sheets

    @property
    def usual(self) -> bool:
        """Whether python-calamine finds all parts, and reads them right."""
        return self.book.usual

    def measure(self, entry: SheetEntry) -> SheetStats:
        """Scan a sheet once for its size, and whether it has cells that read as blank.

        Raises UnreadableFile for a sheet that is damaged or too large.
        """
        try:
            return self._measure(entry.part)
        except _UnusualMarkup:
            return SheetStats(usual=False, hides_rows=True)
        except ValueError as error:
            raise self._out_of_place(entry) from error

    def _measure(self, part: str) -> SheetStats:
        rows = previous_row = columns = cells = shared_cells = 0
        needs_overrides = hides_rows = False
        for prefix, piece in self._row_pieces(part):
            numbers = row_numbers(piece, prefix, previous_row)
            if numbers is None or (b"_x" in piece and _ODD_TEXT.search(piece)):
                raise _UnusualMarkup
            # Rows after the last cell with content are blank: formatting down to row 1,048,576
            # costs nothing.
            last_cell = piece.rfind(b"</" + prefix + b"c>")
            if last_cell >= 0:
                blank_rows = piece.count(b"<" + prefix + b"row", last_cell)
                rows = numbers[-1 - blank_rows] if blank_rows < len(numbers) else rows
                columns = max(columns, _widest(piece))
            previous_row = numbers[-1] if numbers else previous_row
            cells += piece.count(b"</" + prefix + b"c>")
            shared_cells += piece.count(b'"s"')
            if rows > MAX_ROWS or columns > MAX_COLUMNS:
                raise damaged(self.package.path)
            needs_overrides = needs_overrides or has_no_value(
                piece, recalculated=self.book.recalculated
            )
            hides_rows = hides_rows or xlsx_hides(piece)
        # The upper limit is cheap; the exact sum is needed only for a sheet above the limit.
        text_bytes = shared_cells * max(self.book.shared_lengths, default=0)
        if text_bytes > MAX_TEXT_BYTES:
            text_bytes = self._shared_text_bytes(part)
        text_bytes += self.package.parts[part].file_size - _TAG_BYTES * cells
        # Columns up to Z are not looked for: 26 columns always fit.
        return SheetStats(
            rows, max(columns, LETTERS), needs_overrides, cells, text_bytes, hides_rows
        )

    def hidden_rows(self, entry: SheetEntry) -> Iterator[int]:
        """Yield the number of each row that the spreadsheet does not show."""
        last_row = 0
        if not self.measure(entry).usual:
            yield from (row.number for row in self._parsed_rows(entry) if row.hidden)
            return
        for prefix, piece in self._row_pieces(entry.part):
            numbers = row_numbers(piece, prefix, last_row) or []
            last_row = numbers[-1] if numbers else last_row
            if xlsx_hides(piece):
                yield from xlsx_hidden(piece, numbers)

    def overrides(self, entry: SheetEntry) -> Iterator[RowOverrides]:
        """Yield the overrides of every row, from row 1 on."""
        row, column = 0, -1
        recalculated = self.book.recalculated
        current: list[Override | None] = []
        for _, piece in self._row_pieces(entry.part):
            for tag in TAG.finditer(piece):
                kind, attributes, closed = tag.groups()
                if kind == b"row":
                    if row:
                        yield current
                    number = ROW_NUMBER.search(attributes)
                    next_row = int(number[1]) if number else row + 1
                    yield from [()] * (next_row - row - 1)
                    row, column, current = next_row, -1, []
                    continue
                ref = CELL_REF.search(attributes)
                column = position(ref[1]) if ref else column + 1
                override = None
                if not closed:
                    override = override_of(piece, tag.end(), attributes, recalculated=recalculated)
                if override and column < MAX_COLUMNS:
                    current += [None] * (column + 1 - len(current))
                    current[column] = override
        if row:
            yield current

    def parsed(self, entry: SheetEntry) -> Iterator[Sequence[Cell]]:
        """Yield every row from row 1 on, read element by element.

        Raises UnreadableFile for a sheet that is damaged, or has a value that means nothing.
        """
        numbers = NumberReader(self.package.path, self.book.formats, self.book.since_1904)
        return numbers.rows(self._parsed_rows(entry))

    def _parsed_rows(self, entry: SheetEntry) -> Iterator[RawRow]:
        path = self.package.path
        pieces = self.package.pieces(entry.part)
        try:
            texts = self.book.shared_texts(self.package)
            yield from parsed_rows(pieces, texts, recalculated=self.book.recalculated)
        except OutOfPlace as error:
            raise self._out_of_place(entry) from error
        except CellTooLong as error:
            raise cell_too_long(path) from error
        except (expat.ExpatError, ET.ParseError, ValueError) as error:
            raise damaged_xml(path, error) from error

    def _out_of_place(self, entry: SheetEntry) -> UnreadableFile:
        return UnreadableFile(
            f"{self.package.path.name}, sheet {entry.name}: the file is damaged: rows or cells "
            "are out of place or occur twice. Open it in a spreadsheet program and save it as a "
            "new .xlsx file."
        )

    def _shared_text_bytes(self, part: str) -> int:
        """Return the bytes of text when each cell has its own copy of its shared string."""
        lengths, count, total = self.book.shared_lengths, len(self.book.shared_lengths), 0
        for _, piece in self._row_pieces(part):
            indices = map(int, _SHARED_INDEX.findall(piece))
            total += sum(lengths[at] for at in indices if at < count)
        return total

    def _row_pieces(self, part: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield the prefix of the tags and a piece of the sheet's rows, cut only between rows.

        Raises _UnusualMarkup, and UnreadableFile when a row or cell is longer than any program
        writes.
        """
        prefix: bytes | None = None
        rest = b""
        pieces = self.package.pieces(part)
        for piece in pieces:
            piece = rest + piece
            if prefix is None and (start := _SHEET_DATA.search(piece)):
                close = piece.find(b">", start.end())
                if close < 0 or _ODD_HEAD.search(piece, 0, close):
                    raise _UnusualMarkup
                prefix = start[1] or b""
                closed = piece[close - 1 : close] == b"/"
                piece = b"</" + prefix + b"sheetData>" if closed else piece[close + 1 :]
            end = -1 if prefix is None else piece.find(b"</" + prefix + b"sheetData")
            if end >= 0:
                rest = piece[:end]
                for _ in pieces:
                    pass  # the rest of the part is unpacked only to verify its size
                break
            cut = 0 if prefix is None else max(0, piece.rfind(b"<" + prefix + b"row"))
            if prefix is None and len(piece) > _MAX_HEAD_BYTES:
                raise damaged(self.package.path)
            if len(piece) - cut > _MAX_ROW_BYTES:
                raise cell_too_long(self.package.path)
            if cut > 0:
                self._check_cell_lengths(piece[:cut], prefix or b"")
                yield prefix or b"", piece[:cut]
            rest = piece[cut:]
        if prefix is None:
            raise _UnusualMarkup
        self._check_cell_lengths(rest, prefix)
        yield prefix, rest

    def _check_cell_lengths(self, piece: bytes, prefix: bytes) -> None:
        """Raise UnreadableFile when no cell or row begins for longer than a cell may be."""
        for start in range(0, len(piece) - MAX_CELL_BYTES, MAX_CELL_BYTES):
            end = start + MAX_CELL_BYTES
            if not any(piece.find(b"<" + prefix + tag, start, end) >= 0 for tag in (b"c", b"row")):
                raise cell_too_long(self.package.path)


def open_workbook(package: Package) -> Xlsx:
    """Find the part of every sheet; raises UnreadableFile when the workbook is damaged."""
    return Xlsx(package, open_book(package))


def _widest(piece: bytes) -> int:
    return max((position(letters) + 1 for letters in {*_WIDE_COLUMN.findall(piece)}), default=0)
