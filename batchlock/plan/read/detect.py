"""Detect the format of a file from its content."""

import re
import zipfile
import zlib
from enum import Enum
from pathlib import Path

from batchlock.core.errors import UnreadableFile
from batchlock.plan.read.workbook.zip_safety import damaged, protected


class FileKind(Enum):
    """A format of workbooks; the value is the usual suffixes of its file names."""

    XLSX = (".xlsx", ".xlsm")
    XLSB = (".xlsb",)
    XLS = (".xls",)
    ODS = (".ods",)
    ARCHIVE = (".zip",)
    """No workbook: an archive that may hold one, or a text file."""


# The BOF record of a BIFF stream. Some programs that make reports write an .xls as this stream
# alone, without the OLE container around it.
_BIFF = (b"\x09\x08\x08\0", b"\x09\x08\x10\0")
# The BOF records of the versions of Excel that had one sheet in a file. Their number is in the
# second byte, then comes the length of the record.
_OLD_BIFF = {b"\x09\0\x04\0": "2", b"\x09\x02\x06\0": "3", b"\x09\x04\x06\0": "4"}
_OLE_ENTRY_BYTES = 128
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# A local file header, or the end record that an archive without any entries begins with.
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
# What people choose by mistake. Each would pass for text with odd characters, and be refused with
# a message about its encoding, which helps nobody.
_OTHER_FORMATS = (
    (b"%PDF-", "is a PDF document"),
    (b"\x89PNG", "is a picture"),
    (b"\xff\xd8\xff", "is a picture"),
    (b"GIF8", "is a picture"),
    (b"{\\rtf", "is a text document"),
    (b"\x1f\x8b", "is a compressed archive"),
    (b"7z\xbc\xaf", "is a compressed archive"),
    (b"Rar!", "is a compressed archive"),
)
# Enough for any markup that is recognised below, even after blank lines and a byte order mark.
_SIGNATURE_BYTES = 512
# The entries that are read here say what they are near their beginning; an entry that expands to
# gigabytes must not be expanded for that.
_ENTRY_BYTES = 1 << 20
# The content type of a workbook's main part. Some writers give that part another name, such as
# workbook22.xml, so that its type is the only way to recognise it.
_MAIN_PART_TYPE = re.compile(
    rb"spreadsheetml\.(?:sheet|template)\.main|ms-excel\.(?:sheet|template)\.macroEnabled\.main"
)
# Web applications export HTML tables, XML and MHTML (`MIME-Version: …`) under names like .xls, and
# Excel opens them. Matched against lower case text without NUL bytes, which makes UTF-16 ASCII.
_MARKUP = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<(?:!doctype|!--|html|head|body|meta|table|div|script|style|\?xml)"
    rb"|mime-v)"
)
# JSON and JSON lines: an object, or an array of objects, arrays or texts. No title begins so.
_JSON = re.compile(rb"""(?:\xef\xbb\xbf)?\s*(?:\{\s*(?:"|\}\s*$)|\[\s*[\[{"])""")
# What Excel (`~$orders.xlsx`, with the name of the person) and LibreOffice (`.~lock.orders.ods#`)
# write beside a workbook that is open. Both are hidden, until a program lists the folder.
_LOCK_FILE = re.compile(r"~\$(.+)|\.~lock\.(.+)#")
_SAVE_AS = "Open it in a spreadsheet program and save it as .xlsx or .csv."
_NAME_TABLE = "Name the file with the table, saved as .xlsx or .csv."


def detect_kind(path: Path) -> FileKind | None:
    """Return the kind of workbook that a file is, ARCHIVE for another zip, or None for text.

    Raises UnreadableFile for an empty file, for another format, and for a workbook that is
    protected or damaged.
    """
    with path.open("rb") as file:
        start = file.read(_SIGNATURE_BYTES)
    if not start:
        raise UnreadableFile(
            f"{path.name} is empty: it has no bytes. Save the table again, or name the right file."
        )
    if not start.startswith((*_ZIP, _OLE)) and (lock := _LOCK_FILE.fullmatch(path.name)):
        raise UnreadableFile(
            f"{path.name} is not the workbook: a spreadsheet program keeps it while "
            f"{lock[1] or lock[2]} is open. Choose that file, or close it first."
        )
    if start.startswith(_ZIP):
        return _kind_of_zip(path)
    if start.startswith(_OLE):
        return _kind_of_ole(path)
    if start.startswith(_BIFF):
        return FileKind.XLS
    if version := _OLD_BIFF.get(start[:4]):
        raise UnreadableFile(
            f"{path.name} is a worksheet of Excel {version}, from before 1993, which is not read. "
            f"{_SAVE_AS}"
        )
    for signature, description in _OTHER_FORMATS:
        if start.startswith(signature):
            raise UnreadableFile(f"{path.name} {description}, not a spreadsheet. {_NAME_TABLE}")
    if _MARKUP.match(start.replace(b"\0", b"").removeprefix(b"\xff\xfe").lower()):
        raise UnreadableFile(
            f"{path.name} is a web page (HTML or XML), whatever its name says, not a spreadsheet. "
            f"{_SAVE_AS}"
        )
    if _JSON.match(start.replace(b"\0", b"").removeprefix(b"\xff\xfe")):
        raise UnreadableFile(
            f"{path.name} is JSON, whatever its name says, not a table. Export it as CSV, or load "
            "it into a spreadsheet (in Excel: Data, Get Data, From JSON) and save that as .xlsx."
        )
    return None


def _kind_of_zip(path: Path) -> FileKind:
    try:
        with zipfile.ZipFile(path) as archive:
            # Some writers separate folders by backslashes, and links ignore case.
            names = {name.casefold().replace("\\", "/") for name in archive.namelist()}
            mimetype = _read_start(archive, "mimetype")
            has_usual_name = any(name.endswith(("workbook.xml", "workbook.bin")) for name in names)
            types = b"" if has_usual_name else _read_start(archive, "[Content_Types].xml")
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,  # an unknown compression method
        RuntimeError,  # an encrypted entry
        UnicodeDecodeError,  # the name of an entry
    ) as error:
        raise damaged(path) from error
    # The mimetype entry is optional in OpenDocument, and text documents have a content.xml too.
    if b"opendocument.spreadsheet" in mimetype or (not mimetype and "content.xml" in names):
        return FileKind.ODS
    if any(name.endswith("workbook.bin") for name in names):
        return FileKind.XLSB
    if any(name.endswith("workbook.xml") for name in names) or _MAIN_PART_TYPE.search(types):
        return FileKind.XLSX
    return FileKind.ARCHIVE


def _read_start(archive: zipfile.ZipFile, name: str) -> bytes:
    if name not in archive.namelist():
        return b""
    with archive.open(name) as entry:
        return entry.read(_ENTRY_BYTES)


def _kind_of_ole(path: Path) -> FileKind:
    """Search the names of an OLE container's streams, which its directory has in UTF-16.

    Parsing the directory is left to the reader of .xls files: a search finds the names in a
    damaged container too.
    """
    content = path.read_bytes()
    # Excel encrypts an .xlsx into an OLE container with a stream of this name.
    if _has_stream(content, "encryptedpackage"):
        raise protected(path)
    # Excel 97 and later write the stream `Workbook`, Excel 5 and 95 write `Book`; other programs
    # write these names in capitals.
    if any(_has_stream(content, name) for name in ("workbook", "book")):
        return FileKind.XLS
    raise UnreadableFile(f"{path.name} is an old Office document, not a spreadsheet. {_NAME_TABLE}")


def _has_stream(content: bytes, name: str) -> bool:
    """Search an OLE container for the entry of a stream with this name, in any case.

    Entries have 128 bytes and stand in whole sectors; the name ends with a NUL.
    """
    text = re.escape((name + "\0").encode("utf-16-le"))
    return any(
        match.start() % _OLE_ENTRY_BYTES == 0 for match in re.finditer(text, content, re.IGNORECASE)
    )
