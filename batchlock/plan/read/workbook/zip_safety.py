"""Check a zipped workbook before a library unpacks it: its parts and their real sizes.

The sizes in the directory of a zip are only an upper limit here: each part that is read is first
unpacked piece by piece, and refused as soon as it becomes larger than the directory says.
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import NamedTuple
from xml.etree import ElementTree as ET
from xml.parsers import expat
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from batchlock.core.errors import UnreadableFile

# For all parts together. A workbook of a million rows has a seventh of it.
_MAX_UNPACKED_BYTES = 2 << 30
_XML_NO_MEMORY = expat.errors.codes[expat.errors.XML_ERROR_NO_MEMORY]

# For a part that is held in memory whole, such as the list of the sheets: a few kilobytes in
# every workbook of the test corpus.
_MAX_WHOLE_PART_BYTES = 8 << 20

# How much smaller than its content a compressed part may be. Tables become 8 to 25 times smaller,
# and DEFLATE cannot do better than 1,032 times. Parts below 16 MiB may have any ratio: they do no
# harm.
_MAX_RATIO = 100
_ANY_RATIO_BYTES = 16 << 20

_PIECE_BYTES = 1 << 20
_COMPRESSIONS = (ZIP_STORED, ZIP_DEFLATED)

# What zipfile raises for damaged archives: NotImplementedError for an unknown compression,
# RuntimeError for an encrypted entry, EOFError for one that is cut off, and ValueError for offsets
# outside of the file.
_ZIP_ERRORS = (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)

_ENCODING = re.compile(rb"""<\?xml[^>]*\bencoding\s*=\s*["']([^"']*)""")

# The prolog of XML 1.0 (2.8) without a DTD: a byte order mark, then spaces, processing
# instructions and comments up to the first element. All repetitions are possessive, so that a
# hostile prolog takes no more than linear time.
_PROLOG = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s++|<\?(?:[^?]|\?(?!>))*+\?>|<!--(?:[^-]|-(?!->))*+-->)*+<[^!?]"
)

# What may stand before the first "<" in UTF-8 or UTF-16: byte order marks, NUL bytes, white space.
_BLANK_BYTES = b"\xef\xbb\xbf\xff\xfe\0 \t\r\n"
# UTF-16 with and without a byte order mark. python-calamine reads such a sheet as an empty one.
_UTF_16_STARTS = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")

# The type of the link from the package to the workbook, in both kinds of Open XML.
_MAIN_KIND = "officedocument"
_MAIN_NAMES = ("xl/workbook.xml", "xl/workbook.bin")

_SAVE_AGAIN = "Open it in a spreadsheet program and save it as a new .xlsx file."


class Link(NamedTuple):
    """A relationship of one part of a workbook to another one."""

    kind: str
    """The last word of its type in lower case, such as `worksheet`."""
    part: str
    """The name of the other part, in lower case and without a leading slash."""


@dataclass(frozen=True, slots=True)
class Package:
    """A zipped workbook whose declared sizes are within the limits."""

    path: Path
    parts: Mapping[str, ZipInfo]
    """By name in lower case, because links between parts ignore case (ECMA-376 part 2)."""
    duplicates: frozenset[str] = frozenset()
    """The names that several parts have."""

    def pieces(self, part: str, *, as_markup: bool = True) -> Iterator[bytes]:
        """Yield the unpacked content of a part.

        Raises UnreadableFile when it is damaged or larger than the directory of the zip says, and
        for XML with a DTD or in another encoding than UTF-8. Only the parts that are read are
        checked: a macro, a picture or the properties of a document do no harm. Nor does a part that
        is searched and not parsed, without `as_markup`.
        """
        entry = self.parts[part.casefold()]
        # No office program uses another compression than DEFLATE.
        if part.casefold() in self.duplicates or entry.compress_type not in _COMPRESSIONS:
            raise damaged(self.path)
        # zipfile stops at the declared size without an error; one byte more shows an excess.
        longer_entry = copy(entry)
        longer_entry.file_size += 1
        size = 0
        try:
            with ZipFile(self.path) as archive, archive.open(longer_entry) as file:
                while piece := file.read(_PIECE_BYTES):
                    if as_markup and not size:
                        _check_prolog(self.path, part, piece)
                    size += len(piece)
                    if size > entry.file_size:
                        raise zip_bomb(self.path)
                    yield piece
        except _ZIP_ERRORS as error:
            raise damaged(self.path) from error

    def check_size(self, part: str) -> None:
        """Unpack a part to verify its declared size; raises UnreadableFile as `pieces` does."""
        for _ in self.pieces(part):
            pass

    def content(self, part: str, max_bytes: int = _MAX_WHOLE_PART_BYTES) -> bytes:
        """Return a part as a whole; raises UnreadableFile when it is larger than `max_bytes`."""
        if self.parts[part.casefold()].file_size > max_bytes:
            raise zip_bomb(self.path)
        return b"".join(self.pieces(part))

    def links(self, part: str) -> dict[str, Link]:
        """Return the links of a part by their ids; the part "" is the package itself."""
        place = PurePosixPath(part)
        rels = str(place.parent / "_rels" / f"{place.name}.rels")
        if rels.casefold() not in self.parts:
            return {}
        return {
            element.get("Id", ""): Link(
                element.get("Type", "").rpartition("/")[2].casefold(),
                normpath(str(PurePosixPath("/", place.parent, element.get("Target", ""))))
                .lstrip("/")
                .casefold(),
            )
            for element in self.xml(rels)
            if element.get("TargetMode") != "External"
        }

    def main_part(self) -> str:
        """Return the part that lists the sheets; raises UnreadableFile when there is none."""
        links = [one.part for one in self.links("").values() if one.kind == _MAIN_KIND]
        # Where the link is missing, the usual name tells.
        for part in (*links, *_MAIN_NAMES):
            if part in self.parts:
                return part
        raise damaged(self.path)

    def xml(self, part: str) -> ET.Element:
        """Return the root element of a part in XML."""
        try:
            # Entity bombs cannot occur: open_package refuses every part with a DTD.
            return ET.fromstring(self.content(part))  # noqa: S314
        except ET.ParseError as error:
            raise damaged_xml(self.path, error) from error


def open_package(path: Path) -> Package:
    """Return the parts of a zip that can be unpacked safely.

    Raises UnreadableFile for a zip bomb, and for a damaged or encrypted zip.
    """
    try:
        with ZipFile(path) as archive:
            entries = archive.infolist()
    except _ZIP_ERRORS as error:
        raise damaged(path) from error
    parts = {_part_name(entry): entry for entry in entries}
    if any(entry.flag_bits & 1 for entry in entries):
        raise protected(path)
    check_unpacked_size(path, entries)
    # Of two parts with one name, libraries read different ones.
    names = Counter(map(_part_name, entries))
    return Package(path, parts, frozenset(name for name, count in names.items() if count > 1))


def _part_name(entry: ZipInfo) -> str:
    # Some writers separate folders by backslashes.
    return entry.filename.replace("\\", "/").casefold()


def damaged(path: Path) -> UnreadableFile:
    """Return the refusal of a workbook that is not complete or contradicts itself."""
    return UnreadableFile(
        f"{path.name} is damaged, or not complete. Get the file again, or open it in a "
        "spreadsheet program and save it as a new .xlsx file."
    )


def damaged_xml(path: Path, error: Exception) -> UnreadableFile:
    """Return the refusal of a workbook whose XML cannot be parsed.

    Raises MemoryError when the parser ran out of memory: expat reports that as an error of the XML.
    """
    if getattr(error, "code", None) == _XML_NO_MEMORY:
        raise MemoryError from error
    return damaged(path)


def check_unpacked_size(path: Path, entries: Sequence[ZipInfo]) -> None:
    """Raise UnreadableFile when the entries of a zip would become far larger than any table."""
    if (
        sum(entry.file_size for entry in entries) > _MAX_UNPACKED_BYTES
        or any(_is_bomb(entry) for entry in entries)
        # Entries that overlap: many of them share the same compressed bytes.
        or sum(entry.compress_size for entry in entries) > path.stat().st_size
    ):
        raise zip_bomb(path)


def zip_bomb(path: Path) -> UnreadableFile:
    """Return the refusal of a workbook that needs far more memory than its file suggests."""
    return UnreadableFile(
        f"{path.name} would become far larger when it is unpacked than any table, so it is "
        "not opened. Copy only the table into a new workbook and save that."
    )


def cell_too_long(path: Path) -> UnreadableFile:
    """Return the refusal of a workbook with more text in a cell than Excel allows."""
    return UnreadableFile(
        f"{path.name} has more text in one cell than a spreadsheet allows, 32,767 characters. "
        "Shorten it, or delete it, and save the file again."
    )


def protected(path: Path) -> UnreadableFile:
    """Return the refusal of a workbook that is encrypted."""
    return UnreadableFile(
        f"{path.name} is protected with a password. "
        "Open it in a spreadsheet program, remove the password and save it."
    )


def too_sparse(path: Path, sheet: str, rows: int, columns: int) -> UnreadableFile:
    """Return the refusal of a sheet that reaches much further than its table."""
    return UnreadableFile(
        f"{path.name}, sheet {sheet}: it reaches to row {rows:,} and over {columns:,} columns, "
        "so there is something far outside the table. Copy only the table into a new workbook and "
        "save that as .xlsx."
    )


def _is_bomb(entry: ZipInfo) -> bool:
    return entry.file_size > max(_ANY_RATIO_BYTES, entry.compress_size * _MAX_RATIO)


def _check_prolog(path: Path, part: str, start: bytes) -> None:
    """Refuse a part with a DTD, with an encoding other than UTF-8, or with an odd prolog."""
    if not part.casefold().endswith((".xml", ".rels")) and not start.lstrip(
        _BLANK_BYTES
    ).startswith(b"<"):
        return
    name = path.name
    # NUL bytes are removed so that a DTD in UTF-16 is found too.
    if b"<!DOCTYPE" in start.replace(b"\0", b""):
        raise UnreadableFile(
            f"{name} declares entities (a DTD), which no spreadsheet program does, so it is not "
            f"opened. {_SAVE_AGAIN}"
        )
    declaration = _ENCODING.search(start)
    encoding = declaration[1].decode("ascii", "replace").casefold() if declaration else "utf-8"
    # python-calamine decodes every part as UTF-8, whatever its declaration says.
    if start.startswith(_UTF_16_STARTS) or encoding not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise UnreadableFile(
            f"{name} is written in another encoding than UTF-8, which workbooks are in, and would "
            f"be read wrong. {_SAVE_AGAIN}"
        )
    if start and not _PROLOG.match(start):
        if len(start) < _PIECE_BYTES:
            raise damaged(path)
        # A comment of a megabyte can hide a DTD from the search above.
        raise UnreadableFile(
            f"{name} has a part that does not begin like the parts that spreadsheet programs "
            f"write, so it is not opened. {_SAVE_AGAIN}"
        )
