"""Make run-0.1.0.journal and retry-0.1.0.journal with the code of 0.1.0 (commit 681052b)."""

import os
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from batchlock.journal import About, End, Journal, Totals
from batchlock.model import Field, LockId, Outcome, Problem, RecordId, Status, Unread, Update

folder = Path(sys.argv[1])
about = About(
    run_id="20260314-020304-1f3a",
    kind="run",
    org="acme",
    environment="production",
    api_url="https://www.zohoapis.com",
    file=os.fsdecode(b"/data/caf\xe9.csv"),
    sha256="ab" * 32,
    identity="cd" * 32,
    started_at=datetime(2026, 3, 14, 2, 3, 4, 567, tzinfo=UTC),
    version="0.1.0",
    output="/data/results.csv",
    sheet="Locks",
    encoding="cp1252",
    delimiter=";",
    titles=("Module", "Record Id", "Lock Id", "Reason", "Extra"),
    settings={"org": "acme", "in flight": "auto"},
    strict=True,
)
record = "58431040000004255{:02}".format
updates = [
    Update(row, "Leads", RecordId(record(row)), LockId(f"58431040000009111{row:02}"), "audit")
    for row in range(2, 8)
]
updates.append(replace(updates[0], row=9))
updates.append(Update(10, "Deals", RecordId(record(10)), None, "\U0001f512 \n=1"))
cells = [(row, ("Leads", record(row), "x", "audit", None)) for row in range(2, 8)]
cells += [
    (8, (True, 2**70, Unread("#N/A"), timedelta(hours=30), "\ud800")),
    (9, (1.5, date(2026, 1, 2), datetime(2026, 1, 2, 3, 4, 5), datetime(2026, 1, 2).time(), "")),
    (10, ("Deals", 7, None, "a", "b")),
]
path = folder / "run-0.1.0.journal"
with Journal.create(path, about) as journal:
    journal.add(
        cells, updates=updates, problems=[Problem(8, "Reason", "bad_value", "odd")], finished=[3]
    )
    journal.compare({field: field.value for field in Field})
with Journal.open(path) as journal:
    journal.turn_over([], claim=4)
    journal.turn_over(
        [
            Outcome(
                row=2,
                status=Status.UPDATED,
                http_status=200,
                code="SUCCESS",
                attempts=1,
                finished_at=datetime(2026, 3, 14, 2, 4, 0, 123456, tzinfo=UTC),
                duration=0.25,
            ),
            Outcome(
                row=4,
                status=Status.REJECTED,
                http_status=400,
                code="INVALID_DATA",
                message="no lock",
                remedy="Look.",
                attempts=2,
            ),
            Outcome(row=5, status=Status.FAILED, message="no answer", attempts=6),
        ],
        spent=Totals(requests=9, credits_used=8, in_flight_peak=4, seconds=1.5),
    )
    journal.set_end(
        End(
            exit_code=6,
            ended_by="Stopped: the time for this run is over.",
            finished_at=datetime(2026, 3, 14, 3, tzinfo=UTC),
            output="/data/results.csv",
            closed=False,
        )
    )
    journal.start_retry(
        folder / "retry-0.1.0.journal",
        replace(
            about,
            run_id="20260315-000000-0000",
            kind="retry",
            retry_of=about.run_id,
            but_refused=True,
        ),
        refused=False,
    )
