"""Look into a zipped workbook before anything expands it: its parts, and what they would become.

What a zip says of its sizes is believed only where it says too much; every part that is read is
first inflated here, piece by piece, and thrown away.
"""

import re
import zlib
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from posixpath import normpath
from xml.etree import ElementTree as ET
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from batchlock.core.errors import UnreadableFile

LARGEST = 2 << 30
"""Bytes of all parts together; a workbook of a million rows has a seventh of it."""

_WHOLE = 8 << 20
"""Bytes of a part that is read whole, such as the list of the sheets."""

_DENSE = 16 << 20
_RATIO = 100
"""How much smaller compression may have made a part of more than `_DENSE` bytes. Tables become 8
to 25 times smaller, and nothing can become 1,033 times smaller."""

_PIECE = 1 << 20
_NOT_A_ZIP = (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
_ENCODING = re.compile(rb"""<\?xml[^>]*\bencoding\s*=\s*["']([^"']*)""")
_PROLOG = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s++|<\?(?:[^?]|\?(?!>))*+\?>|<!--(?:[^-]|-(?!->))*+-->)*+<[^!?]"
)
"""What may stand before the first element of a part, and where that begins."""
_FIRST = 256
_BLANKS = b"\xef\xbb\xbf\xff\xfe\0 \t\r\n"
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
"""How UTF-16 begins."""
_SAVE = "Open it in a spreadsheet program and save it as a new .xlsx file."


@dataclass(frozen=True, slots=True)
class Package:
    """A zipped workbook whose parts are within the bounds."""

    path: Path
    parts: Mapping[str, ZipInfo]
    """By their names in lower case, since links between parts ignore case."""

    def pieces(self, part: str) -> Iterator[bytes]:
        """Yield what a part becomes; raise when that is more than it says, or damaged."""
        told = self.parts[part.casefold()]
        asked = copy(told)
        asked.file_size += 1  # else nobody would see that it does not end there
        read = 0
        try:
            with ZipFile(self.path) as archive, archive.open(asked) as file:
                while piece := file.read(_PIECE):
                    read += len(piece)
                    if read > told.file_size:
                        raise zip_bomb(self.path)
                    yield piece
        except _NOT_A_ZIP as error:
            raise damaged(self.path) from error

    def content(self, part: str, most: int = _WHOLE) -> bytes:
        """Return a whole part; refuse one that would become larger than `most`."""
        if self.parts[part.casefold()].file_size > most:
            raise zip_bomb(self.path)
        return b"".join(self.pieces(part))

    def linked(self, part: str) -> dict[str, tuple[str, str]]:
        """Return the kind and the part of every link from a part ("" is the workbook), by id."""
        place = PurePosixPath(part)
        links = str(place.parent / "_rels" / f"{place.name}.rels")
        if links.casefold() not in self.parts:
            return {}
        return {
            link.get("Id", ""): (
                link.get("Type", "").rpartition("/")[2],
                normpath(str(PurePosixPath("/", place.parent, link.get("Target", ""))))
                .lstrip("/")
                .casefold(),
            )
            for link in self.xml(links)
            if link.get("TargetMode") != "External"
        }

    def xml(self, part: str) -> ET.Element:
        """Return the root of a part in XML."""
        try:
            return ET.fromstring(self.content(part))  # noqa: S314 - no part declares an entity
        except ET.ParseError as error:
            raise damaged(self.path) from error


def opened(path: Path) -> Package:
    """Return the parts of a zip that can be expanded without harm; refuse any other one."""
    try:
        with ZipFile(path) as archive:
            entries = archive.infolist()
    except _NOT_A_ZIP as error:
        raise damaged(path) from error
    parts = {entry.filename.replace("\\", "/").casefold(): entry for entry in entries}
    if any(entry.flag_bits & 1 for entry in entries):
        raise protected(path)
    if (
        sum(entry.file_size for entry in entries) > LARGEST
        or any(_is_bomb(entry) for entry in entries)
        or sum(entry.compress_size for entry in entries) > path.stat().st_size  # they overlap
    ):
        raise zip_bomb(path)
    if len(parts) < len(entries) or any(
        entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED) for entry in entries
    ):
        raise damaged(path)
    try:
        with ZipFile(path) as archive:
            for part, entry in parts.items():
                if not part.startswith("customxml/"):  # of other programs; Power Query's is UTF-16
                    _check_prolog(path, part, archive, entry)
    except _NOT_A_ZIP as error:
        raise damaged(path) from error
    return Package(path, parts)


def damaged(path: Path) -> UnreadableFile:
    """Return the refusal of a workbook that is not whole."""
    return UnreadableFile(
        f"{path.name} is damaged, or not complete. Get the file again, or open it in a "
        "spreadsheet program and save it as a new .xlsx file."
    )


def zip_bomb(path: Path) -> UnreadableFile:
    """Return the refusal of a workbook that is far larger than it looks."""
    return UnreadableFile(
        f"{path.name} would become far larger when it is unpacked than any table does, so it is "
        "not opened. Copy only the table into a new workbook and save that."
    )


def overlong(path: Path) -> UnreadableFile:
    """Return the refusal of a workbook with more text in a cell than a cell can hold."""
    return UnreadableFile(
        f"{path.name} has more text in one cell than a spreadsheet holds there, 32,767 characters. "
        "Shorten it, or delete it, and save the file again."
    )


def protected(path: Path) -> UnreadableFile:
    """Return the refusal of a workbook that is encrypted."""
    return UnreadableFile(
        f"{path.name} is protected with a password. "
        "Open it in a spreadsheet program, remove the password and save it."
    )


def too_sparse(path: Path, sheet: str, rows: int, columns: int) -> UnreadableFile:
    """Return the refusal of a sheet too large to be held, which a table never is."""
    return UnreadableFile(
        f"{path.name}, sheet {sheet}: it reaches to row {rows:,} and over {columns:,} columns, "
        "so there is something far outside the table. Copy only the table into a new workbook and "
        "save that as .xlsx."
    )


def _is_bomb(entry: ZipInfo) -> bool:
    return entry.file_size > max(_DENSE, entry.compress_size * _RATIO)


def _check_prolog(path: Path, part: str, archive: ZipFile, entry: ZipInfo) -> None:
    """Refuse what a part says of itself before its first element, unless it is the usual."""
    with archive.open(entry) as file:
        start = file.read(_FIRST)
        if not part.endswith((".xml", ".rels")) and (
            part.endswith(".svg") or not start.lstrip(_BLANKS).startswith(b"<")
        ):
            return  # pictures and the like
        start += file.read(_PIECE)
    name = path.name
    if b"<!DOCTYPE" in start.replace(b"\0", b""):
        raise UnreadableFile(
            f"{name} declares entities (a DTD), which no spreadsheet program does, so it is not "
            f"opened. {_SAVE}"
        )
    found = _ENCODING.search(start)
    encoding = found[1].decode("ascii", "replace").casefold() if found else "utf-8"
    if start.startswith(_WIDE) or encoding not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise UnreadableFile(
            f"{name} is written in another encoding than UTF-8, which workbooks are in, and would "
            f"be read wrong. {_SAVE}"
        )
    if start and not _PROLOG.match(start):
        if len(start) < _PIECE:
            raise damaged(path)
        raise UnreadableFile(
            f"{name} has a part that does not begin as those that a spreadsheet program writes, so "
            f"it is not opened. {_SAVE}"
        )
