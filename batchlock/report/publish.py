"""Put a results file in its place, so that it is always complete and never lost."""

import os
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import chain, count
from pathlib import Path

from batchlock.core.errors import BatchlockError

# The exact shape of our draft names: a person's file such as `.batchlock-old.part` stays.
_DRAFT_NAME = re.compile(r"\.batchlock-[\da-f]{8}\.part")

# A day. The largest workbook takes minutes, so nobody writes to an older draft any more: the
# process that made it was killed.
_STALE_AFTER_SECONDS = 86_400.0


def publish(
    write: Callable[[Path], None], target: Path, fallback_folder: Path, *, run_id: str
) -> Path:
    """Write a draft with `write`, rename it to `target`, and return the path that it really has.

    The path is a free name beside the target when the target cannot be replaced, because it is
    open in Excel or is a folder. It is a free name in the fallback folder when the target's own
    folder cannot be written; `write` is then called a second time. Raises BatchlockError when
    neither folder can be written.
    """

    def put(draft: Path, place: Path) -> Path:
        write(draft)
        with draft.open("r+b") as file:
            # Before the rename, or a power failure could leave an empty file under the real name.
            os.fsync(file.fileno())
        try:
            return draft.replace(place)
        except (PermissionError, IsADirectoryError):
            # Windows refuses to replace a file that Excel has open.
            return draft.replace(_free_name(place))

    path = _in_a_writable_folder(
        put,
        target,
        fallback_folder,
        " Nothing that was sent is lost: the results can be written again with batchlock report"
        f" {run_id}.",
    )
    _remove_stale_drafts(path.parent)
    return path


def writable_place(target: Path, fallback_folder: Path) -> Path:
    """Return the path that `publish` would give the results now: `target` when all is well.

    Raises BatchlockError as `publish` does.
    """

    def place_for(_: Path, place: Path) -> Path:
        return _free_name(place) if _is_irreplaceable(place) else place

    return _in_a_writable_folder(place_for, target, fallback_folder)


def _in_a_writable_folder(
    put: Callable[[Path, Path], Path], target: Path, fallback_folder: Path, remedy: str = ""
) -> Path:
    """Call `put` with a new draft and its final path, in the first folder that can be written."""
    failures = []
    for place in (target, fallback_folder / target.name):
        draft = place.with_name(f".batchlock-{secrets.token_hex(4)}.part")
        try:
            if place is not target:
                fallback_folder.mkdir(parents=True, exist_ok=True)
                place = _free_name(place)
            draft.touch()
            try:
                return put(draft, place)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            failures.append(f"{place} ({error.strerror or error})")
    raise BatchlockError(
        f"The results cannot be written: neither {' nor '.join(failures)}."
        f" Make room there or name another file with --output.{remedy}"
    )


def _remove_stale_drafts(folder: Path) -> None:
    """Remove the drafts of killed processes; a draft that is being written is younger."""
    for path in folder.glob(".batchlock-*.part"):
        with suppress(OSError):
            age_seconds = time.time() - path.stat().st_mtime
            if _DRAFT_NAME.fullmatch(path.name) and age_seconds > _STALE_AFTER_SECONDS:
                path.unlink()


def _free_name(place: Path) -> Path:
    numbered = (place.with_stem(f"{place.stem} ({number})") for number in count(2))
    return next(path for path in chain((place,), numbered) if not path.exists())


def _is_irreplaceable(place: Path) -> bool:
    if place.is_dir():
        return True
    try:
        # Changes nothing, but Windows refuses it for a file that another program has open.
        place.replace(place)
    except FileNotFoundError:
        return False
    except PermissionError:
        return True
    return False
