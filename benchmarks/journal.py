"""Measure the journal alone: `python -m benchmarks.journal ROWS`.

It does what a run does with the journal: store the plan, claim and record rows in groups, read the
lines. It prints the CPU seconds of each as JSON. The values are built before the measurement.
"""

import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from batchlock.core.results import Outcome, Status
from batchlock.core.rows import Field, LockId, RecordId, Update
from batchlock.core.runs import RunInfo
from batchlock.store.journal import Journal
from benchmarks.data import TITLES, rows

# In the order of TITLES.
_FIELDS = (Field.MODULE, Field.RECORD_ID, Field.LOCK_ID, Field.REASON)

_CHUNK = 10_000
# Rows of a commit: about what the fastest server answers in a tenth of a second.
_GROUP = 500


def main(count: int) -> dict[str, float]:
    """Return the CPU seconds of each phase."""
    now = datetime.now(UTC)
    updates = [
        Update(row, module, RecordId(record), LockId(lock), reason)
        # From 2, because row 1 of a spreadsheet has the titles.
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
        for update in updates
    ]
    cells = list(enumerate(rows(count), 2))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.journal"
        # CPU time and not wall time, which depends on how fast the disk flushes a commit.
        started = time.process_time()
        with Journal.create(path, _run_info(now)) as journal:
            for first in range(0, count, _CHUNK):
                some = slice(first, first + _CHUNK)
                journal.add(cells[some], updates=updates[some], problems=[])
            journal.check_whole_file(dict(zip(_FIELDS, TITLES, strict=True)))
        planned = time.process_time()
        with Journal.open(path) as journal:
            journal.commit_batch([], claim=_GROUP)
            for start in range(0, count, _GROUP):
                journal.commit_batch(outcomes[start : start + _GROUP], claim=_GROUP)
            sent = time.process_time()
            lines = sum(1 for _ in journal.result_rows())
            reported = time.process_time()
    assert lines == count
    return {"plan": planned - started, "send": sent - planned, "report": reported - sent}


def _run_info(now: datetime) -> RunInfo:
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
