"""Survey the sheets of an .ods before they are read, and find the cells that read as blanks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from tempfile import TemporaryFile
from typing import IO
from xml.etree import ElementTree as ET
from zipfile import ZipFile

from batchlock.loader.package import Package, damaged, protected, scattered
from batchlock.loader.unread import LAST_COLUMN, LAST_ROW, Marks, Survey
from batchlock.model import Unread

_CONTENT = "content.xml"
_BETWEEN = re.compile(rb">\s+(?=</?(?:table|text:p\b|office:annotation))")
_CHARACTERS = (
    (re.compile(rb"<text:line-break\s*/>"), b"&#10;"),
    (re.compile(rb"<text:tab\s*/>"), b"&#9;"),
)
_FOREIGN = re.compile(rb">\s+<table:table-(?:row|cell)|<text:(?:line-break|tab)\b")
_OVERLAP = 1 << 10
_FORMULA = re.compile(rb"""[\s:]formula=|value-type=["']error["']""")
_FAR = re.compile(
    rb"""-columns-repeated=["']\d{4,}["'](?:>|[^>]*[^/>]>|[^>]*/>\s*<(?:\w+:)?(?:covered-)?table-cell)"""
    rb"""|-rows-repeated=["']\d{4,}["']"""
)
"""Where a sheet may be far larger than what is written of it."""

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
    marks: list[Unread | None]


@dataclass(frozen=True, slots=True)
class Ods:
    """The sheets of an .ods."""

    package: Package
    unread: bool
    foreign: bool
    """Whether it holds what python-calamine does not read: white space around its cells, as
    Gnumeric and SheetJS write it, and breaks inside a text that are elements."""

    def rewritten(self) -> BytesIO:
        """Return the same file in the form that python-calamine reads."""
        content = _BETWEEN.sub(b">", self.package.content(_CONTENT))
        for element, character in _CHARACTERS:
            content = element.sub(character, content)
        made = BytesIO()
        with ZipFile(made, "w") as archive:
            archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
            archive.writestr(_CONTENT, content)
            archive.writestr("META-INF/manifest.xml", "<manifest/>")
        made.seek(0)
        return made

    def survey(self, _sheet: str) -> Survey:
        """Return what is known: all sheets are within the bounds."""
        return Survey(unread=self.unread)

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
    tail = b""
    unread = far = foreign = False
    for piece in package.pieces(_CONTENT):
        piece = tail + piece
        unread = unread or bool(_FORMULA.search(piece))
        foreign = foreign or bool(_FOREIGN.search(piece))
        far = far or any(_goes_on(piece, found) for found in _FAR.finditer(piece))
        tail = piece[-_OVERLAP:]
    reach: dict[str, Survey] = {}
    row = 0
    for name, each in _rows(package) if far else ():
        row = each.times + (row if name in reach else 0)
        before = reach.get(name, Survey())
        rows = row if each.width else before.rows
        reach[name] = Survey(rows, max(before.columns, each.width))
        if not reach[name].fits:
            raise scattered(path, name, rows, reach[name].columns)
    return Ods(package, unread, foreign)


def _goes_on(piece: bytes, found: re.Match[bytes]) -> bool:
    """Tell whether anything but blanks follows rows or cells that are stored once for many."""
    if b"columns" in found[0]:
        return True
    rest = piece[found.end() : found.end() + (_OVERLAP << 4)]
    ends = rest.find(b":table>")
    return b":p" in (rest if ends < 0 else rest[:ends])


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
    marks: list[Unread | None] = []
    column = width = row = 0
    events = ET.iterparse(file, events=("start", "end"))  # noqa: S314 - no part declares an entity
    for event, element in events:
        if event == "start":
            if element.tag == f"{_TABLE_NS}table" and table is None:
                table, row = element, 0
                name = element.get(f"{_TABLE_NS}name", "")
            elif element.tag == f"{_TABLE_NS}table-row":
                marks, column, width = [], 0, 0
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
            column = end
            if len(element) or element.get(f"{_OFFICE_NS}value-type"):
                width = end
        elif element.tag == f"{_TABLE_NS}table-row":
            count = int(element.get(f"{_TABLE_NS}number-rows-repeated", "1"))
            count = min(count, LAST_ROW - row)
            row += count
            yield name, _Row(count, width, marks)
            table.clear()


def _mark(cell: ET.Element) -> Unread | None:
    formula = cell.get(f"{_TABLE_NS}formula")
    text = cell.find(f"{_TEXT_NS}p")
    shown = "" if text is None else "".join(text.itertext())
    if cell.get(f"{_CALC_NS}value-type") == "error" or (formula and _IS_ERROR.fullmatch(shown)):
        return Unread(shown)
    # LibreOffice gives a formula whose value is an empty text an empty paragraph.
    if formula and text is None and cell.get(f"{_OFFICE_NS}value-type") is None:
        return Unread(formula[formula.find("=") :])
    return None
