"""Where the files of a folder go: to done/ or attention/, with their results.

<folder>/orders.xlsx                        is taken
<folder>/done/orders-<run id>.xlsx          when all rows are as the file asks
<folder>/done/orders-results-<run id>.xlsx
<folder>/attention/orders-<run id>.xlsx     in every other case
<folder>/attention/orders-<run id>.xlsx.txt says why

Every name depends on the run alone, so that another process, or the next one after a kill, goes on
where the first has stopped. Each move is one rename, which never replaces an input file.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from batchlock.core.errors import UnreadableFile
from batchlock.core.paths import with_room
from batchlock.core.records import FIND_KIND
from batchlock.core.runs import Run, RunState
from batchlock.inboxes.listing import ATTENTION, DONE
from batchlock.plan.child import sha256_of

# Bytes of a name for what is added to it: a suffix, a number behind the name, and that of the text.
_ADDED_BYTES = 50
# No folder has so many files of one name; the limit ends the search for a free one.
_MOST_NUMBERS = 1000


class Filed(NamedTuple):
    """Where the file of a run is after its end."""

    file: Path | None
    """None when it is not there any more: somebody has removed or replaced it."""
    results: Path | None
    note: Path | None = None
    """The text that says why it needs attention; None in done/."""


def put_aside(file: Path, moment: datetime, why: str) -> Path:
    """Move a file that led to no run into `attention/`, with a text that says why.

    `moment` is in its new name. Returns its path there; raises OSError.
    """
    name = name_with(file, f"{moment.astimezone(UTC):%Y%m%d-%H%M%S}")
    names = _names(file.parent / ATTENTION / name)
    # The same file is there after a kill in the middle of its move.
    target = next(path for path in names if not path.exists() or path.samefile(file))
    # Before the move: after a kill in between, the file is there for the next attempt, and gets
    # the same name.
    _write(note_of(target), why)
    moved = _move_input(file, target)
    if moved is not None and moved != target:  # somebody has put a file there meanwhile
        _write(note_of(moved), why)
    return moved or target


def has_ended(run: Run) -> bool:
    """Return whether the last session of a run has ended, so that its file can be moved."""
    return run.finished_at is not None and (run.is_closed or run.state is RunState.STOPPED)


def is_done(run: Run) -> bool:
    """Return whether every row of a run is as its file asks."""
    return run.state is RunState.FINISHED and run.exit_code == 0


def move_run(run: Run, *, file: Path | None = None, why: str = "") -> Filed:
    """Move the file of a run that has ended, and its results.

    `file` is where it is, if not where the run has read it. `why` is the text beside a file that
    needs attention; empty: the sentence of the run. Raises OSError.
    """
    file = file or Path(run.info.file)
    folder, name = file.parent, name_with(file, run.run_id)
    place = DONE if is_done(run) else ATTENTION
    other = ATTENTION if place == DONE else DONE
    target = folder / place / name
    # It fails where the folder is not mounted; another worker may have it.
    target.parent.mkdir(exist_ok=True)
    # It is in the other folder if the run was resumed.
    if not target.exists():
        _move_input(folder / other / name, target)
    # Somebody may have put another file of the same name there since it was read. One of the same
    # content that comes after the move is a new file.
    with suppress(UnreadableFile):
        if sha256_of(file) == run.info.sha256 and not _is_copy(target, run.info.sha256, file):
            target = _move_input(file, target) or target
    results = None if run.results is None else Path(run.results)
    if results is not None and results.parent in (folder / DONE, folder / ATTENTION):
        written, results = results, folder / place / results.name
        _move(written, results)
        if run.run_id in results.name:  # those of the session before the run was resumed
            (folder / other / results.name).unlink(missing_ok=True)
    note = note_of(folder / ATTENTION / target.name)
    if place == ATTENTION:
        _write(note, why or run_sentence(run, results))
    else:
        note.unlink(missing_ok=True)
    return Filed(target if target.exists() else None, results, note if place == ATTENTION else None)


def run_sentence(run: Run, results: Path | None) -> str:
    """Return in sentences how a run has ended, and where its results are."""
    figures = run.figures
    if run.info.kind == FIND_KIND:
        ended = f"Run {run.run_id} has found {figures.rows:,} locks."
    else:
        ended = (
            f"Run {run.run_id} of {run.info.file_name} has ended: {figures.settled:,} of "
            f"{figures.rows:,} rows are as the file asks."
        )
    why = "" if run.reason is None or is_done(run) else run.reason.sentence
    where = "" if results is None else f"The results are in {results}."
    return " ".join(filter(None, (ended, why, where)))


def note_of(file: Path) -> Path:
    """Return the path of the text that says why a file needs attention."""
    return file.with_name(f"{file.name}.txt")


def name_with(file: Path, added: str) -> str:
    """Return the name of a file with something added to its stem; a very long one is cut."""
    suffix = with_room(file.suffix, 255 - _ADDED_BYTES // 2)
    return f"{with_room(file.stem, _ADDED_BYTES + len(added))}-{added}{suffix}"


def _is_copy(target: Path, sha256: str, file: Path) -> bool:
    """Return whether the file of the run has its place already, so that `file` is a new one."""
    if not target.exists() or target.samefile(file):
        return False
    with suppress(UnreadableFile):
        return sha256_of(target) == sha256
    return False


def _names(target: Path) -> Iterator[Path]:
    """Yield a path, then the same with numbers."""
    yield target
    for number in range(2, _MOST_NUMBERS):
        yield target.with_stem(f"{target.stem} ({number})")


def _move_input(source: Path, target: Path) -> Path | None:
    """Move a file to a free name like `target`, and return that; None when there is no file.

    Another process may move the same file at the same time. Raises OSError.
    """
    for path in _names(target):
        try:
            _move_to_free(source, path)
        except FileNotFoundError:
            return None
        except FileExistsError:
            continue
        return path
    raise FileExistsError(errno.EEXIST, f"{_MOST_NUMBERS} files have this name", str(target))


def _move_to_free(source: Path, target: Path) -> None:
    """Rename a file. Raises FileExistsError when there is a file at the target."""
    if os.name == "nt":  # there a rename never replaces a file
        os.rename(source, target)  # noqa: PTH104  Path.rename is the same
        return
    try:
        if target.exists() and target.samefile(source):  # killed between the next two steps
            source.unlink()
            return
        if source.is_symlink():  # what it leads to is named from the folder of the link
            target.symlink_to(source.parent / source.readlink())
        else:
            os.link(source, target)
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError:
        # A file system without hard links, such as FAT and some network drives: the name is
        # reserved, and the rename replaces the reservation.
        target.touch(exist_ok=False)
        try:
            _move(source, target)
        finally:
            if target.stat().st_size == 0 and source.exists():
                target.unlink()
    else:
        source.unlink(missing_ok=True)


def _move(source: Path, target: Path) -> None:
    """Rename a file; no effect when it is not there, since another process was faster."""
    with suppress(FileNotFoundError):
        os.replace(source, target)  # noqa: PTH105  Path.replace is the same


def _write(note: Path, text: str) -> None:
    """Write a text as a whole, or not at all. Raises OSError."""
    draft = note.with_name(f".batchlock-{secrets.token_hex(4)}.part")
    try:
        draft.write_text(f"{text}\n", "utf-8", errors="backslashreplace")
        _move(draft, note)
    finally:
        draft.unlink(missing_ok=True)
