"""Files in the folder of an inbox, and what became of them."""

import os
from collections.abc import Sequence
from pathlib import Path

from support.sheets import Row, rows, sheet
from support.zoho import StandIn

FOLDER = Path("in")
# Before the epoch of no test: files so old are complete at the first look.
_LONG_AGO = 1e9


def put(name: str, content: Sequence[Row] | int, *, age: float | None = None) -> Path:
    """Write a CSV file into the folder, with so many rows, that was complete long ago.

    A greater `age` makes it older than others. None: it was written just now.
    """
    FOLDER.mkdir(exist_ok=True)
    file = sheet(str(FOLDER / name), rows(content) if isinstance(content, int) else content)
    if age is not None:
        os.utime(file, (_LONG_AGO - age, _LONG_AGO - age))
    return file


def names(place: str = "") -> list[str]:
    """Return the names of the files in the folder, or in one of the folders in it."""
    folder = FOLDER / place
    files = [path.name for path in folder.iterdir() if path.is_file()] if folder.exists() else []
    return sorted(name for name in files if not name.startswith("."))


def note(beginning: str) -> str:
    """Return the text beside the file in attention/ whose name begins so."""
    (path,) = (FOLDER / "attention").glob(f"{beginning}*.txt")
    return path.read_text("utf-8")


def updates(zoho: StandIn) -> dict[str, int]:
    """Return how often each record was updated, by the stand-in's own record."""
    return {key: lock["updates"] for key, lock in zoho.locks().items()}
