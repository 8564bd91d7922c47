"""Put a results file in its place, so that it is always whole and never lost."""

import os
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import chain, count
from pathlib import Path

from batchlock.core.errors import BatchlockError

_DRAFT = re.compile(r"\.batchlock-[\da-f]{8}\.part")
_STALE = 86_400.0
"""Seconds after which nobody is at work on a draft."""


def publish(
    write: Callable[[Path], None], target: Path, fallback_folder: Path, *, run_id: str
) -> Path:
    """Let `write` make a draft, put it in the target's place, and return where it really is.

    That is beside the target when it is open in Excel, and the fallback folder, where nothing is
    overwritten, when the target's own folder cannot be written. `write` is then called again.
    """

    def put(draft: Path, place: Path) -> Path:
        write(draft)
        with draft.open("r+b") as written:
            os.fsync(written.fileno())
        try:
            return draft.replace(place)
        except (PermissionError, IsADirectoryError):
            return draft.replace(_free(place))

    path = _in_a_writable_folder(
        put,
        target,
        fallback_folder,
        " Nothing that was sent is lost: the results can be written again with batchlock report"
        f" {run_id}.",
    )
    _clear_away(path.parent)
    return path


def probe(target: Path, fallback_folder: Path) -> Path:
    """Return where `publish` would put the results now: the target itself when all is well."""

    def find(_: Path, place: Path) -> Path:
        return _free(place) if _is_held(place) else place

    return _in_a_writable_folder(find, target, fallback_folder)


def _in_a_writable_folder(
    settle: Callable[[Path, Path], Path], target: Path, fallback_folder: Path, comfort: str = ""
) -> Path:
    troubles = []
    for place in (target, fallback_folder / target.name):
        draft = place.with_name(f".batchlock-{secrets.token_hex(4)}.part")
        try:
            if place is not target:
                fallback_folder.mkdir(parents=True, exist_ok=True)
                place = _free(place)
            draft.touch()
            try:
                return settle(draft, place)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as trouble:
            troubles.append(f"{place} ({trouble.strerror or trouble})")
    raise BatchlockError(
        f"The results cannot be written: neither {' nor '.join(troubles)}."
        f" Make room there or name another file with --output.{comfort}"
    )


def _clear_away(folder: Path) -> None:
    """Remove the drafts of those who were killed; of one who is at work it is younger."""
    for left in folder.glob(".batchlock-*.part"):
        with suppress(OSError):
            if _DRAFT.fullmatch(left.name) and time.time() - left.stat().st_mtime > _STALE:
                left.unlink()


def _free(place: Path) -> Path:
    others = (place.with_stem(f"{place.stem} ({number})") for number in count(2))
    return next(path for path in chain((place,), others) if not path.exists())


def _is_held(place: Path) -> bool:
    """Say whether `place` cannot be replaced; renaming a file to itself shows it on Windows."""
    if place.is_dir():
        return True
    try:
        place.replace(place)
    except FileNotFoundError:
        return False
    except PermissionError:
        return True
    return False
