"""The earlier runs of the same content: what they have done, so that a new run leaves it alone."""

import logging
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from batchlock.core.errors import BatchlockError
from batchlock.core.reading import ResultSample
from batchlock.core.runs import Run, RunInfo, RunState
from batchlock.store.journal import Journal, KnownReason, Record, send_done_rows

if TYPE_CHECKING:
    from batchlock.store.store import Store

_log = logging.getLogger(__name__)

# Record ids have no index in a journal, so each row of it is read: 0.1 s for these.
_SEARCHED_ROWS = 500_000
# A journal in a file is opened in a few milliseconds, and a page must not wait for a hundred.
_SEARCHED_RUNS = 20
# Only files that are given back are looked for, and ten rows of each journal are read.
_SEARCHED_FOR_RESULTS = 200


def has_state(state: Path) -> bool:
    """Return whether anything was ever kept in a state folder."""
    return (state / "store.sqlite").exists() or (state / "runs").exists()


def last_finished(runs: Sequence[Run], info: RunInfo) -> datetime | None:
    """Return when the newest finished run of the same thing was finished; None when none was.

    `runs` have the same content. A lock and an unlock of it are two things, and so is a file of
    which other cells were corrected. With another reason for all rows, or
    with hidden rows left out, a run has another identity. What it did counts all the same: it says
    what the locks of these rows hold now.
    """
    finished = (run for run in runs if run.state is RunState.FINISHED and run.info.undo_of is None)
    thing = (info.action, info.corrections)
    same = (run for run in finished if (run.info.action, run.info.corrections) == thing)
    return next((run.finished_at for run in same), None)


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


def last_known_reasons(
    store: "Store", info: RunInfo, records: Collection[Record]
) -> dict[Record, KnownReason]:
    """Return what the locks of some records said when the store last learnt it.

    The newest runs of the org of `info` are read, up to a number of rows. Zoho is not asked, so a
    reason may have changed since. A record that no such run is about is left out.
    """
    known: dict[Record, KnownReason] = {}
    rows = 0
    runs = [run for run in store.runs.of_orgs([info.org]) if _is_same_org(run.info, info)]
    for run in runs[:_SEARCHED_RUNS] if records else ():
        rows += run.figures.rows
        if rows > _SEARCHED_ROWS:
            break
        try:
            with store.journals.open(run.info) as journal:
                found = journal.known_reasons(records)
        except BatchlockError as error:
            _log.warning("%s What it knows of the locks is not shown.", error)
            continue
        for record, reason in found.items():
            if record not in known or known[record].at < reason.at:
                known[record] = reason
    return known


def run_of_results(
    store: "Store", runs: Sequence[Run], samples: Sequence[ResultSample]
) -> Run | None:
    """Return the run whose results a file has, by some of its rows; None: not found.

    Of many `runs`, the first ones are looked at.
    """
    for run in runs[:_SEARCHED_FOR_RESULTS]:
        try:
            with store.journals.open(run.info) as journal:
                if journal.has_results(samples):
                    return run
        except BatchlockError as error:
            _log.warning("%s Whether a file has its results is not known.", error)
    return None


def _is_same_org(one: RunInfo, other: RunInfo) -> bool:
    return (one.environment, one.api_url) == (other.environment, other.api_url)
