import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.journals import make_outcome, plan_journal, result_by_row, rows_of, simple_update

from batchlock.core.results import Result
from batchlock.store.journal import Journal

ROWS = 4_000
_WRITER = """
import sys
from pathlib import Path
from batchlock.core.runs import Totals
from batchlock.store.journal import Journal
from batchlock.core.results import Outcome, Status

path, limit = Path(sys.argv[1]), int(sys.argv[2])
journal = Journal.open(path)
claimed = journal.commit_batch([], claim=7)
print("at work", flush=True)
while claimed:
    if journal.totals.requests >= limit:
        sys.stdin.read()  # wait to be killed
    finished = claimed[:-1] or claimed  # one row stays claimed from batch to batch
    claimed = claimed[len(finished):]
    claimed += journal.commit_batch(
        [
            Outcome(row=update.row, status=Status.UPDATED, attempts=1, message=update.reason)
            for update in finished
        ],
        claim=6,
        costs=Totals(requests=len(finished), credits_used=len(finished)),
    )
journal.close()
"""


def start_writer(path: Path, *, limit: int) -> "subprocess.Popen[str]":
    """Start a process that updates every row, or `limit` rows and then waits."""
    child = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path), str(limit)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "at work\n"
    return child


def test_a_second_process_reads_every_row_while_one_writes(path: Path) -> None:
    plan_journal(path, [simple_update(row) for row in range(2, 1502)])
    with start_writer(path, limit=ROWS) as child:
        reads = 0
        while child.poll() is None or not reads:
            with Journal.open(path) as journal:
                assert list(result_by_row(journal)) == list(range(2, 1502))
                assert sum(journal.counts().values()) == 1500
            reads += 1
    assert child.returncode == 0
    with Journal.open(path) as journal:
        assert set(result_by_row(journal).values()) == {Result.UPDATED}
        assert journal.totals.requests == 1500


@pytest.mark.parametrize("updated", [1, 60, 400])
def test_a_killed_process_leaves_a_correct_journal(updated: int, path: Path) -> None:
    plan_journal(path, [simple_update(row) for row in range(2, ROWS + 2)])
    with start_writer(path, limit=ROWS // 2) as child:
        with Journal.open(path) as reader:
            while reader.counts()[Result.UPDATED] < updated:
                assert child.poll() is None
        child.kill()
    assert child.returncode == -signal.SIGKILL
    with Journal.open(path) as journal:
        with journal.database.reading() as sql:
            assert sql.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        counts = journal.counts()
        assert sum(counts.values()) == ROWS
        assert updated <= counts[Result.UPDATED] < ROWS
        assert counts[Result.UPDATED] == journal.totals.requests  # both are in one commit
        in_doubt = journal.in_doubt()
        assert len(in_doubt) == counts[Result.UNKNOWN] <= 7
        claimed = [
            row for row, result in result_by_row(journal).items() if result is not Result.NOT_SENT
        ]
        assert claimed == list(range(2, 2 + len(claimed)))
        rest = journal.commit_batch([make_outcome(update.row) for update in in_doubt], claim=ROWS)
        assert rows_of(rest) == list(range(2 + len(claimed), ROWS + 2))
        journal.commit_batch([make_outcome(update.row) for update in rest])
        assert (journal.settled(), journal.remaining()) == (ROWS, 0)
