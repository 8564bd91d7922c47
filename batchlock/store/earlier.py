"""The earlier runs of the same content: what they have done, so that a new run leaves it alone.

Two runs are of the same content when they read the same sheet of the same bytes for the same org,
however they read it. They are the same thing, which is resumed, when they have the same identity
too.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from batchlock.core.errors import AlreadyRunning, BatchlockError
from batchlock.store.history import History, StoredRun, close_if_unfinished
from batchlock.store.journal import Journal, RunInfo, leave_done_rows, send_done_rows
from batchlock.store.org_lock import current_holder, org_lock


@dataclass(frozen=True, slots=True)
class EarlierRuns:
    """The other runs of the same content, and their retries."""

    paths: tuple[Path, ...] = ()
    """Their journals, newest first."""
    finished_at: datetime | None = None
    """When the newest of them was finished, UTC; None when none was."""


def earlier_runs(runs: Iterable[StoredRun], info: RunInfo) -> EarlierRuns:
    """Return the runs of the same content as `info`; `runs` is the history, newest first.

    With another reason for all rows, or with hidden rows left out, a run has another identity. What
    it did counts all the same: it says what the locks of these rows hold now.
    """
    others = _same_content(runs, info)
    finished = (run.end.finished_at for run in others if run.end and _is_finished(run))
    return EarlierRuns(tuple(run.path for run in others), next(finished, None))


def compare_with_earlier_runs(
    journal: Journal, runs: Iterable[StoredRun], *, fresh: bool = False
) -> None:
    """Leave the rows alone that an earlier run has done; a fresh run sends all rows."""
    if fresh:
        send_done_rows(journal)
    else:
        leave_done_rows(journal, earlier_runs(runs, journal.info).paths)


def leave_rows_done_before(plan: Journal, history: History) -> None:
    """Mark the rows of a plan that would be left alone, as a run does before it sends.

    A check needs no state folder, so one that cannot be read hides no problem of the file.
    """
    with suppress(BatchlockError):
        compare_with_earlier_runs(plan, history.all())


def unfinished_runs(runs: Iterable[StoredRun], info: RunInfo) -> list[StoredRun]:
    """Return the other runs of the same content that are not closed, newest first."""
    return [run for run in _same_content(runs, info) if not run.closed]


def supersede(runs: Iterable[StoredRun], info: RunInfo) -> None:
    """Close the older runs of the same content when `info` begins anew.

    A resumed older run would otherwise overwrite in Zoho what the new run has written: with the
    wrong encoding, or with another reason for all rows.
    """
    for run in unfinished_runs(runs, info):
        with Journal.open(run.path) as journal:
            close_if_unfinished(journal, f"A new run of the file was started: {info.run_id}.")


@contextmanager
def none_at_work(state: Path, runs: Sequence[StoredRun]) -> Iterator[None]:
    """Let none of these runs of one org be sent during the block, in which they are closed.

    Raises AlreadyRunning when one of them is being sent.
    """
    with ExitStack() as stack:
        if runs:
            org = runs[0].info.org
            try:
                stack.enter_context(org_lock(state, org))
            except AlreadyRunning:
                # While another run of the org is at work, none of these can begin.
                holder = current_holder(state, org)
                if holder is not None and holder.run_id in {run.info.run_id for run in runs}:
                    raise AlreadyRunning(
                        f"Run {holder.run_id} of the same file is being sent. Wait for its end, or "
                        "stop it first."
                    ) from None
        yield


def _same_content(runs: Iterable[StoredRun], info: RunInfo) -> list[StoredRun]:
    content = _content(info)
    return [run for run in runs if _content(run.info) == content and run.info.run_id != info.run_id]


def _content(info: RunInfo) -> tuple[str | None, ...]:
    return info.environment, info.api_url, info.sha256, info.sheet


def _is_finished(run: StoredRun) -> bool:
    """Return whether a run came to its end, and was not closed with rows left, as a refused one."""
    if not run.closed or run.end is None:
        return False
    if not run.end.ended_by:
        return True
    # A signal that arrives after the last row leaves a reason too.
    with Journal.open(run.path) as journal:
        return not journal.remaining()
