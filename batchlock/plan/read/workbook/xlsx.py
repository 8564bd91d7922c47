"""Measure the sheets of an .xlsx before they are read, and find the cells that read as blank.

python-calamine holds a sheet as a rectangle, so that one cell far outside takes gigabytes. It
shows errors and formulas without a value as blank. Of two rows with one number it keeps the last.
"""

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath
from xml.sax.saxutils import quoteattr
from zipfile import ZIP_DEFLATED, ZipFile

from batchlock.core.errors import UnreadableFile
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
    SheetStats,
)
from batchlock.plan.read.workbook.xlsx_cells import (
    has_misplaced_text,
    has_no_value,
    override_of,
)
from batchlock.plan.read.workbook.zip_safety import (
    Link,
    Package,
    cell_too_long,
    damaged,
    zip_bomb,
)

# Excel allows 32,767 characters in a cell: 8 bytes for each. The longest usual form of a character
# is an escape such as _x000D_ with 7 bytes.
_MAX_CELL_BYTES = 256 << 10

# What the tags of a usual cell take, <c r="AB12345" s="1" t="s"><v></v></c>: the rest of a sheet
# counts as text.
_TAG_BYTES = 40

# A row of all 16,384 columns has a tenth of it.
_MAX_ROW_BYTES = 16 << 20

# Before the first row stand views and the widths of at most 16,384 columns.
_MAX_HEAD_BYTES = 8 << 20

# The shared strings are held in memory all at once.
_MAX_SHARED_BYTES = 1 << 30

# Any tag may have a namespace prefix, which some report generators write (<x:sheetData>).
_SHEET_DATA = re.compile(rb"<(\w+:)?sheetData")
_SHARED_STRINGS = re.compile(rb"<(\w+:)?sst\b")
# The column of a cell beyond Z, unless its tag ends with a slash: such a cell has only a format.
_WIDE_COLUMN = re.compile(rb""" r=["']([A-Za-z]{2,})\d+["'][^>/]*>""")

# The index into the shared strings of a cell of the type "s" (ECMA-376 part 1, 18.18.11).
_SHARED_INDEX = re.compile(rb"""\bt\s*=\s*["']s["'][^>]*>\s*<(?:\w+:)?v(?:\s[^>]*)?>\s*(\d+)""")

# python-calamine looks for these parts beside workbook.xml under these names, whatever the links
# say. Some programs call them workbook22.xml or sharedStrings22.xml.
_FIXED_NAMES = {"sharedStrings": "sharedStrings.xml", "styles": "styles.xml"}
_LINK_TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
_LINK = '<Relationship Id={} Type="{}" Target={}/>'
# openpyxl finds no sheets in a workbook whose namespaces are those of strict Open XML.
_STRICT_NAMESPACE = "purl.oclc.org"


@dataclass(frozen=True, slots=True)
class Xlsx:
    """The sheets of an .xlsx."""

    package: Package
    parts: Mapping[str, str]
    """The part of every sheet, by the sheet's name."""
    strict: bool
    """Whether it is strict Open XML, which openpyxl takes for an empty workbook."""
    book: str
    """The part that lists the sheets."""
    links: Mapping[str, Link]
    """The links of that part by id."""
    shared_lengths: Sequence[int]
    """The bytes of each shared string, with its tags."""
    recalculated: bool
    """Whether a program shall recalculate all formulas when it opens the file."""

    @property
    def needs_rewrite(self) -> bool:
        """Whether python-calamine would miss a part because of its name."""
        place = PurePosixPath(self.book)
        return place.name != "workbook.xml" or any(
            link.part != str(place.with_name(_FIXED_NAMES[link.kind])).casefold()
            for link in self.links.values()
            if link.kind in _FIXED_NAMES
        )

    def normalised(self) -> BytesIO:
        """Return an .xlsx of the same sheets in parts that have the usual names."""
        parts = {"workbook.xml": self.book}
        links = []
        for at, (link_id, (kind, part)) in enumerate(self.links.items()):
            if part in self.package.parts and (kind in _FIXED_NAMES or part in self.parts.values()):
                name = _FIXED_NAMES.get(kind, f"worksheets/sheet{at}.xml")
                parts[name] = part
                links.append(_LINK.format(quoteattr(link_id), _LINK_TYPES + kind, quoteattr(name)))
        output = BytesIO()
        # Level 1: the copy lives in memory until it is read; speed counts more than size.
        with ZipFile(output, "w", ZIP_DEFLATED, compresslevel=1) as archive:
            for name, part in parts.items():
                with archive.open(f"xl/{name}", "w", force_zip64=True) as file:
                    file.writelines(self.package.pieces(part))
            book_link = _LINK.format('"a"', f"{_LINK_TYPES}officeDocument", '"xl/workbook.xml"')
            for name, content in (
                ("_rels/.rels", book_link),
                ("xl/_rels/workbook.xml.rels", "".join(links)),
            ):
                archive.writestr(name, f"<Relationships>{content}</Relationships>")
        output.seek(0)
        return output

    def measure(self, sheet: str) -> SheetStats:
        """Scan a sheet once for its size, and whether it has cells that read as blank.

        Raises UnreadableFile for a sheet that python-calamine would read wrong.
        """
        path = self.package.path
        rows = previous_row = columns = cells = shared_cells = 0
        needs_overrides = hides_rows = False
        for prefix, piece in self._row_pieces(sheet):
            try:
                numbers = row_numbers(piece, prefix, previous_row)
            except ValueError as error:
                raise UnreadableFile(
                    f"{path.name}, sheet {sheet}: the file is damaged: rows or cells are out of "
                    "place or occur twice. Open it in a spreadsheet program and save it as a new "
                    ".xlsx file."
                ) from error
            # Rows after the last cell with content are blank: formatting down to row 1,048,576
            # costs nothing.
            last_cell = piece.rfind(b"</" + prefix + b"c>")
            if last_cell >= 0:
                blank_rows = piece.count(b"<" + prefix + b"row", last_cell)
                rows = numbers[-1 - blank_rows] if blank_rows < len(numbers) else rows
                columns = max(columns, _widest(piece))
            previous_row = numbers[-1] if numbers else previous_row
            cells += piece.count(b"</" + prefix + b"c>")
            shared_cells += piece.count(b'"s"') + piece.count(b"'s'")
            if rows > MAX_ROWS or columns > MAX_COLUMNS or has_misplaced_text(piece):
                raise damaged(path)
            needs_overrides = needs_overrides or has_no_value(piece, recalculated=self.recalculated)
            hides_rows = hides_rows or xlsx_hides(piece)
        # The upper limit is cheap; the exact sum is needed only for a sheet above the limit.
        text_bytes = shared_cells * max(self.shared_lengths, default=0)
        if text_bytes > MAX_TEXT_BYTES:
            text_bytes = self._shared_text_bytes(sheet)
        text_bytes += self.package.parts[self.parts[sheet]].file_size - _TAG_BYTES * cells
        # Columns up to Z are not looked for: 26 columns always fit.
        return SheetStats(
            rows, max(columns, LETTERS), needs_overrides, cells, text_bytes, hides_rows
        )

    def hidden_rows(self, sheet: str) -> Iterator[int]:
        """Yield the number of each row that the spreadsheet does not show."""
        last_row = 0
        for prefix, piece in self._row_pieces(sheet):
            numbers = row_numbers(piece, prefix, last_row)
            last_row = numbers[-1] if numbers else last_row
            if xlsx_hides(piece):
                yield from xlsx_hidden(piece, numbers)

    def overrides(self, sheet: str) -> Iterator[RowOverrides]:
        """Yield the overrides of every row, from row 1 on."""
        row, column = 0, -1
        current: list[Override | None] = []
        for _, piece in self._row_pieces(sheet):
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
                    override = override_of(
                        piece, tag.end(), attributes, recalculated=self.recalculated
                    )
                if override and column < MAX_COLUMNS:
                    current += [None] * (column + 1 - len(current))
                    current[column] = override
        if row:
            yield current

    def _shared_text_bytes(self, sheet: str) -> int:
        """Return the bytes of text when each cell has its own copy of its shared string."""
        lengths, count, total = self.shared_lengths, len(self.shared_lengths), 0
        for _, piece in self._row_pieces(sheet):
            indices = map(int, _SHARED_INDEX.findall(piece))
            total += sum(lengths[at] for at in indices if at < count)
        return total

    def _row_pieces(self, sheet: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield the prefix of the tags and a piece of the sheet's rows, cut only between rows.

        Raises UnreadableFile when a row or cell is longer than any program writes.
        """
        prefix: bytes | None = None
        rest = b""
        if sheet not in self.parts:
            raise damaged(self.package.path)
        pieces = self.package.pieces(self.parts[sheet])
        for piece in pieces:
            piece = rest + piece
            if prefix is None and (start := _SHEET_DATA.search(piece)):
                prefix, piece = start[1] or b"", piece[start.end() :]
                if piece.startswith(b"/>"):
                    piece = b"</" + prefix + b"sheetData>"
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
        self._check_cell_lengths(rest, prefix or b"")
        yield prefix or b"", rest

    def _check_cell_lengths(self, piece: bytes, prefix: bytes) -> None:
        """Raise UnreadableFile when no cell or row begins for longer than a cell may be."""
        for start in range(0, len(piece) - _MAX_CELL_BYTES, _MAX_CELL_BYTES):
            end = start + _MAX_CELL_BYTES
            if not any(piece.find(b"<" + prefix + tag, start, end) >= 0 for tag in (b"c", b"row")):
                raise cell_too_long(self.package.path)


def open_workbook(package: Package) -> Xlsx:
    """Find the part of every sheet; raises UnreadableFile when the workbook is damaged."""
    book = package.main_part()
    links = package.links(book)
    shared_lengths: Sequence[int] = ()
    for kind, part in links.values():
        if kind == "sharedStrings" and part in package.parts:
            shared_lengths = _shared_lengths(package, part)
        if kind == "styles" and part in package.parts:
            package.check_size(part)  # python-calamine reads it whole
    root = package.xml(book)
    parts = {
        element.get("name", ""): links[link_id].part
        for element in root.iterfind("{*}sheets/{*}sheet")
        for key, link_id in element.items()
        # The attribute is r:id, in one of two namespaces (strict Open XML has its own).
        if key.endswith("}id") and link_id in links and links[link_id].part in package.parts
    }
    calculation = root.find("{*}calcPr")
    return Xlsx(
        package,
        parts,
        book=book,
        links=links,
        shared_lengths=shared_lengths,
        strict=_STRICT_NAMESPACE in root.tag,
        recalculated=calculation is not None and calculation.get("fullCalcOnLoad") in ("1", "true"),
    )


def _shared_lengths(package: Package, part: str) -> Sequence[int]:
    """Return the bytes of each shared string; raises UnreadableFile when one is too long."""
    if package.parts[part].file_size > _MAX_SHARED_BYTES:
        raise zip_bomb(package.path)
    lengths = array("I")
    end_tag = b""
    rest = b""
    for piece in package.pieces(part):
        piece = rest + piece
        if not end_tag and (start := _SHARED_STRINGS.search(piece)):
            end_tag = b"</" + (start[1] or b"") + b"si>"
        *texts, rest = piece.split(end_tag) if end_tag else [piece]
        lengths.extend(map(len, texts))
        if max(map(len, (*texts, rest))) > _MAX_CELL_BYTES:
            raise cell_too_long(package.path)
    return lengths


def _widest(piece: bytes) -> int:
    return max((position(letters) + 1 for letters in {*_WIDE_COLUMN.findall(piece)}), default=0)
