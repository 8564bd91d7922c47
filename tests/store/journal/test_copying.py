from support.journals import (
    BOTH_HOMES,
    LOCK,
    OTHER_LOCK,
    Home,
    OpenPlan,
    make_outcome,
    make_update,
    open_every_status,
    result_by_row,
    rows_of,
    simple_update,
)
from support.run_info import run_info

from batchlock.core.results import Result, Status
from batchlock.core.rows import Action, Expected, LockId
from batchlock.core.runs import MIXED, Totals
from batchlock.store.journal import undo_forecast

pytestmark = BOTH_HOMES

SECOND = run_info(run_id="20260315-020304-aaaa", kind="retry")
THIRD = run_info(run_id="20260316-020304-aaaa", kind="retry")


def test_a_retry_takes_what_was_not_updated(open_plan: OpenPlan, home: Home) -> None:
    journal = open_every_status(open_plan)
    home.journals.add_unsettled_rows(journal, SECOND)
    old = {line.row: line for line in journal.result_rows()}
    with home.open(SECOND) as retry:
        assert (retry.info, retry.totals) == (SECOND, Totals())
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


def test_a_retry_can_be_retried(open_plan: OpenPlan, home: Home) -> None:
    journal = open_plan([simple_update(2), simple_update(3)])
    journal.commit_batch([make_outcome(2), make_outcome(3, Status.FAILED)])
    home.journals.add_unsettled_rows(journal, SECOND)
    with home.open(SECOND) as second:
        second.commit_batch([make_outcome(3, Status.FAILED)])
        home.journals.add_unsettled_rows(second, THIRD)
    with home.open(THIRD) as third:
        assert result_by_row(third) == {3: Result.NOT_SENT}
    assert result_by_row(journal) == {2: Result.UPDATED, 3: Result.FAILED}


def test_a_retry_has_the_refused_rows_that_the_last_one_left_out(
    open_plan: OpenPlan, home: Home
) -> None:
    first = open_plan([simple_update(row) for row in (2, 3, 4)])
    first.commit_batch([], claim=2)
    first.commit_batch([make_outcome(2, Status.REJECTED), make_outcome(3, Status.FAILED)])
    home.journals.add_unsettled_rows(first, SECOND, refused=False)
    with home.open(SECOND) as second:
        assert list(result_by_row(second)) == [3, 4]
        second.commit_batch([make_outcome(4)])
        home.journals.add_unsettled_rows(second, THIRD, earlier=[first.info])
    with home.open(THIRD) as third:
        assert result_by_row(third) == {2: Result.NOT_SENT, 3: Result.NOT_SENT}


def test_an_undo_puts_back_what_a_run_has_changed(open_plan: OpenPlan, home: Home) -> None:
    updates = [
        make_update(2, reason="new"),
        make_update(3, action=Action.LOCK, lock_id=None, reason='a "reason"'),
        make_update(4, action=Action.UNLOCK, reason=""),
        make_update(5),
        make_update(6),
    ]
    journal = open_plan(updates)
    journal.commit_batch([], claim=5)
    journal.commit_batch(
        [
            make_outcome(2, previous_reason="old", lock_id=LOCK),
            make_outcome(3, Status.LOCKED, lock_id=OTHER_LOCK),
            make_outcome(4, Status.UNLOCKED, previous_reason="was", lock_id=LOCK),
            make_outcome(5),
            make_outcome(6, Status.REJECTED),
        ]
    )
    forecast = undo_forecast(journal)
    assert (forecast.reasons, forecast.locks, forecast.unlocks, forecast.not_kept) == (1, 1, 1, 1)
    assert home.journals.add_undone_rows(journal, SECOND) == 3
    with home.open(SECOND) as undo:
        assert undo.info.action == MIXED
        assert [(one.row, one.code) for one in undo.problems()] == [(5, "no_previous_reason")]
        assert undo.commit_batch([], claim=9) == [
            make_update(2, reason="old", expected=Expected(LockId(LOCK), "new")),
            make_update(
                3,
                lock_id=OTHER_LOCK,
                reason="",
                action=Action.UNLOCK,
                expected=Expected(LockId(OTHER_LOCK), 'a "reason"'),
            ),
            make_update(
                4, lock_id=None, reason="was", action=Action.LOCK, expected=Expected(None, None)
            ),
        ]
