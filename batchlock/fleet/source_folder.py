"""The folder of a schedule: which of its files are complete, and where they go in the end.

<folder>/orders.xlsx                        is taken at a due time
<folder>/done/orders-<run id>.xlsx          when all rows are as the file asks
<folder>/done/orders-results-<run id>.xlsx
<folder>/attention/orders-<run id>.xlsx     in every other case
<folder>/attention/orders-<run id>.xlsx.txt says why

Every name depends on the run alone, so that a second worker, or the same one after a kill, goes on
where the first has stopped. Each move is one rename.
"""

import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from batchlock.core.errors import UnreadableFile, UsageError
from batchlock.core.records import FIND_KIND
from batchlock.core.runs import Run, RunState
from batchlock.fleet.sources import ATTENTION, DONE, FileSource
from batchlock.plan.child import sha256_of
from batchlock.store.store import Store

_log = logging.getLogger(__name__)

# A file that is as it was after this time is complete. Copying programs write more often.
_LOOK_SECONDS = 2.0
# After so many looks, a file that still grows is left for the next due time.
_MOST_LOOKS = 15
# A file that nobody has written to for so long is complete at the first look. So long, because the
# clock of a file server may differ from that of this machine.
_OLD_SECONDS = 600.0


class Version(NamedTuple):
    """What changes when a file is written."""

    size: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a folder that a schedule takes."""

    complete: tuple[Path, ...]
    """The oldest first."""
    growing: tuple[Path, ...] = ()
    """Those that somebody still writes to."""


async def list_files(source: FileSource, wait: Callable[[float], Awaitable[object]]) -> Listing:
    """Return the files of a folder, after `wait` has shown which of them are complete.

    Raises UsageError when the folder cannot be read.
    """
    before = _versions(source)
    growing = {path for path, version in before.items() if not _is_old(version)}
    for _ in range(_MOST_LOOKS):
        if not growing:
            break
        await wait(_LOOK_SECONDS)
        now = _versions(source)
        growing = {
            path
            for path, version in now.items()
            if not _is_old(version) and before.get(path) != version
        }
        before = now
    paths = sorted(before, key=lambda path: (before[path].modified_ns, path.name))
    return Listing(
        tuple(path for path in paths if path not in growing),
        tuple(path for path in paths if path in growing),
    )


def version_of(path: Path) -> Version | None:
    """Return the version of a file; None when it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return Version(status.st_size, status.st_mtime_ns)


def make_folders(source: FileSource) -> None:
    """Make the folders into which files are moved. Raises UsageError."""
    for name in (DONE, ATTENTION):
        try:
            (source.folder / name).mkdir(exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"The folder {source.folder / name} cannot be made on {socket.gethostname()}: "
                f"{error.strerror}. Let the workers write to {source.folder}."
            ) from None


def put_aside(file: Path, due: datetime, why: str) -> str:
    """Move a file that led to no run into `attention`; return a sentence about it."""
    name = f"{file.stem}-{due.astimezone(UTC):%Y%m%d-%H%M%S}{file.suffix}"
    target = file.parent / ATTENTION / name
    try:
        # Before the move: after a kill in between, the file is there for the next attempt.
        _note_of(target).write_text(f"{why}\n", "utf-8")
        _move(file, target)
    except OSError as error:
        return f"{file.name} cannot be moved to {ATTENTION}/: {error.strerror}. {why}"
    return f"{file.name} was moved to {ATTENTION}/: {why}"


def file_run(store: Store, run_id: str) -> None:
    """Move the file and the results of a run that has ended; no effect for any other run.

    A run that a person resumes after that is filed again, at its new end.
    """
    run = store.runs.get(run_id)
    is_of_schedule = run is not None and run.schedule is not None and run.due is not None
    if run is None or not is_of_schedule or run.finished_at is None or not _has_ended(run):
        return
    results = run.results
    if run.info.kind != FIND_KIND and run.state is not RunState.SUPERSEDED:
        try:
            results = _move_all(run)
        except OSError as error:
            _log.warning("The file of run %s is moved later: %s", run_id, error)
            return
    if run.schedule is not None and run.due is not None:
        store.schedules.add_result(run.schedule, run.due, _sentence(run, results))
    store.schedules.set_filed(run, results)


def _has_ended(run: Run) -> bool:
    return run.is_closed or run.state is RunState.STOPPED


def _is_done(run: Run) -> bool:
    return run.state is RunState.FINISHED and run.exit_code == 0


def _move_all(run: Run) -> str | None:
    """Move the file of a run and its results; return the path of the results. Raises OSError."""
    file = Path(run.info.file)
    folder, name = file.parent, f"{file.stem}-{run.run_id}{file.suffix}"
    place = DONE if _is_done(run) else ATTENTION
    other = ATTENTION if place == DONE else DONE
    target = folder / place / name
    # It fails where the folder is not mounted; another worker may have it.
    target.parent.mkdir(exist_ok=True)
    # It is in the other folder if the run was resumed.
    _move(folder / other / target.name, target)
    # Somebody may have put another file of the same name there since it was read.
    with suppress(UnreadableFile):
        if not target.exists() and sha256_of(file) == run.info.sha256:
            _move(file, target)
    results = None if run.results is None else Path(run.results)
    if results is not None and results.parent in (folder / DONE, folder / ATTENTION):
        written, results = results, folder / place / results.name
        _move(written, results)
    note = _note_of(folder / ATTENTION / name)
    if place == ATTENTION:
        note.write_text(f"{_sentence(run, None if results is None else str(results))}\n", "utf-8")
    else:
        note.unlink(missing_ok=True)
    return None if results is None else str(results)


def _note_of(file: Path) -> Path:
    """Return the path of the text that says why a file needs attention."""
    return file.with_name(f"{file.name}.txt")


def _move(source: Path, target: Path) -> None:
    """Rename a file; no effect when it is not there, since another worker was faster."""
    with suppress(FileNotFoundError):
        os.replace(source, target)  # noqa: PTH105  Path.replace is the same


def _sentence(run: Run, results: str | None) -> str:
    figures = run.figures
    if run.info.kind == FIND_KIND:
        ended = f"Run {run.run_id} has found {figures.rows:,} locks."
    else:
        ended = (
            f"Run {run.run_id} of {run.info.file_name} has ended: {figures.settled:,} of "
            f"{figures.rows:,} rows are as the file asks."
        )
    why = "" if run.reason is None or _is_done(run) else run.reason.sentence
    where = "" if results is None else f"The results are in {results}."
    return " ".join(filter(None, (ended, why, where)))


def _versions(source: FileSource) -> dict[Path, Version]:
    try:
        names = [entry.name for entry in os.scandir(source.folder) if entry.is_file()]
    except OSError as error:
        raise UsageError(
            f"The folder {source.folder} cannot be read on {socket.gethostname()}: "
            f"{error.strerror}. Every worker needs it at this path."
        ) from None
    paths = [source.folder / name for name in names if source.takes(name)]
    versions = {path: version_of(path) for path in paths}
    return {path: version for path, version in versions.items() if version is not None}


def _is_old(version: Version) -> bool:
    return time.time() - version.modified_ns / 1e9 > _OLD_SECONDS
