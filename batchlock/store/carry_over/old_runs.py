"""Make the records of the runs of 0.1.0 from their journals.

<state>/runs/<org>/<run id>.journal
"""

import logging
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from batchlock.core.errors import BatchlockError, Stopped
from batchlock.core.results import Result
from batchlock.core.runs import Run, RunFigures, RunInfo, RunState
from batchlock.core.stop import COMPLETED, TIME_IS_OVER, StopCode, StopReason
from batchlock.store.carry_over.web_database import RequestedRun
from batchlock.store.journal import Journal
from batchlock.store.journal.old_end import SessionEnd, read_end

# The sentence of a run that `strict` refused, in every version that wrote an end.
_REFUSAL = "Nothing was sent, because "
_STOPPED_ON_PAGE = "Stopped by "
_CODES = {2: StopCode.SETUP, 5: StopCode.SIGN_IN, 6: StopCode.RULE}
_FIRST_SIGNAL = 128
# Exit codes after which 0.1.0 started a run of the page again by itself: another run was at work,
# or SIGHUP, SIGINT or SIGTERM ended the worker.
_RESTARTED_AFTER = (7, 129, 130, 143)
_SENT = (Result.UPDATED, Result.REJECTED, Result.FAILED, Result.UNKNOWN)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OldRun:
    """What a journal says about its run."""

    info: RunInfo
    end: SessionEnd | None
    """How the last session ended; None while a session runs or after it was killed."""
    figures: RunFigures
    last_outcome_at: datetime | None

    @property
    def is_closed(self) -> bool:
        """Whether 0.1.0 would not resume it."""
        return self.end is not None and self.end.closed

    @property
    def was_sent(self) -> bool:
        """Whether a session sent anything, or was about to."""
        counts = self.figures.counts
        return bool(self.figures.totals.requests or sum(counts[one] for one in _SENT))

    @property
    def is_refused(self) -> bool:
        """Whether nothing was sent, because `strict` refused its file."""
        return (
            self.end is not None
            and self.end.closed
            and self.end.ended_by.startswith(_REFUSAL)
            and not self.was_sent
        )


def read_runs(folder: Path, queue: Mapping[str, RequestedRun]) -> list[Run]:
    """Return a record for each journal that can be read, and log the others.

    `queue` are the runs that were requested on the page.
    """
    old_runs: dict[str, _OldRun] = {}
    for run in _read_all(folder):
        if run.info.run_id in old_runs:
            _log.warning("There are two runs with the id %s. One is left out.", run.info.run_id)
        old_runs.setdefault(run.info.run_id, run)
    superseded = _superseded(list(old_runs.values()))
    parents: dict[str, str] = {}
    records = []
    for run_id, run in sorted(old_runs.items()):  # a retry comes after its run
        retry_of = run.info.retry_of or run.info.undo_of
        parents[run_id] = parents.get(retry_of, retry_of) if retry_of else run_id
        records.append(_record(run, parents[run_id], superseded.get(run_id, ""), queue.get(run_id)))
    return records


def _read_all(folder: Path) -> Iterator[_OldRun]:
    for path in sorted(folder.glob("*/*.journal")):
        try:
            yield _read(path)
        except Stopped:  # the disk is full
            raise
        except BatchlockError as error:
            if _is_temporary(error):
                raise
            _log.warning("%s Its run cannot be resumed.", error)


def _is_temporary(error: BatchlockError) -> bool:
    """Return whether a journal may be readable later: it is locked, or its owner is another."""
    cause = error.__cause__
    return isinstance(cause, sqlite3.OperationalError) and "no such table" not in str(cause)


def _read(path: Path) -> _OldRun:
    with Journal.open(path) as journal, journal.snapshot():
        return _OldRun(
            # A journal is found by its path, also when a person has renamed it.
            info=replace(journal.info, run_id=path.stem, org=path.parent.name),
            end=read_end(journal.database),
            figures=RunFigures(
                counts=journal.counts(), settled=journal.settled(), totals=journal.totals
            ),
            last_outcome_at=_last_outcome_at(journal),
        )


def _last_outcome_at(journal: Journal) -> datetime | None:
    with journal.database.reading() as sql:
        (seconds,) = sql.execute("SELECT max(finished_at) FROM progress").fetchone()
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _superseded(old_runs: list[_OldRun]) -> dict[str, str]:
    """Return why runs must not be resumed, as sentences by their ids.

    A retry took their rows over, or a newer run has the same identity or the same content. 0.1.0
    would resume a run although a newer one of the same content had another identity: that would
    overwrite in Zoho what the newer run has written.
    """
    reasons: dict[str, str] = {}
    retried: dict[tuple[str, str], str] = {}
    newer: dict[tuple[str | None, ...], str] = {}
    for run in sorted(old_runs, key=lambda run: run.info.run_id, reverse=True):
        info = run.info
        identity = (info.org, info.identity)
        content = (info.org, info.environment, info.api_url, info.sha256, info.sheet)
        if retry := retried.get((info.org, info.run_id)):
            reasons[info.run_id] = f"The remaining rows were moved to run {retry}."
        elif run_id := newer.get(identity) or newer.get(content):
            reasons[info.run_id] = f"A new run of the file was started: {run_id}."
        if info.retry_of:
            retried.setdefault((info.org, info.retry_of), info.run_id)
        newer.setdefault(identity, info.run_id)
        if not run.is_refused:  # it has not written anything
            newer.setdefault(content, info.run_id)
    return reasons


def _record(run: _OldRun, parent: str, superseded: str, requested: RequestedRun | None) -> Run:
    state, reason = _state(run, superseded, requested)
    end = run.end
    record = Run(
        info=run.info,
        parent=parent,
        state=state,
        reason=reason,
        exit_code=None if end is None else end.exit_code,
        finished_at=_finished_at(run, state),
        results=None if end is None else end.output,
        figures=run.figures,
        file_name=run.info.file_name,
    )
    if requested is None:
        return record
    return replace(
        record,
        requested_by=requested.user,
        file_name=requested.file_name,
        upload=requested.upload,
        queued_at=requested.requested_at,
        starts=requested.starts,
    )


def _finished_at(run: _OldRun, state: RunState) -> datetime | None:
    if run.end is not None:
        return run.end.finished_at
    if state in (RunState.FINISHED, RunState.SUPERSEDED):  # or it would be kept for ever
        return run.last_outcome_at or run.info.started_at
    return None


def _state(
    run: _OldRun, superseded: str, requested: RequestedRun | None
) -> tuple[RunState, StopReason | None]:
    end, sentence = run.end, "" if run.end is None else run.end.ended_by
    if not run.figures.remaining:
        return RunState.FINISHED, _reason(end) if sentence else COMPLETED
    if run.is_refused:
        return RunState.REFUSED, StopReason(code=StopCode.STRICT, sentence=sentence)
    if run.is_closed:
        return RunState.SUPERSEDED, StopReason(code=StopCode.SUPERSEDED, sentence=sentence)
    if superseded:
        return RunState.SUPERSEDED, StopReason(code=StopCode.SUPERSEDED, sentence=superseded)
    return _open_state(run, requested)


def _open_state(run: _OldRun, requested: RequestedRun | None) -> tuple[RunState, StopReason | None]:
    """Return the state of a run that can be resumed, and why it is not running."""
    end, request, sentence = run.end, "", ""
    if requested is not None:
        request, sentence = requested.state, requested.reason
    if request == "paused":
        return RunState.PAUSED, StopReason(code=StopCode.PAUSED, sentence=sentence)
    # Its worker was killed, or its server, before it recorded how the worker ended.
    is_restarted = request == "working" and (end is None or end.exit_code in _RESTARTED_AFTER)
    if request == "waiting" or is_restarted:
        return RunState.QUEUED, None
    if end is None and not run.was_sent and not sentence:
        return RunState.PLANNED, None
    reason = _reason(end)
    if sentence.startswith(_STOPPED_ON_PAGE):
        reason = replace(reason, code=StopCode.STOPPED)
    return RunState.STOPPED, replace(reason, sentence=sentence or reason.sentence)


def _reason(end: SessionEnd | None) -> StopReason:
    """Return why the last session ended before the last row."""
    if end is None:
        return StopReason(
            code=StopCode.KILLED, sentence="Its process ended unexpectedly; it can be resumed."
        )
    if end.ended_by == TIME_IS_OVER.sentence:
        code = StopCode.DEADLINE
    elif end.exit_code > _FIRST_SIGNAL:
        code = StopCode.SIGNAL
    else:
        code = _CODES.get(end.exit_code, StopCode.ERROR)
    return StopReason(code=code, sentence=end.ended_by, exit_code=end.exit_code)
