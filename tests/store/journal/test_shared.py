"""One commit for many runs."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.journals import LOCK, Home, make_outcome, result_by_row, rows_of, simple_update
from support.run_info import run_info, run_record

from batchlock.core.results import Result, Status
from batchlock.core.rows import LockId, PreviousLock, Update
from batchlock.core.runs import RunInfo, Totals
from batchlock.store.journal.shared import Batch, claimed_since, commit_batches
from batchlock.store.store import Store

Connection = psycopg.Connection[Any]
ONE = run_info(run_id="20260314-020304-0001", org="one")
TWO = run_info(run_id="20260314-020304-0002", org="two")
AT = datetime(2026, 3, 14, 2, 3, 4, tzinfo=UTC)
COSTS = Totals(requests=2, credits_used=2, in_flight_peak=1, seconds=0.5)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """Return the connection of a worker."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> Iterator[Store]:
    """Open a store with a run of five rows for each of two orgs."""
    with Store(tmp_path / "state", database_url) as store:
        home = Home(store.journals, tmp_path)
        for info in (ONE, TWO):
            home.plan([simple_update(row) for row in range(2, 7)], info)
            store.runs.add(run_record(info))
        yield store


def batch_of(store: Store, info: RunInfo, **fields: Any) -> Batch:
    """Take the lease of the org of a run, and return a batch without anything to record."""
    holder = f"worker/{info.run_id}"
    lease = store.leases.take(info.org, holder, seconds=60)
    assert lease is not None
    fields = {"totals": Totals()} | fields
    return Batch(run_id=info.run_id, lease=lease, **fields)


def claimed_rows(claimed: list[Update] | None) -> list[int]:
    assert claimed is not None
    return rows_of(claimed)


def test_a_commit_records_and_claims_for_many_runs(store: Store, connection: Connection) -> None:
    one, two = batch_of(store, ONE, claim=3), batch_of(store, TWO, claim=9)
    first = commit_batches(connection, [two, one])
    assert list(map(claimed_rows, first)) == [[2, 3, 4, 5, 6], [2, 3, 4]]
    assert first[1] == [simple_update(row) for row in (2, 3, 4)]
    outcomes = [
        make_outcome(2, finished_at=AT, duration=0.25, previous_reason="old", lock_id=LOCK),
        make_outcome(3, Status.REJECTED, code="X", message="a\0b", http_status=400),
    ]
    one = replace(one, outcomes=outcomes, released=[4], after_row=4, claim=1, totals=COSTS)
    two = replace(two, after_row=6, previous_locks=[PreviousLock(5, LockId(LOCK), "before")])
    second = commit_batches(connection, [one, two])
    assert list(map(claimed_rows, second)) == [[5], []]
    with store.journals.open(ONE) as journal:
        assert journal.totals == COSTS
        assert list(result_by_row(journal).values()) == [
            Result.UPDATED,
            Result.REJECTED,
            Result.NOT_SENT,
            Result.UNKNOWN,
            Result.NOT_SENT,
        ]
        done, refused, *_ = journal.result_rows()
        assert (done.finished_at, done.duration, done.previous_reason) == (AT, 0.25, "old")
        assert (refused.code, refused.message, refused.attempts) == ("X", "a\ufffdb", 1)
    with store.journals.open(TWO) as journal:
        assert journal.previous_locks_in_doubt() == [PreviousLock(5, LockId(LOCK), "before")]


def test_a_commit_that_is_repeated_counts_once(store: Store, connection: Connection) -> None:
    batch = batch_of(store, ONE, claim=2)
    commit_batches(connection, [batch])
    outcomes = [make_outcome(2, finished_at=AT), make_outcome(3, Status.FAILED)]
    batch = replace(batch, outcomes=outcomes, after_row=3, totals=COSTS, claim=1)
    lost, repeated = commit_batches(connection, [batch]), commit_batches(connection, [batch])
    assert (claimed_rows(lost[0]), claimed_rows(repeated[0])) == ([4], [5])
    with store.journals.open(ONE) as journal:
        assert [row.attempts for row in journal.result_rows()] == [1, 1, 0, 0, 0]
        assert journal.totals == COSTS
    assert claimed_since(connection, ONE.run_id, 3) == [4, 5]


@pytest.mark.parametrize("change", [{"epoch": 9}, {"holder": "worker/another run"}])
def test_nothing_is_written_without_the_lease(
    store: Store, connection: Connection, change: dict[str, Any]
) -> None:
    lost = batch_of(store, ONE, claim=2, outcomes=[make_outcome(2)], totals=COSTS)
    held = batch_of(store, TWO, claim=1)
    lost = replace(lost, lease=replace(lost.lease, **change))
    committed = commit_batches(connection, [lost, held])
    assert committed[0] is None
    assert claimed_rows(committed[1]) == [2]
    assert commit_batches(connection, [lost]) == [None]
    with store.journals.open(ONE) as journal:
        assert set(result_by_row(journal).values()) == {Result.NOT_SENT}
        assert journal.totals == Totals()
