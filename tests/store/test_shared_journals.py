"""The connection on which a worker commits, when it is lost."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from support.fleet import until
from support.journals import Home, make_outcome, rows_of, simple_update
from support.run_info import run_info, run_record

from batchlock.core.errors import DatabaseUnavailable
from batchlock.core.runs import Totals
from batchlock.store.journal.shared import Batch, commit_batches
from batchlock.store.shared_journals import SharedJournals, commit_connection
from batchlock.store.store import Store

RUN = run_info(run_id="20260314-020304-0001", org="one")


@pytest.fixture
def batch(database_url: str, tmp_path: Path) -> Batch:
    """Plan a run of 2,000 rows; its batch claims two of them."""
    with Store(tmp_path / "state", database_url) as store:
        home = Home(store.journals, tmp_path)
        home.plan([simple_update(row) for row in range(2, 2_002)], RUN)
        store.runs.add(run_record(RUN))
        lease = store.leases.take(RUN.org, "worker/1", seconds=60)
        assert lease is not None
    return Batch(run_id=RUN.run_id, lease=lease, totals=Totals(), claim=2)


def test_a_repeated_commit_waits_for_the_one_whose_connection_was_lost(
    batch: Batch, database_url: str
) -> None:
    journals = SharedJournals(database_url)
    journals.commit([], [])
    with (
        psycopg.connect(database_url, autocommit=True) as admin,
        psycopg.connect(database_url, autocommit=True) as lost,
        ThreadPoolExecutor(1) as thread,
    ):
        of_batchlock = "FROM pg_stat_activity WHERE application_name = 'batchlock'"
        with lost.transaction():
            # The server still works on it; the worker learns only that its connection is gone.
            commit_batches(lost, [batch], lock=journals.lock)
            admin.execute(f"SELECT pg_terminate_backend(pid) {of_batchlock}".encode())
            with pytest.raises(DatabaseUnavailable):
                journals.commit([batch], [frozenset()])
            repetition = thread.submit(journals.commit, [batch], [frozenset()])
            waiting = f"SELECT 1 {of_batchlock} AND wait_event_type = 'Lock'".encode()
            until(lambda: repetition.done() or admin.execute(waiting).fetchone() is not None)
        (claimed,) = repetition.result()
        left = admin.execute("SELECT row FROM progress WHERE status = 'sending'").fetchall()
    journals.close()
    assert claimed is not None
    assert rows_of(claimed) == [2, 3]
    assert sorted(row for (row,) in left) == [2, 3]


@pytest.mark.parametrize("is_analyzed", [False, True])
def test_a_commit_reads_a_few_rows_of_a_large_run(
    batch: Batch, database_url: str, is_analyzed: bool
) -> None:
    with commit_connection(database_url) as connection:
        if is_analyzed:
            connection.execute("ANALYZE")
        with connection.transaction():
            commit_batches(connection, [batch])
            commit_batches(connection, [replace(batch, outcomes=[make_outcome(2)], after_row=3)])
            reads = connection.execute(
                "SELECT relname, seq_tup_read, idx_tup_fetch FROM pg_stat_xact_user_tables"
                " WHERE relname IN ('progress', 'rows') ORDER BY relname"
            ).fetchall()
    assert [name for name, _, _ in reads] == ["progress", "rows"]
    for _, scanned_rows, fetched_rows in reads:
        assert (scanned_rows or 0) == 0
        assert fetched_rows < 20
