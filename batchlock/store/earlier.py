"""The earlier runs of the same content: what they have done, so that a new run leaves it alone."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from batchlock.core.runs import Run, RunState
from batchlock.store.journal import Journal, send_done_rows

if TYPE_CHECKING:
    from batchlock.store.store import Store


def has_state(state: Path) -> bool:
    """Return whether anything was ever kept in a state folder."""
    return (state / "store.sqlite").exists() or (state / "runs").exists()


def last_finished(runs: Sequence[Run], action: str) -> datetime | None:
    """Return when the newest finished run with an action was finished; None when none was.

    `action` is a value of `RunInfo.action`: a lock and an unlock of the same file are two things.
    With another reason for all rows, or with hidden rows left out, a run has another identity. What
    it did counts all the same: it says what the locks of these rows hold now.
    """
    finished = (run for run in runs if run.state is RunState.FINISHED and run.info.undo_of is None)
    return next((run.finished_at for run in finished if run.info.action == action), None)


def needs_comparison(journal: Journal) -> bool:
    """Return whether a run has not considered the earlier runs of its content yet.

    It does so when it is sent first, so a run that was killed after its plan, or one of the page,
    has not.
    """
    is_new = not journal.totals.requests
    return is_new and journal.info.kind == "run" and not journal.is_compared


def compare_with_earlier_runs(journal: Journal, store: "Store", *, fresh: bool = False) -> None:
    """Leave the rows alone that an earlier run has done; a fresh run sends all rows."""
    if fresh:
        send_done_rows(journal)
    else:
        earlier = store.runs.same_content(journal.info)
        store.journals.leave_done_rows(journal, [run.info for run in earlier])
