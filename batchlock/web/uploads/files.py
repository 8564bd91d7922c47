"""An uploaded file: a safe name, and writing its content to the disk.

The name is not made safe by pathvalidate (3.3). That keeps quotes and U+202E, which reverses the
text after it and so hides the real suffix, and it cuts the suffix off a long name.
"""

import asyncio
import re
from pathlib import Path, PurePath, PureWindowsPath

from aiohttp import BodyPartReader

from batchlock.core.errors import BatchlockError
from batchlock.web.templating import size
from batchlock.web.translation import N_
from batchlock.web.translation import gettext as _

_CHUNK_BYTES = 1 << 20
# File systems take 255 bytes, and "-results-<run id>.xlsx" and a prefix are added to the stem.
_MAX_STEM_BYTES = 150
_MAX_SUFFIX = 8
# Letters and digits of every script, and harmless punctuation; everything else becomes "_".
_UNSAFE = re.compile(r"[^\w .,()\[\]@+=&-]")
# Devices on Windows, whatever suffix follows: opening CON.csv would read the keyboard.
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
# A form field is a CSRF token of 64 characters; anything longer is none.
_MAX_FIELD_BYTES = 1024


class UploadRefused(BatchlockError):
    """An uploaded file was not taken.

    The text is in English, for the audit log; `page_message` is in the language of the request.
    """

    def __init__(self, message: str, /, **variables: object) -> None:
        super().__init__(message % variables, page_message=_(message, **variables))


def safe_name(browser_name: str | None) -> str:
    """Return a browser's file name as one that is safe as a file name on every system."""
    # Old browsers send whole paths, with either kind of slash.
    name = PurePath(PureWindowsPath(browser_name or "").name).name
    name = _UNSAFE.sub("_", name).strip(" .")
    stem, dot, suffix = name.rpartition(".")
    if not dot:
        stem, suffix = name, ""
    stem = stem.strip(" .").encode()[:_MAX_STEM_BYTES].decode(errors="ignore").strip(" .")
    name = f"{stem or 'upload'}.{suffix[:_MAX_SUFFIX]}" if suffix else stem or "upload"
    return f"_{name}" if _RESERVED.fullmatch(name) else name


async def write_upload(part: BodyPartReader, path: Path, *, max_bytes: int) -> None:
    """Write an uploaded file to the disk in chunks.

    Raises UploadRefused if it has more than `max_bytes`, or cannot be written.
    """
    written = 0
    try:
        with path.open("xb") as file:
            while chunk := await part.read_chunk(_CHUNK_BYTES):
                written += len(chunk)
                if written > max_bytes:
                    break
                await asyncio.to_thread(file.write, chunk)
    except OSError as error:
        raise UploadRefused(
            N_("%(file)s cannot be kept: %(error)s. Nothing was sent."),
            file=path.name,
            error=error.strerror or error,
        ) from None
    if written > max_bytes:
        raise UploadRefused(
            N_(
                "%(file)s is larger than %(size)s, which is the most that this page takes "
                "(web.max_upload). Split the file, or ask whoever runs batchlock."
            ),
            file=path.name,
            size=size(max_bytes),
        )


async def read_field(part: BodyPartReader) -> str:
    """Return the text of a form field, or the beginning of a long one."""
    content = b""
    while len(content) < _MAX_FIELD_BYTES and (chunk := await part.read_chunk(256)):
        content += chunk
    return content.decode("ascii", "replace")
