"""One commit for the outcomes of all runs."""

import asyncio
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from support.journals import Home, make_outcome, result_by_row, simple_update
from support.run_info import run_info, run_record

from batchlock.core.results import Result
from batchlock.core.runs import RunInfo, Totals
from batchlock.fleet.lease_guard import LeaseGuard, boot_seconds
from batchlock.fleet.writer import RunWriter, SharedWriter
from batchlock.store.shared_journals import SharedJournals
from batchlock.store.store import Store

ONE = run_info(run_id="20260314-020304-0001", org="one")
TWO = run_info(run_id="20260314-020304-0002", org="two")
# PostgreSQL has no place for such a number in the column of HTTP statuses.
TOO_LARGE = 2**40


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> "Store":
    store = Store(tmp_path / "state", database_url)
    home = Home(store.journals, tmp_path)
    for info in (ONE, TWO):
        home.plan([simple_update(row) for row in range(2, 7)], info)
        store.runs.add(run_record(info))
    return store


def writer_of(store: Store, info: RunInfo, shared: SharedWriter) -> RunWriter:
    lease = store.leases.take(info.org, f"worker/{info.run_id}", seconds=60)
    assert lease is not None
    guard = LeaseGuard(lease, 60, boot_seconds())
    return RunWriter(
        shared, guard, store.open_journal(run_record(info)), info.run_id, Totals(), frozenset()
    )


def test_what_cannot_be_written_ends_one_run_only(store: Store, database_url: str) -> None:
    async def main() -> tuple[object, ...]:
        shared = SharedWriter(SharedJournals(database_url))
        one, two = writer_of(store, ONE, shared), writer_of(store, TWO, shared)
        writing = asyncio.create_task(shared.run())
        await asyncio.gather(one.commit([], claim=2), two.commit([], claim=2))
        bad = replace(make_outcome(2), http_status=TOO_LARGE)
        ends = await asyncio.gather(
            one.commit([bad]), two.commit([make_outcome(2)], claim=1), return_exceptions=True
        )
        shared.close()
        await writing
        return tuple(ends)

    first, second = asyncio.run(main())
    assert isinstance(first, psycopg.Error)
    assert second == [simple_update(4)]
    with store, store.open_journal(run_record(TWO)) as journal:
        assert result_by_row(journal)[2] is Result.UPDATED
