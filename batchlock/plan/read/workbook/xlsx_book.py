"""Read what an .xlsx says about its sheets: their list, the shared strings and the formats."""

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from xml.etree import ElementTree as ET
from xml.parsers import expat

from batchlock.plan.read.workbook.no_value import SheetEntry
from batchlock.plan.read.workbook.number_cells import EAST_ASIAN_DATES, format_code
from batchlock.plan.read.workbook.xlsx_texts import MAX_CELL_BYTES, SharedStrings
from batchlock.plan.read.workbook.zip_safety import (
    Link,
    Package,
    cell_too_long,
    damaged,
    damaged_xml,
    zip_bomb,
)

# The shared strings are held in memory all at once, and so are the styles, of which a workbook may
# have 64,000.
_MAX_SHARED_BYTES = 1 << 30
_MAX_STYLES_BYTES = 64 << 20

# Every tag may have a namespace prefix.
_SHARED_STRINGS = re.compile(rb"<(\w+:)?sst\b")
# python-calamine reserves 24 bytes for each string that the list declares, and the process ends
# when there are not so many; a number that is a little wrong does no harm.
_DECLARED_COUNT = re.compile(rb"""<(?:\w+:)?sst\b[^>]*\suniqueCount\s*=\s*["']\s*(\d+)""")
_MAX_EXCESS = 1_000_000
# What python-calamine reads wrong in a shared string: two texts in the place of one, a rule for
# white space that holds for more than one text, and an escape of a character that is no control
# character.
_TWO_TEXTS = re.compile(rb"</(?:\w+:)?t>\s*<(?:\w+:)?t[\s/>]")
_ODD_SHARED = re.compile(rb"<(?!(?:\w+:)?t\s)[^<>]*\sxml:space|_x(?!00)[0-9A-Fa-f]{4}_")

# python-calamine looks for these parts beside workbook.xml under these names, whatever the links
# say. Some programs call them workbook22.xml or sharedStrings22.xml.
_FIXED_NAMES = {"sharedstrings": "sharedStrings.xml", "styles": "styles.xml"}
# How a sheet can be hidden (ECMA-376 part 1, 18.18.68). Excel and LibreOffice show a sheet with
# any other state.
_HIDDEN_STATES = ("hidden", "veryHidden")
_STATES = (None, "visible", *_HIDDEN_STATES)
_TRUE = ("1", "true")


@dataclass(frozen=True, slots=True)
class Book:
    """A workbook without its sheets."""

    sheets: Sequence[SheetEntry]
    """The worksheets whose part exists, in the order of the workbook."""
    usual: bool
    """Whether python-calamine finds all parts, and reads them right."""
    recalculated: bool
    """Whether a program should recalculate all formulas when it opens the file."""
    since_1904: bool
    """Whether dates count from 1904, as on old Macs."""
    formats: Sequence[str]
    """The number format of each cell format."""
    shared_part: str | None
    shared_lengths: Sequence[int]
    """The bytes of each shared string, with its tags."""
    texts: list[Sequence[str]] = field(default_factory=list, repr=False)
    """The shared strings, once they have been needed."""

    def shared_texts(self, package: Package) -> Sequence[str]:
        """Return the shared strings; raises expat.ExpatError or ValueError for damaged ones."""
        if not self.texts:
            parser = SharedStrings()
            if self.shared_part is not None:
                for piece in package.pieces(self.shared_part):
                    parser.feed(piece)
                parser.feed(b"", last=True)
            self.texts.append(parser.texts)
        return self.texts[0]


def open_book(package: Package) -> Book:
    """Read the workbook; raises UnreadableFile when it is damaged, or has no worksheet."""
    main_part = package.main_part()
    links = package.links(main_part)
    root = package.xml(main_part)
    entries = [*root.iterfind("{*}sheets/{*}sheet")]
    sheets = [*_sheets(entries, links, package)]
    if not sheets:
        raise damaged(package.path)
    parts = {link.kind: link.part for link in links.values() if link.part in package.parts}
    shared_part = parts.get("sharedstrings")
    shared_lengths, usual_texts = _shared_lengths(package, shared_part)
    formats, usual_formats = _formats(package, parts.get("styles"))
    calculation, properties = root.find("{*}calcPr"), root.find("{*}workbookPr")
    date_system = None if properties is None else properties.get("date1904")
    return Book(
        sheets,
        usual=usual_texts
        and usual_formats
        and date_system in (None, "0", "false", *_TRUE)
        and len({sheet.name for sheet in sheets}) == len(entries) == len(sheets)
        and all(element.get("state") in _STATES for element in entries)
        and _has_usual_names(main_part, links),
        recalculated=calculation is not None and calculation.get("fullCalcOnLoad") in _TRUE,
        since_1904=(date_system or "").strip() in _TRUE,
        formats=formats,
        shared_part=shared_part,
        shared_lengths=shared_lengths,
    )


def _sheets(
    entries: Sequence[ET.Element], links: Mapping[str, Link], package: Package
) -> Iterator[SheetEntry]:
    """Yield the worksheets that there are: an entry may name a part that is missing.

    Macros and charts have entries too, and so have sheets that a program has taken out badly.
    """
    for element in entries:
        for key, link_id in element.items():
            # The attribute is r:id, in one of two namespaces (strict Open XML has its own).
            link = links.get(link_id) if key.endswith("}id") else None
            if link and link.kind == "worksheet" and link.part in package.parts:
                hidden = element.get("state", "").strip() in _HIDDEN_STATES
                yield SheetEntry(element.get("name", ""), link.part, visible=not hidden)


def _has_usual_names(main_part: str, links: Mapping[str, Link]) -> bool:
    place = PurePosixPath(main_part)
    return place.name == "workbook.xml" and all(
        link.part == str(place.with_name(_FIXED_NAMES[link.kind])).casefold()
        for link in links.values()
        if link.kind in _FIXED_NAMES
    )


def _shared_lengths(package: Package, part: str | None) -> tuple[Sequence[int], bool]:
    """Return the bytes of each shared string, and whether python-calamine reads all of them right.

    Raises UnreadableFile when one is too long.
    """
    lengths = array("I")
    if part is None:
        return lengths, True
    if package.parts[part].file_size > _MAX_SHARED_BYTES:
        raise zip_bomb(package.path)
    end_tag = b""
    rest = b""
    usual = True
    declared = 0
    for piece in package.pieces(part):
        piece = rest + piece
        if not end_tag and (start := _SHARED_STRINGS.search(piece)):
            end_tag = b"</" + (start[1] or b"") + b"si>"
            count = _DECLARED_COUNT.search(piece)
            declared = int(count[1]) if count else 0
        usual = usual and not _TWO_TEXTS.search(piece)
        usual = usual and not (
            (b"xml:space" in piece or b"_x" in piece) and _ODD_SHARED.search(piece)
        )
        *texts, rest = piece.split(end_tag) if end_tag else [piece]
        lengths.extend(map(len, texts))
        if max(map(len, (*texts, rest))) > MAX_CELL_BYTES:
            raise cell_too_long(package.path)
    return lengths, usual and declared <= len(lengths) + _MAX_EXCESS


def _formats(package: Package, part: str | None) -> tuple[Sequence[str], bool]:
    """Return the number format of each cell format, and whether python-calamine knows all."""
    if part is None:
        return (), True
    try:
        root = ET.fromstring(package.content(part, _MAX_STYLES_BYTES))  # noqa: S314  has no DTD
    except (ET.ParseError, expat.ExpatError) as error:
        raise damaged_xml(package.path, error) from error
    usual = True
    codes = {}
    for element in root.iterfind("{*}numFmts/{*}numFmt"):
        number = _id(element)
        usual = usual and element.get("numFmtId") == str(number)
        codes[number] = element.get("formatCode", "")
    formats = []
    for element in root.iterfind("{*}cellXfs/{*}xf"):
        number = _id(element)
        written = element.get("numFmtId")
        usual = usual and written in (None, str(number))
        usual = usual and not (number in EAST_ASIAN_DATES and number not in codes)
        formats.append(format_code(number, codes))
    return formats, usual


def _id(element: ET.Element) -> int:
    """Return the id of a number format; 0, the general format, for one that is no number."""
    text = element.get("numFmtId", "").strip()
    return int(text) if text.isascii() and text.isdigit() else 0
