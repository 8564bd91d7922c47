"""The last run as JSON for a bug report: what became of it, without what its rows say."""

import itertools
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from batchlock.core.errors import BatchlockError
from batchlock.core.results import Result, ResultRow
from batchlock.core.rows import MODULES, Update
from batchlock.core.runs import Run
from batchlock.doctor.redaction import Redactor
from batchlock.report.summaries import causes_of
from batchlock.store.journal import Journal
from batchlock.store.read_only import StoreView

# Enough to see a pattern; rows that were not done come first.
_MOST_ROWS = 200
_DONE = (Result.UPDATED, Result.LOCKED, Result.UNLOCKED, Result.UNCHANGED, Result.DUPLICATE)
# A copy of this size takes some seconds.
_MOST_COPIED_BYTES = 512 * 2**20
# Texts of so many rows are looked for in the log.
_ROWS_OF_TEXTS = 300


def last_run_json(view: StoreView, redactor: Redactor) -> dict[str, object] | None:
    """Return the newest run of all orgs; None when there is none."""
    run = _newest(view)
    if run is None:
        return None
    values = _record(run, redactor)
    try:
        with view.journal(run, max_bytes=_MOST_COPIED_BYTES) as journal, journal.snapshot():
            values["causes"] = [
                {
                    "result": cause.result.value,
                    "code": cause.code,
                    "message": redactor.text(cause.message),
                    "what_to_do": redactor.text(cause.remedy),
                    "rows": cause.rows,
                    "ranges": cause.ranges,
                }
                for cause in causes_of(journal, exclude=_DONE)
            ]
            values["rows"] = _rows(journal, redactor)
    except BatchlockError as error:
        values["journal"] = redactor.text(str(error))
    return values


def private_texts_of(view: StoreView) -> list[str]:
    """Return what the store knows to be private: names, files, and cells of the last run."""
    store = view.store
    texts = [*store.people.names(), *(org.name for org in store.orgs.all())]
    for org in store.orgs.all():
        if org.facts is not None:
            texts += [org.facts.company_name, *org.facts.ids]
    runs = store.runs.all()
    for run in runs:
        path = Path(run.info.file)
        texts += [str(path), path.name, path.stem, run.info.org, run.note, run.requested_by]
        texts += [run.file_name, run.info.sheet or "", run.results or "", run.run_id]
    newest = _newest(view)
    if newest is not None:
        texts += newest.info.titles
        # What is missing or damaged has no texts either.
        with (
            suppress(BatchlockError),
            view.journal(newest, max_bytes=_MOST_COPIED_BYTES) as journal,
        ):
            for row in itertools.islice(journal.result_rows(), _ROWS_OF_TEXTS):
                texts += [str(cell) for cell in row.cells if isinstance(cell, str)]
                texts += [row.reason, row.previous_reason or ""]
    return [text for text in texts if text]


def _newest(view: StoreView) -> Run | None:
    return max(view.store.runs.all(), key=lambda run: run.run_id, default=None)


def _record(run: Run, redactor: Redactor) -> dict[str, object]:
    info, reason, snapshot = run.info, run.reason, run.snapshot
    return {
        "run": redactor.hashed(run.run_id),
        "org": redactor.hashed(info.org),
        "file": redactor.hashed(info.file),
        "suffix": Path(info.file).suffix.lower()[:6],
        "kind": info.kind,
        "action": info.action,
        "environment": info.environment,
        "version": info.version,
        "encoding": info.encoding,
        "delimiter": info.delimiter,
        "strict": info.strict,
        "is_retry": info.retry_of is not None,
        "is_undo": info.undo_of is not None,
        "state": run.state.value,
        "reason": None
        if reason is None
        else {"code": reason.code.value, "sentence": redactor.text(reason.sentence)},
        "exit_code": run.exit_code,
        "started_at": _time(info.started_at),
        "finished_at": _time(run.finished_at),
        "heartbeat_at": _time(run.heartbeat_at),
        "starts": run.starts,
        "counts": {result.value: run.figures.counts.get(result, 0) for result in Result},
        "remaining": run.figures.remaining,
        "totals": asdict(run.figures.totals),
        "limiter": None
        if snapshot is None
        else {**snapshot._asdict(), "reason": redactor.text(snapshot.reason)},
        "message": redactor.text(run.message),
    }


def _rows(journal: Journal, redactor: Redactor) -> list[dict[str, object]]:
    """Return some rows: those that were not done first, then those that were."""
    not_done = itertools.islice(_rows_with(journal, is_done=False), _MOST_ROWS)
    rows = list(not_done)
    rows += itertools.islice(_rows_with(journal, is_done=True), _MOST_ROWS - len(rows))
    updates = journal.updates([row.row for row in rows])
    return [_row(row, updates.get(row.row), redactor) for row in rows]


def _rows_with(journal: Journal, *, is_done: bool) -> Iterator[ResultRow]:
    return (row for row in journal.result_rows() if (row.result in _DONE) is is_done)


def _row(row: ResultRow, update: Update | None, redactor: Redactor) -> dict[str, object]:
    values: dict[str, Any] = {
        "row": row.row,
        "result": row.result.value,
        "http_status": row.http_status,
        "code": row.code,
        "message": redactor.text(row.message),
        "attempts": row.attempts,
        "finished_at": _time(row.finished_at),
        "seconds": row.duration,
    }
    if update is not None:
        is_known = update.module in MODULES
        values |= {
            "module": update.module if is_known else redactor.hashed(update.module),
            "record": redactor.hashed(update.record_id),
            "lock": None if update.lock_id is None else redactor.hashed(update.lock_id),
            "reason_length": len(update.reason or ""),
        }
    return values


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")
