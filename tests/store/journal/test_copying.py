from pathlib import Path

from support.journals import (
    OpenPlan,
    make_outcome,
    open_every_status,
    result_by_row,
    rows_of,
    simple_update,
)
from support.run_info import run_info

from batchlock.core.results import Result, Status
from batchlock.core.runs import Totals
from batchlock.store.journal import Journal, copy_unsettled_rows


def test_a_retry_takes_what_was_not_updated(open_plan: OpenPlan, tmp_path: Path) -> None:
    journal = open_every_status(open_plan)
    again = run_info(run_id="20260315-020304-aaaa", kind="retry")
    copy_unsettled_rows(journal, tmp_path / "again.journal", again)
    old = {line.row: line for line in journal.result_rows()}
    with Journal.open(tmp_path / "again.journal") as retry:
        assert (retry.info, retry.totals) == (again, Totals())
        assert result_by_row(retry) == {
            **dict.fromkeys((6, 7, 8, 9, 10, 12, 13), Result.NOT_SENT),
            11: Result.UNKNOWN,
            21: Result.DUPLICATE,
            30: Result.INVALID,
            31: Result.INVALID,
        }
        new = {line.row: line for line in retry.result_rows()}
        assert all(new[row].cells == old[row].cells for row in new)
        assert all(new[row].checksum == old[row].checksum for row in new)
        assert [new[row] for row in (30, 31)] == [old[row] for row in (30, 31)]
        assert list(retry.problems()) == list(journal.problems())
        assert (new[6].code, new[6].remedy == old[6].remedy, new[6].attempts) == ("", False, 0)
        assert retry.in_doubt() == [simple_update(11)]
        claimed = retry.commit_batch([], claim=99)
        assert rows_of(claimed) == [6, 7, 8, 9, 10, 12, 13]
        retry.commit_batch([make_outcome(update.row) for update in claimed] + [make_outcome(11)])
        assert (retry.settled(), retry.remaining()) == (9, 0)
    assert journal.counts()[Result.UPDATED] == 3


def test_a_retry_can_be_retried(open_plan: OpenPlan, tmp_path: Path) -> None:
    journal = open_plan([simple_update(2), simple_update(3)])
    journal.commit_batch([make_outcome(2), make_outcome(3, Status.FAILED)])
    copy_unsettled_rows(journal, tmp_path / "b.journal", run_info())
    with Journal.open(tmp_path / "b.journal") as second:
        second.commit_batch([make_outcome(3, Status.FAILED)])
        copy_unsettled_rows(second, tmp_path / "c.journal", run_info())
    with Journal.open(tmp_path / "c.journal") as third:
        assert result_by_row(third) == {3: Result.NOT_SENT}
    assert result_by_row(journal) == {2: Result.UPDATED, 3: Result.FAILED}
