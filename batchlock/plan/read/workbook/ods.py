"""Survey the sheets of an .ods before they are read, and find the cells that read as blanks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from tempfile import TemporaryFile
from typing import IO
from xml.etree import ElementTree as ET
from xml.parsers import expat
from zipfile import ZIP_DEFLATED, ZipFile

from batchlock.core.rows import NoValue
from batchlock.plan.read.workbook.no_value import (
    LARGEST,
    LAST_COLUMN,
    LAST_ROW,
    MOST_TEXT,
    Mark,
    Marks,
    SheetStats,
)
from batchlock.plan.read.workbook.ods_normalise import CLOCK, Rewriter, length_of
from batchlock.plan.read.workbook.zip_safety import (
    Package,
    damaged,
    protected,
    too_sparse,
    zip_bomb,
)

_CONTENT = "content.xml"
_FOREIGN = (
    re.compile(rb">\s+<table:table-(?:row|cell)"),
    re.compile(rb"<text:(?:line-break|tab)\b"),
    re.compile(rb"<!"),
    re.compile(rb"<(?:draw|dr3d):"),
    re.compile(
        rb"<table:(?:covered-)?table-cell"
        rb"""(?![^>]*office:(?:(?:\w+-)?value=|value-type=["']string))"""
        rb"""(?:[^>"']|"[^"]*"|'[^']*')*+(?<!/)>\s*<(?!/)"""
    ),
)
"""One by one they are found in a third of the time that they take together."""
_SPAN = re.compile(rf"""time-value=["'](?!{CLOCK.pattern}["'])""".encode())
"""A time that no clock shows, which python-calamine gives as it is written here."""
_UNREAD = (re.compile(rb"formula="), re.compile(rb"""value-type=["']error["']"""))
_ROW_END = b"</table:table-row>"
_LONGEST_ROW = 16 << 20
"""Bytes; a row of all 16,384 columns has a tenth of it."""
_TAG = re.compile(rb"""<table:(?:covered-)?table-(cell|row)\b((?:[^>"']|"[^"]*"|'[^']*')*+)>""")
_REPEATED = re.compile(rb"""-repeated=["'](\d+)""")

_TABLE_NS = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE_NS = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TEXT_NS = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_CALC_NS = "{urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}"
_IS_ERROR = re.compile(r"#(?:N/A|REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!)|Err:\d{3}")


@dataclass(frozen=True, slots=True)
class _Row:
    times: int
    width: int
    """Up to the last cell that is not blank."""
    text: int
    marks: list[Mark | None]


@dataclass(frozen=True, slots=True)
class Ods:
    """The sheets of an .ods."""

    package: Package
    unread: bool
    needs_rewrite: bool
    """Whether it holds what python-calamine does not read: white space around its cells, as
    Gnumeric and SheetJS write it, breaks inside a text that are elements, marked sections and
    comments in a text, text in cells that have no type, lengths of time, and drawings with text."""

    def normalised(self) -> BytesIO:
        """Return the same file in the form that python-calamine reads."""
        made = BytesIO()
        with ZipFile(made, "w", ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
            with archive.open(_CONTENT, "w", force_zip64=True) as file:
                rewriter = Rewriter()
                try:
                    for piece in self.package.pieces(_CONTENT):
                        file.write(rewriter.feed(piece))
                    file.write(rewriter.feed(b"", last=True))
                except expat.ExpatError as error:
                    raise damaged(self.package.path) from error
            archive.writestr("META-INF/manifest.xml", "<manifest/>")
        made.seek(0)
        return made

    def survey(self, _sheet: str) -> SheetStats:
        """Return what is known: all sheets are within the bounds."""
        return SheetStats(unread=self.unread)

    def marks(self, sheet: str) -> Iterator[Marks]:
        """Yield the marks of every row from the first on."""
        blank = 0
        for name, row in _rows(self.package):
            if name != sheet:
                continue
            if row.marks:
                yield from [()] * blank
                yield from [row.marks] * row.times
            blank = 0 if row.marks else blank + row.times


def opened(package: Package) -> Ods:
    """Survey all the sheets, since all are held in memory at once; refuse encrypted ones."""
    path = package.path
    manifest = "meta-inf/manifest.xml"
    if manifest in package.parts and b"encryption-data" in package.content(manifest):
        raise protected(path)
    if _CONTENT not in package.parts:
        raise damaged(path)
    unread = needs_rewrite = False
    size = _Size()
    for rows in _whole_rows(package):
        spans = bool(_SPAN.search(rows))
        unread = unread or spans or any(sign.search(rows) for sign in _UNREAD)
        needs_rewrite = needs_rewrite or spans or any(sign.search(rows) for sign in _FOREIGN)
        size.add(rows)
    if not size.fits:
        _measure(package)
    return Ods(package, unread, needs_rewrite)


class _Size:
    """What all sheets together take at most, from a quick look at their rows."""

    def __init__(self) -> None:
        self._rows = self._blank = self._widest = self._text = 0

    @property
    def fits(self) -> bool:
        return self._rows * self._widest <= LARGEST and self._text <= MOST_TEXT

    def add(self, rows: bytes) -> None:
        for row in rows.split(_ROW_END):
            times, width = _reach(row)
            if b"</table:table>" in row:
                self._blank = 0  # at the end of a sheet
            if not width:
                self._blank += times
                continue
            self._rows += self._blank + times
            self._blank = 0
            self._widest = max(self._widest, width)
            self._text += len(row) * times * (width if b"-columns-repeated" in row else 1)


def _reach(row: bytes) -> tuple[int, int]:
    """Return how often a row is there, and how many cells it has up to the last not blank."""
    if row.endswith(b"/>"):  # most programs fill every row up to the last column
        last = row.rfind(b"<table:table-cell")
        row = row if b"value" in row[last:] else row[:last]
    if b"-repeated=" not in row:
        return 1, row.count(b"<table:table-cell") + row.count(b"<table:covered")
    times, column, width = 1, 0, 0
    for kind, attributes in _TAG.findall(row):
        told = _REPEATED.search(attributes)
        count = int(told[1]) if told else 1
        if kind == b"row":
            times = count
            continue
        column = min(column + count, LAST_COLUMN)
        if not attributes.endswith(b"/") or b"value-type" in attributes:
            width = column
    return min(times, LAST_ROW), width


def _whole_rows(package: Package) -> Iterator[bytes]:
    """Yield the content in pieces in which no row is cut."""
    rest = b""
    for piece in package.pieces(_CONTENT):
        piece = rest + piece
        cut = piece.rfind(_ROW_END) + len(_ROW_END)
        if cut < len(_ROW_END):
            cut = 0
        if len(piece) - cut > _LONGEST_ROW:
            raise zip_bomb(package.path)
        yield piece[:cut]
        rest = piece[cut:]
    yield rest


def _measure(package: Package) -> None:
    """Refuse sheets that cannot be held: python-calamine holds all at once, each a rectangle."""
    path = package.path
    sheets: dict[str, SheetStats] = {}
    row = text = 0
    for name, each in _rows(package):
        row = each.times + (row if name in sheets else 0)
        before = sheets.get(name, SheetStats())
        rows = row if each.width else before.rows
        sheets[name] = SheetStats(rows, max(before.columns, each.width))
        text += each.text * each.times
        if not sheets[name].fits:
            raise too_sparse(path, name, rows, sheets[name].columns)
    if sum(sheet.area for sheet in sheets.values()) > LARGEST or text > MOST_TEXT:
        raise zip_bomb(path)


def _rows(package: Package) -> Iterator[tuple[str, _Row]]:
    """Yield the rows of all sheets, each with the name of its own."""
    with TemporaryFile() as file:
        for piece in package.pieces(_CONTENT):
            file.write(piece)
        file.seek(0)
        try:
            yield from _parsed(file)
        except (ET.ParseError, ValueError) as error:
            raise damaged(package.path) from error


def _parsed(file: IO[bytes]) -> Iterator[tuple[str, _Row]]:
    table: ET.Element | None = None
    name = ""
    marks: list[Mark | None] = []
    column = width = text = row = 0
    events = ET.iterparse(file, events=("start", "end"))  # noqa: S314 - no part declares an entity
    for event, element in events:
        if event == "start":
            if element.tag == f"{_TABLE_NS}table" and table is None:
                table, row = element, 0
                name = element.get(f"{_TABLE_NS}name", "")
            elif element.tag == f"{_TABLE_NS}table-row":
                marks, column, width, text = [], 0, 0, 0
        elif table is None:
            element.clear()
        elif element is table:
            table = None
            element.clear()
        elif element.tag in (f"{_TABLE_NS}table-cell", f"{_TABLE_NS}covered-table-cell"):
            count = int(element.get(f"{_TABLE_NS}number-columns-repeated", "1"))
            end = min(column + count, LAST_COLUMN)
            if mark := _mark(element):
                marks += [None] * (column - len(marks))
                marks += [mark] * (end - column)
            text += sum(map(len, element.itertext())) * (end - column)
            column = end
            if len(element) or element.get(f"{_OFFICE_NS}value-type"):
                width = end
        elif element.tag == f"{_TABLE_NS}table-row":
            count = int(element.get(f"{_TABLE_NS}number-rows-repeated", "1"))
            count = min(count, LAST_ROW - row)
            row += count
            yield name, _Row(count, width, text, marks)
            table.clear()


def _mark(cell: ET.Element) -> Mark | None:
    formula = cell.get(f"{_TABLE_NS}formula")
    text = cell.find(f"{_TEXT_NS}p")
    shown = "" if text is None else "".join(text.itertext())
    if cell.get(f"{_CALC_NS}value-type") == "error" or (formula and _IS_ERROR.fullmatch(shown)):
        return NoValue(shown)
    # LibreOffice gives a formula whose value is an empty text an empty paragraph.
    if formula and text is None and cell.get(f"{_OFFICE_NS}value-type") is None:
        return NoValue(formula[formula.find("=") :])
    told = cell.get(f"{_OFFICE_NS}time-value")
    return length_of(told) if told and not CLOCK.fullmatch(told) else None
