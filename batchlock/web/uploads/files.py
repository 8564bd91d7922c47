"""A file from a browser: a name that harms nothing, and its content on the disk."""

import asyncio
import re
from pathlib import Path, PurePath, PureWindowsPath

from aiohttp import BodyPartReader

from batchlock.core.errors import BatchlockError
from batchlock.web.templating import size

_PIECE = 1 << 20
_LONGEST_STEM = 150
"""Bytes; the names of its results are longer, and file systems take 255."""
_UNSAFE = re.compile(r"[^\w .,()\[\]@+=&-]")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def safe_name(given: str | None) -> str:
    """Return a file name from a browser as one that harms nothing, wherever it is put."""
    name = PurePath(PureWindowsPath(given or "").name).name
    name = _UNSAFE.sub("_", name).strip(" .")
    stem, dot, suffix = name.rpartition(".")
    if not dot:
        stem, suffix = name, ""
    stem = stem.strip(" .").encode()[:_LONGEST_STEM].decode(errors="ignore").strip(" .") or "upload"
    name = f"{stem}.{suffix[:8]}" if suffix else stem
    return f"_{name}" if _RESERVED.fullmatch(name) else name


async def write(part: BodyPartReader, path: Path, *, most: int) -> None:
    """Write an upload to a file, piece by piece; a larger one than `most` bytes is refused."""
    written = 0
    try:
        with path.open("xb") as file:
            while piece := await part.read_chunk(_PIECE):
                written += len(piece)
                if written > most:
                    break
                await asyncio.to_thread(file.write, piece)
    except OSError as error:
        raise BatchlockError(
            f"{path.name} cannot be kept: {error.strerror or error}. Nothing was sent."
        ) from None
    if written > most:
        raise BatchlockError(
            f"{path.name} is larger than {size(most)}, which is the most that this page takes "
            "(web.max_upload). Split the file, or ask whoever runs batchlock."
        )


async def short(part: BodyPartReader) -> str:
    """Return the text of a part that is no file."""
    content = b""
    while len(content) < 1024 and (piece := await part.read_chunk(256)):
        content += piece
    return content.decode("ascii", "replace")
