"""The removal of old runs that no other run needs.

A run can be removed when it is closed and its last session ended before a moment. It stays all the
same while a run that stays needs it:

- a retry, an undo or a file of results names it (`retry_of`, `undo_of`, `results_of`);
- an unfinished or a future run of the same content leaves the rows alone that it has done. A
  finished run knows that of each row itself, so runs before a finished run of the same identity are
  not needed. An undo knows only of the rows that it has put back.

So whatever can be resumed, retried or undone stays as it is. What is lost with the last run of a
file is that the file was ever sent: it would be sent as a new one.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from batchlock.core.errors import BatchlockError
from batchlock.core.records import FIND_KIND
from batchlock.core.runs import Run, RunInfo, RunState

if TYPE_CHECKING:
    from batchlock.store.store import Store


class OldRuns(NamedTuple):
    """The closed runs of an org that ended before a moment, newest first each."""

    removable: list[Run]
    needed: list[Run]
    """Those that a run needs which is newer or not closed."""


def old_runs(runs: Sequence[Run], before: datetime) -> OldRuns:
    """Return the old ones of all `runs` of an org."""
    candidates = {run.run_id: run for run in runs if _is_old(run, before)}
    kept = [run for run in runs if run.run_id not in candidates]
    needed: list[Run] = []
    by_id = {run.run_id: run for run in runs}
    by_content: dict[tuple[object, ...], list[_Related]] = {}
    for run in runs:
        related = _Related(run.run_id, _original_identity(run, by_id), _decides_every_row(run))
        by_content.setdefault(_content(run.info), []).append(related)
    while kept:
        run = kept.pop()
        for run_id in (
            run.info.retry_of,
            run.info.undo_of,
            run.info.results_of,
            # What the next run of the content will look for, and what this one may still.
            *_before(None, by_content[_content(run.info)]),
            *(() if run.is_closed else _before(run.run_id, by_content[_content(run.info)])),
        ):
            if run_id is not None and (older := candidates.pop(run_id, None)) is not None:
                needed.append(older)
                kept.append(older)
    return OldRuns(list(candidates.values()), sorted(needed, key=lambda one: one.run_id)[::-1])


def remove(store: "Store", runs: Sequence[Run]) -> Iterator[Run]:
    """Remove runs with their journals; yield each that was removed. Results files stay.

    The caller holds the lock of the org. One that cannot be removed stays.
    """
    for run in runs:
        with suppress(OSError, BatchlockError):
            store.journals.remove(run.info)
            store.runs.remove(run.run_id)
            yield run


def _is_old(run: Run, before: datetime) -> bool:
    return run.is_closed and run.finished_at is not None and run.finished_at < before


def _content(info: RunInfo) -> tuple[object, ...]:
    """Return what is equal for runs of the same content; see `RunQueries.same_content`."""
    # A search has the locks of its own day, so no other search needs it.
    own = info.run_id if info.kind == FIND_KIND else None
    return (info.sha256, info.environment, info.api_url, info.sheet, own)


class _Related(NamedTuple):
    """A run among those of the same content."""

    run_id: str
    identity: str
    decides_every_row: bool


def _before(run_id: str | None, same_content: Sequence[_Related]) -> Iterator[str]:
    """Yield the ids of the runs that say which rows of a run were done before it.

    None: a run that begins later than all. `same_content` has the runs of the content, newest
    first.
    """
    decided_identities: set[str] = set()
    for one in same_content:
        if run_id is not None and one.run_id >= run_id:
            continue
        if one.identity not in decided_identities:
            yield one.run_id
        if one.decides_every_row:
            decided_identities.add(one.identity)


def _decides_every_row(run: Run) -> bool:
    return run.state is RunState.FINISHED and run.info.kind == "run"


def _original_identity(run: Run, by_id: Mapping[str, Run]) -> str:
    """Return the identity of the run whose rows a retry or an undo has; else its own."""
    info = run.info
    seen = {run.run_id}
    while (older := by_id.get(info.retry_of or info.undo_of or "")) and older.run_id not in seen:
        seen.add(older.run_id)
        info = older.info
    return info.identity
