"""Put a results file in its place, so that it is always complete and never lost."""

import os
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple

from batchlock.core.errors import BatchlockError
from batchlock.core.options import RunOptions
from batchlock.report.recognise import may_be_replaced, refuse_to_replace

# The exact shape of our draft names: a person's file such as `.batchlock-old.part` stays.
_DRAFT_NAME = re.compile(r"\.batchlock-[\da-f]{8}\.part")

# A day. The largest workbook takes minutes, so nobody writes to an older draft any more: the
# process that made it was killed.
_STALE_AFTER_SECONDS = 86_400.0


class Place(NamedTuple):
    """Where the results are."""

    path: Path
    why: str = ""
    """Why they are not at their target, as the end of a sentence; empty when they are."""


def publish(
    write: Callable[[Path], None],
    target: Path,
    fallback_folder: Path,
    *,
    run_id: str,
    overwrite: bool = False,
    options: RunOptions = RunOptions(),  # noqa: B008  frozen
) -> Place:
    """Write a draft with `write`, rename it to `target`, and return the place that it really has.

    The place is a free name beside the target when the target cannot be replaced, because it is
    open in Excel, is a folder, or, unless `overwrite`, is a file that is no results file of
    batchlock. It is a free name in the fallback folder when the target's own folder cannot be
    written; `write` is then called a second time. Raises BatchlockError when neither folder can be
    written.
    """

    def put(draft: Path, place: Path) -> Place:
        write(draft)
        with draft.open("r+b") as file:
            # Before the rename, or a power failure could leave an empty file under the real name.
            os.fsync(file.fileno())
        if not overwrite and not may_be_replaced(place):
            return Place(draft.replace(_free_name(place)), _foreign(place))
        try:
            return Place(draft.replace(place))
        except (PermissionError, IsADirectoryError):
            # Windows refuses to replace a file that Excel has open.
            return Place(draft.replace(_free_name(place)), _irreplaceable(place))

    place = _in_a_writable_folder(
        put,
        target,
        fallback_folder,
        " Nothing that was sent is lost: the results can be written again with "
        f"{options.command('report', run_id)}.",
    )
    _remove_stale_drafts(place.path.parent)
    return place


def writable_place(target: Path, fallback_folder: Path, *, overwrite: bool = False) -> Place:
    """Return the place that `publish` would give the results now: `target` when all is well.

    Raises UsageError when the target is a file of somebody else, unless `overwrite`, and
    BatchlockError as `publish` does.
    """

    def place_for(_: Path, place: Path) -> Place:
        if not _is_irreplaceable(place):
            return Place(place)
        return Place(_free_name(place), _irreplaceable(place))

    if not overwrite:
        refuse_to_replace(target)
    return _in_a_writable_folder(place_for, target, fallback_folder)


def _in_a_writable_folder(
    put: Callable[[Path, Path], Place], target: Path, fallback_folder: Path, remedy: str = ""
) -> Place:
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
                written = put(draft, place)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            failures.append(f"{place} ({error.strerror or error})")
        else:
            if failures:
                return Place(written.path, f"they cannot be written to {failures[0]}")
            return written
    raise BatchlockError(
        f"The results cannot be written: neither {' nor '.join(failures)}."
        f" Make room there or name another file with --output.{remedy}"
    )


def _foreign(place: Path) -> str:
    return f"{place} is not a results file of batchlock"


def _irreplaceable(place: Path) -> str:
    return f"{place} is a folder" if place.is_dir() else f"{place} is open in another program"


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
