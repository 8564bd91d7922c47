"""The files of schedules: moved when their runs have ended, or put aside when there is no run.

See `batchlock.inboxes.filing` for the names.
"""

import logging
from datetime import datetime
from pathlib import Path

from batchlock.core.records import FIND_KIND
from batchlock.core.runs import RunState
from batchlock.inboxes import filing
from batchlock.inboxes.listing import ATTENTION
from batchlock.store.store import Store

_log = logging.getLogger(__name__)


def put_aside(file: Path, due: datetime, why: str) -> str:
    """Move a file that led to no run into `attention/`; return a sentence about it."""
    try:
        filing.put_aside(file, due, why)
    except OSError as error:
        return f"{file.name} cannot be moved to {ATTENTION}/: {error.strerror}. {why}"
    return f"{file.name} was moved to {ATTENTION}/: {why}"


def file_run(store: Store, run_id: str) -> None:
    """Move the file and the results of a run that has ended; no effect for any other run.

    A run that a person resumes after that is filed again, at its new end.
    """
    run = store.runs.get(run_id)
    if run is None or run.schedule is None or run.due is None or not filing.has_ended(run):
        return
    results = None if run.results is None else Path(run.results)
    if run.info.kind != FIND_KIND and run.state is not RunState.SUPERSEDED:
        try:
            results = filing.move_run(run).results
        except OSError as error:
            _log.warning("The file of run %s is moved later: %s", run_id, error)
            return
    store.schedules.add_result(run.schedule, run.due, filing.run_sentence(run, results))
    store.schedules.set_filed(run, None if results is None else str(results))
