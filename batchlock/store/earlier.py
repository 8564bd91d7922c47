"""The earlier runs of the same thing: what they have done, so that a new run leaves it alone.

Two runs are the same thing when they have the same identity; a retry belongs to the run whose rows
it sends again.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from batchlock.core.errors import BatchlockError
from batchlock.store.history import History, StoredRun, close_if_unfinished
from batchlock.store.journal import Journal, RunInfo, leave_done_rows


@dataclass(frozen=True, slots=True)
class EarlierRuns:
    """The other runs of the same thing, and their retries."""

    paths: tuple[Path, ...] = ()
    """Their journals, newest first."""
    finished_at: datetime | None = None
    """When the newest of them was finished, UTC; None when none was."""


def earlier_runs(runs: Iterable[StoredRun], info: RunInfo) -> EarlierRuns:
    """Return the runs that are the same thing as `info`; `runs` is the history, newest first."""
    others = _same_thing(runs, info)
    finished = (run.end.finished_at for run in others if run.end and _is_finished(run))
    return EarlierRuns(tuple(run.path for run in others), next(finished, None))


def leave_rows_done_before(plan: Journal, history: History) -> None:
    """Mark the rows of a plan that would be left alone, as a run does before it sends.

    A check needs no state folder, so one that cannot be read hides no problem of the file.
    """
    with suppress(BatchlockError):
        leave_done_rows(plan, earlier_runs(history.all(), plan.info).paths)


def supersede(runs: Iterable[StoredRun], info: RunInfo) -> None:
    """Close the older runs of the same thing, and their retries, when `info` begins anew.

    A resumed older run would otherwise overwrite in Zoho what the new run has written.
    """
    for run in _same_thing(runs, info):
        if not run.closed:
            with Journal.open(run.path) as journal:
                close_if_unfinished(journal, f"A new run of the file was started: {info.run_id}.")


def _same_thing(runs: Iterable[StoredRun], info: RunInfo) -> list[StoredRun]:
    """Return the other runs of the same identity, and the retries of all of them, newest first."""
    ids = {info.run_id}
    others = []
    for run in reversed(list(runs)):  # oldest first, since a retry follows its run
        if run.info.identity == info.identity or run.info.retry_of in ids:
            ids.add(run.info.run_id)
            others.append(run)
    return [run for run in reversed(others) if run.info.run_id != info.run_id]


def _is_finished(run: StoredRun) -> bool:
    """Return whether a run came to its end, and was not closed with rows left, as a refused one."""
    if not run.closed or run.end is None:
        return False
    if not run.end.ended_by:
        return True
    # A signal that arrives after the last row leaves a reason too.
    with Journal.open(run.path) as journal:
        return not journal.remaining()
