"""What the journal alone costs, in a process of its own: `python -m benchmarks.journal ROWS`.

It takes a run's way through the journal: plan, claim and record in groups, read the lines. It
prints the seconds of CPU of each as JSON. The values are made beforehand.
"""

import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from batchlock.core.results import Outcome, Status
from batchlock.core.rows import Field, LockId, RecordId, Update
from batchlock.store.journal import Journal, RunInfo
from benchmarks.data import TITLES, rows

_CHUNK = 10_000
_GROUP = 500
"""Rows of a commit: what the fastest server answers within a tenth of a second, or so."""


def main(count: int) -> dict[str, float]:
    """Return the seconds of CPU for each part of the way."""
    now = datetime.now(UTC)
    asked = [
        Update(row, module, RecordId(record), LockId(lock), reason)
        for row, (module, record, lock, reason) in enumerate(rows(count), 2)
    ]
    outcomes = [
        Outcome(
            row=update.row,
            status=Status.UPDATED,
            http_status=200,
            code="SUCCESS",
            message="relation updated",
            attempts=1,
            finished_at=now,
            duration=0.3,
        )
        for update in asked
    ]
    cells = list(enumerate(rows(count), 2))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.journal"
        began = time.process_time()
        with Journal.create(path, _about(now)) as journal:
            for start in range(0, count, _CHUNK):
                some = slice(start, start + _CHUNK)
                journal.add(cells[some], updates=asked[some], problems=[])
            journal.check_whole_file(dict(zip(Field, TITLES, strict=True)))
        planned = time.process_time()
        with Journal.open(path) as journal:
            journal.commit_batch([], claim=_GROUP)
            for start in range(0, count, _GROUP):
                journal.commit_batch(outcomes[start : start + _GROUP], claim=_GROUP)
            sent = time.process_time()
            found = sum(1 for _ in journal.result_rows())
            told = time.process_time()
    assert found == count
    return {"plan": planned - began, "send": sent - planned, "report": told - sent}


def _about(now: datetime) -> RunInfo:
    return RunInfo(
        run_id="benchmark",
        kind="run",
        org="benchmark",
        environment="production",
        api_url="",
        file="benchmark.csv",
        sha256="",
        identity="",
        started_at=now,
        version="",
        titles=TITLES,
    )


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
