"""Tell by its first bytes what kind of file this is."""

import re
import zipfile
import zlib
from enum import Enum
from pathlib import Path

from batchlock.core.errors import UnreadableFile
from batchlock.plan.read.workbook.zip_safety import damaged, protected


class FileKind(Enum):
    """A kind of workbook; the value holds the usual endings of its name."""

    XLSX = (".xlsx", ".xlsm")
    XLSB = (".xlsb",)
    XLS = (".xls",)
    ODS = (".ods",)


_BIFF = (b"\x09\x08\x08\0", b"\x09\x08\x10\0")
"""An .xls without the container around it, as some programs that make reports write it."""
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_STRANGERS = (
    (b"%PDF-", "is a PDF document"),
    (b"\x89PNG", "is a picture"),
    (b"\xff\xd8\xff", "is a picture"),
    (b"GIF8", "is a picture"),
    (b"{\\rtf", "is a text document"),
    (b"\x1f\x8b", "is a compressed archive"),
    (b"7z\xbc\xaf", "is a compressed archive"),
    (b"Rar!", "is a compressed archive"),
)
_START = 1 << 20
_MAIN = re.compile(
    rb"spreadsheetml\.(?:sheet|template)\.main|ms-excel\.(?:sheet|template)\.macroEnabled\.main"
)
"""The type of a workbook's main part, which has any name: workbook22.xml, say."""
_MARKUP = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<(?:!doctype|!--|html|head|meta|table|\?xml)|mime-v)"
)
_SAVE_AS = "Open it in a spreadsheet program and save it as .xlsx or .csv."


def detect_kind(path: Path) -> FileKind | None:
    """Return the kind of workbook that a file is, None for text; refuse what is neither."""
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        raise UnreadableFile(f"{path.name} is empty.")
    if start.startswith(_ZIP):
        return _kind_of_zip(path)
    if start.startswith(_OLE):
        return _kind_of_ole(path)
    if start.startswith(_BIFF):
        return FileKind.XLS
    for signature, what in _STRANGERS:
        if start.startswith(signature):
            raise UnreadableFile(f"{path.name} {what}, not a spreadsheet.")
    if _MARKUP.match(start.replace(b"\0", b"").removeprefix(b"\xff\xfe").lower()):
        raise UnreadableFile(
            f"{path.name} is a web page (HTML or XML), whatever its name says, not a spreadsheet. "
            f"{_SAVE_AS}"
        )
    return None


def _kind_of_zip(path: Path) -> FileKind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.casefold().replace("\\", "/") for name in archive.namelist()}
            mimetype = _start_of(archive, "mimetype")
            named = any(name.endswith(("workbook.xml", "workbook.bin")) for name in names)
            types = b"" if named else _start_of(archive, "[Content_Types].xml")
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        UnicodeDecodeError,  # of a part's name
    ) as error:
        raise damaged(path) from error
    if b"opendocument.spreadsheet" in mimetype or (not mimetype and "content.xml" in names):
        return FileKind.ODS
    if any(name.endswith("workbook.bin") for name in names):
        return FileKind.XLSB
    if any(name.endswith("workbook.xml") for name in names) or _MAIN.search(types):
        return FileKind.XLSX
    raise UnreadableFile(f"{path.name} is a ZIP archive or a document, not a spreadsheet.")


def _start_of(archive: zipfile.ZipFile, part: str) -> bytes:
    if part not in archive.namelist():
        return b""
    with archive.open(part) as entry:
        return entry.read(_START)


def _kind_of_ole(path: Path) -> FileKind:
    """Look for the entries of the directory, whose names are in UTF-16."""
    content = path.read_bytes()
    if "EncryptedPackage".encode("utf-16-le") in content:
        raise protected(path)
    if any(name.encode("utf-16-le") + b"\0\0" in content for name in ("Workbook", "Book")):
        return FileKind.XLS
    raise UnreadableFile(f"{path.name} is an old Office document, not a spreadsheet.")
