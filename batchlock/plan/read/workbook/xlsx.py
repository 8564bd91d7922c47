"""Survey the sheets of an .xlsx before they are read, and find the cells that read as blanks.

python-calamine holds a sheet as a rectangle, so that one cell far outside takes gigabytes; it
shows errors and formulas without a value as blanks; and of two rows with one number it keeps one.
"""

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from io import BytesIO
from pathlib import PurePosixPath
from xml.sax.saxutils import quoteattr
from zipfile import ZIP_DEFLATED, ZipFile

from batchlock.core.errors import UnreadableFile
from batchlock.core.rows import NoValue
from batchlock.plan.read.workbook.cell_refs import LETTERS, ROW_NUMBER, TAG, position, row_numbers
from batchlock.plan.read.workbook.no_value import (
    LAST_COLUMN,
    LAST_ROW,
    MOST_TEXT,
    Marks,
    SheetStats,
)
from batchlock.plan.read.workbook.zip_safety import Package, damaged, overlong, zip_bomb

_LONGEST_CELL = 256 << 10
"""Bytes, with its tags; a cell holds at most 32,767 characters."""
_TAGS = 40
"""Bytes of the tags of a usual cell."""
_LONGEST_ROW = 16 << 20
"""Bytes; a row of all 16,384 columns has a tenth of it."""
_LONGEST_HEAD = 8 << 20
"""Bytes before the first row."""
_MOST_SHARED = 1 << 30
"""Bytes of all the texts that cells share; they are held at once."""
_SHEET_DATA = re.compile(rb"<(\w+:)?sheetData")
_STRINGS = re.compile(rb"<(\w+:)?sst\b")
_COLUMN = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]+)\d+["']""")
_WIDE = re.compile(rb""" r=["']([A-Za-z]{2,})\d+["'][^>/]*>""")
"""The column of a cell that is not blank, when it is beyond Z."""

_ERROR = re.compile(rb"""<(?:\w+:)?c\s[^>]*\bt=["']e["']""")
_FORMULA_END = rb"(?:</(?:\w+:)?f\s*>|<(?:\w+:)?f(?:\s[^>]*)?/>)\s*"
_NO_VALUE = re.compile(_FORMULA_END + rb"(?:</|<(?:\w+:)?v\s*/>|<(?:\w+:)?v(?:\s[^>]*)?>\s*</)")
_NOUGHT = re.compile(_FORMULA_END + rb"<(?:\w+:)?v(?:\s[^>]*)?>0(?:\.0)?</")
_MISPLACED = re.compile(
    rb"""<(?:\w+:)?c\s[^>]*\bt=["'](?:s["'][^>]*>\s*<(?:\w+:)?v>\s*-"""
    rb"""|inlineStr["'][^>]*>\s*<(?:\w+:)?v\b)"""
)
"""A shared string before the first; a value in the place of an inline string."""

_SHARED = re.compile(rb"""\bt\s*=\s*["']s["'][^>]*>\s*<(?:\w+:)?v(?:\s[^>]*)?>\s*(\d+)""")
_IS_ERROR = re.compile(rb"""\st\s*=\s*["']e["']""")
_IS_TEXT = re.compile(rb"""\st\s*=\s*["']str["']""")
_FORMULA = re.compile(rb"\s*<(?:\w+:)?f(?:\s[^>]*?)?(?:/>|>(.*?)</(?:\w+:)?f\s*>)", re.DOTALL)
_VALUE = re.compile(
    rb"\s*(?:</|<(?:\w+:)?v\s*/>|<(?:\w+:)?v(?:\s[^>]*)?>(.*?)</(?:\w+:)?v\s*>)", re.DOTALL
)


_USUAL = {"sharedStrings": "sharedStrings.xml", "styles": "styles.xml"}
"""Where python-calamine looks for these parts, beside workbook.xml, whatever the links say."""
_LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
_LINK = '<Relationship Id={} Type="{}" Target={}/>'


@dataclass(frozen=True, slots=True)
class Xlsx:
    """The sheets of an .xlsx."""

    package: Package
    parts: Mapping[str, str]
    """The part of every sheet, by name."""
    strict: bool
    """Whether it is strict Open XML, which openpyxl takes for empty."""
    book: str
    """The part that lists the sheets."""
    links: Mapping[str, tuple[str, str]]
    """The kind and the part of every link from there, by id."""
    shared: Sequence[int]
    """The length of each text that cells share, with its tags."""
    recalculated: bool
    """Whether formulas are to be worked out on opening: some writers then store 0 for each."""

    @property
    def needs_rewrite(self) -> bool:
        """Whether python-calamine would not find every part."""
        place = PurePosixPath(self.book)
        return place.name != "workbook.xml" or any(
            part != str(place.with_name(_USUAL[kind])).casefold()
            for kind, part in self.links.values()
            if kind in _USUAL
        )

    def normalised(self) -> BytesIO:
        """Return the same sheets in parts that have the usual names."""
        parts = {"workbook.xml": self.book}
        links = []
        for at, (link, (kind, part)) in enumerate(self.links.items()):
            if part in self.package.parts and (kind in _USUAL or part in self.parts.values()):
                name = _USUAL.get(kind, f"worksheets/sheet{at}.xml")
                parts[name] = part
                links.append(_LINK.format(quoteattr(link), _LINKS + kind, quoteattr(name)))
        made = BytesIO()
        with ZipFile(made, "w", ZIP_DEFLATED, compresslevel=1) as archive:
            for name, part in parts.items():
                with archive.open(f"xl/{name}", "w", force_zip64=True) as file:
                    file.writelines(self.package.pieces(part))
            book = _LINK.format('"a"', f"{_LINKS}officeDocument", '"xl/workbook.xml"')
            for name, told in (
                ("_rels/.rels", book),
                ("xl/_rels/workbook.xml.rels", "".join(links)),
            ):
                archive.writestr(name, f"<Relationships>{told}</Relationships>")
        made.seek(0)
        return made

    def survey(self, sheet: str) -> SheetStats:
        """Go through a sheet once; refuse one that would not be read as it was meant."""
        path = self.package.path
        rows = last = columns = cells = sharing = 0
        unread = False
        for name, piece in self._whole_rows(sheet):
            try:
                numbers = row_numbers(piece, name, last)
            except ValueError as error:
                raise UnreadableFile(
                    f"{path.name}, sheet {sheet}: the file is damaged, with rows or cells out of "
                    "place or twice there. Open it in a spreadsheet program and save it as a new "
                    ".xlsx file."
                ) from error
            end = piece.rfind(b"</" + name + b"c>")
            if end >= 0:
                blank = piece.count(b"<" + name + b"row", end)
                rows = numbers[-1 - blank] if blank < len(numbers) else rows
                columns = max(columns, _widest(piece))
            last = numbers[-1] if numbers else last
            cells += piece.count(b"</" + name + b"c>")
            sharing += piece.count(b'"s"') + piece.count(b"'s'")
            if rows > LAST_ROW or columns > LAST_COLUMN or _is_misplaced(piece):
                raise damaged(path)
            unread = unread or _holds_unread(piece, recalculated=self.recalculated)
        text = sharing * max(self.shared, default=0)
        if text > MOST_TEXT:
            text = self._shared_text(sheet)
        text += self.package.parts[self.parts[sheet]].file_size - _TAGS * cells
        return SheetStats(rows, max(columns, LETTERS), unread, cells, text)

    def _shared_text(self, sheet: str) -> int:
        """Return what the texts that a sheet shares come to when each cell has its own."""
        lengths, count, text = self.shared, len(self.shared), 0
        for _, piece in self._whole_rows(sheet):
            shown = map(int, _SHARED.findall(piece))
            text += sum(lengths[at] for at in shown if at < count)
        return text

    def marks(self, sheet: str) -> Iterator[Marks]:
        """Yield the marks of every row from the first on."""
        row, column = 0, -1
        found: list[NoValue | None] = []
        for _, piece in self._whole_rows(sheet):
            for tag in TAG.finditer(piece):
                kind, attributes, closed = tag.groups()
                if kind == b"row":
                    if row:
                        yield found
                    number = ROW_NUMBER.search(attributes)
                    following = int(number[1]) if number else row + 1
                    yield from [()] * (following - row - 1)
                    row, column, found = following, -1, []
                    continue
                place = _COLUMN.search(attributes)
                column = position(place[1]) if place else column + 1
                mark = None if closed else self._mark(piece, tag.end(), attributes)
                if mark and column < LAST_COLUMN:
                    found += [None] * (column + 1 - len(found))
                    found[column] = mark
        if row:
            yield found

    def _mark(self, piece: bytes, start: int, attributes: bytes) -> NoValue | None:
        """Return what to show for a cell, whose content starts there; None when it has a value."""
        formula = _FORMULA.match(piece, start)
        value = _VALUE.match(piece, formula.end() if formula else start)
        text = (value[1] or b"").strip() if value else b""
        if _IS_ERROR.search(attributes):
            return NoValue(unescape(text.decode(errors="replace")) or "#VALUE!")
        if not formula or (text and not (self.recalculated and text in (b"0", b"0.0"))):
            return None
        # A formula whose value is an empty text is typed as text; one that has none is not.
        if not text and _IS_TEXT.search(attributes):
            return None
        return NoValue("=" + unescape((formula[1] or b"").decode(errors="replace")))

    def _whole_rows(self, sheet: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield the prefix of a sheet's tags and its rows, in pieces in which none is cut."""
        name: bytes | None = None
        rest = b""
        if sheet not in self.parts:
            raise damaged(self.package.path)
        pieces = self.package.pieces(self.parts[sheet])
        for piece in pieces:
            piece = rest + piece
            if name is None and (found := _SHEET_DATA.search(piece)):
                name, piece = found[1] or b"", piece[found.end() :]
                if piece.startswith(b"/>"):
                    piece = b"</" + name + b"sheetData>"
            end = -1 if name is None else piece.find(b"</" + name + b"sheetData")
            if end >= 0:
                rest = piece[:end]
                for _ in pieces:
                    pass  # to know its size
                break
            cut = 0 if name is None else max(0, piece.rfind(b"<" + name + b"row"))
            if name is None and len(piece) > _LONGEST_HEAD:
                raise damaged(self.package.path)
            if len(piece) - cut > _LONGEST_ROW:
                raise overlong(self.package.path)
            if cut > 0:
                self._check_lengths(piece[:cut], name or b"")
                yield name or b"", piece[:cut]
            rest = piece[cut:]
        self._check_lengths(rest, name or b"")
        yield name or b"", rest

    def _check_lengths(self, piece: bytes, name: bytes) -> None:
        """Refuse a cell in whose midst no other begins for longer than any cell is."""
        for at in range(0, len(piece) - _LONGEST_CELL, _LONGEST_CELL):
            end = at + _LONGEST_CELL
            if not any(piece.find(b"<" + name + tag, at, end) >= 0 for tag in (b"c", b"row")):
                raise overlong(self.package.path)


def opened(package: Package) -> Xlsx:
    """Find the part of every sheet, and how the workbook is to be understood."""
    book = next(
        (part for kind, part in package.linked("").values() if kind == "officeDocument"), ""
    )
    if book not in package.parts:
        raise damaged(package.path)
    links = package.linked(book)
    shared: Sequence[int] = ()
    for kind, part in links.values():
        if kind == "sharedStrings" and part in package.parts:
            shared = _lengths(package, part)
        if kind == "styles" and part in package.parts:
            for _ in package.pieces(part):
                pass  # to know its size
    root = package.xml(book)
    parts = {
        sheet.get("name", ""): links[link][1]
        for sheet in root.iterfind("{*}sheets/{*}sheet")
        for key, link in sheet.items()
        if key.endswith("}id") and link in links and links[link][1] in package.parts
    }
    settings = root.find("{*}calcPr")
    return Xlsx(
        package,
        parts,
        book=book,
        links=links,
        shared=shared,
        strict="purl.oclc.org" in root.tag,
        recalculated=settings is not None and settings.get("fullCalcOnLoad") in ("1", "true"),
    )


def _lengths(package: Package, part: str) -> Sequence[int]:
    """Return the length of each text that cells share; refuse more than can be held."""
    if package.parts[part].file_size > _MOST_SHARED:
        raise zip_bomb(package.path)
    lengths = array("I")
    end = b""
    rest = b""
    for piece in package.pieces(part):
        piece = rest + piece
        if not end and (found := _STRINGS.search(piece)):
            end = b"</" + (found[1] or b"") + b"si>"
        *texts, rest = piece.split(end) if end else [piece]
        lengths.extend(map(len, texts))
        if max(map(len, (*texts, rest))) > _LONGEST_CELL:
            raise overlong(package.path)
    return lengths


def _widest(piece: bytes) -> int:
    return max((position(letters) + 1 for letters in {*_WIDE.findall(piece)}), default=0)


def _is_misplaced(piece: bytes) -> bool:
    return (
        _traced(piece, b"-", b"<v>-", b":v>-")
        or (_traced(piece, b"S", b"inlineStr") and _traced(piece, b"v", b"<v", b":v"))
    ) and bool(_MISPLACED.search(piece))


def _holds_unread(piece: bytes, *, recalculated: bool) -> bool:
    if _traced(piece, b"e", b'="e"', b"='e'") and _ERROR.search(piece):
        return True
    if not _traced(piece, b"f", b"<f", b":f"):
        return False
    return bool(_NO_VALUE.search(piece) or (recalculated and _NOUGHT.search(piece)))


def _traced(piece: bytes, letter: bytes, *traces: bytes) -> bool:
    """Tell whether a pattern is worth trying; the letter alone is found faster, and seldom."""
    return letter in piece and any(trace in piece for trace in traces)
