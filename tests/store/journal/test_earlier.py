from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.journals import (
    BOTH_HOMES,
    Home,
    OpenPlan,
    make_outcome,
    make_update,
    plan_journal,
    result_by_row,
    simple_update,
)
from support.run_info import run_info

from batchlock.core.results import Outcome, Result, Status
from batchlock.core.rows import Update
from batchlock.core.runs import RunInfo
from batchlock.store.journal import Journal

pytestmark = BOTH_HOMES

DAY = datetime(2026, 3, 14, 2, 3, 4, tzinfo=UTC)


def sent(
    home: Home, number: int, updates: list[Update], outcomes: list[Outcome], *, claim: int = 0
) -> RunInfo:
    """Make a journal of these rows in which some have an outcome, and others are claimed."""
    info = home.plan(updates, run_info(run_id=f"20260101-000000-000{number}"))
    with home.open(info) as journal:
        journal.commit_batch([], claim=claim or len(outcomes))
        journal.commit_batch(outcomes)
    return info


def test_done_rows_are_left_alone_and_the_others_go_out_again(
    home: Home, open_plan: OpenPlan
) -> None:
    updates = [simple_update(row) for row in range(2, 8)]
    outcomes = [
        make_outcome(2, finished_at=DAY),
        make_outcome(3, Status.UNCHANGED, finished_at=DAY),
        make_outcome(4, Status.REJECTED, finished_at=DAY),
        make_outcome(5, Status.FAILED, finished_at=DAY),
    ]
    earlier = sent(home, 1, updates, outcomes, claim=5)
    journal = open_plan(updates)
    home.journals.leave_done_rows(journal, [earlier])
    assert result_by_row(journal) == {
        **dict.fromkeys((2, 3), Result.UNCHANGED),
        **dict.fromkeys((4, 5, 7), Result.NOT_SENT),
        6: Result.UNKNOWN,  # it was being sent when that run ended, so Zoho is asked first
    }
    (first, *_) = journal.result_rows()
    assert first.message == (
        "An earlier run did this row on 2026-03-14 at 02:03 UTC, so it was left alone."
    )
    assert (first.finished_at, first.attempts) == (None, 0)
    assert journal.is_compared


def test_the_day_stays_when_the_rows_were_left_alone_before(
    home: Home, open_plan: OpenPlan
) -> None:
    first = sent(home, 1, [simple_update(2)], [make_outcome(2, finished_at=DAY)])
    second = sent(home, 2, [simple_update(2)], [])
    with home.open(second) as journal:
        home.journals.leave_done_rows(journal, [first])
    journal = open_plan([simple_update(2)])
    home.journals.leave_done_rows(journal, [second])
    (row,) = journal.result_rows()
    assert "on 2026-03-14 at 02:03 UTC" in row.message


def test_a_row_that_a_newer_run_sent_with_another_reason_goes_out_again(
    home: Home, open_plan: OpenPlan
) -> None:
    first = sent(home, 1, [simple_update(2)], [make_outcome(2, finished_at=DAY)])
    other = replace(simple_update(2), reason="another reason")
    second = sent(home, 2, [other], [make_outcome(2, finished_at=DAY)])
    journal = open_plan([simple_update(2)])
    home.journals.leave_done_rows(journal, [second, first])
    assert result_by_row(journal) == {2: Result.NOT_SENT}


@pytest.mark.parametrize(
    ("newest", "result"),
    [
        (Status.PENDING, Result.UNCHANGED),
        (Status.REJECTED, Result.NOT_SENT),
        (Status.FAILED, Result.NOT_SENT),
    ],
)
def test_the_newest_run_that_sent_a_row_decides(
    home: Home, open_plan: OpenPlan, newest: Status, result: Result
) -> None:
    oldest = sent(home, 1, [simple_update(2)], [make_outcome(2, finished_at=DAY)])
    outcomes = [] if newest is Status.PENDING else [make_outcome(2, newest)]
    newer = sent(home, 2, [simple_update(2)], outcomes)
    journal = open_plan([simple_update(2)])
    home.journals.leave_done_rows(journal, [newer, oldest])
    assert result_by_row(journal) == {2: result}


@pytest.mark.parametrize(
    "other",
    [
        make_update(2, reason="other"),
        make_update(2, lock_id=None),
        replace(make_update(2), module="Deals"),
        make_update(2, record_id="5843104000000499999"),
    ],
)
def test_a_row_that_asks_for_something_else_goes_out(
    home: Home, open_plan: OpenPlan, other: Update
) -> None:
    earlier = sent(home, 1, [make_update(2)], [make_outcome(2, finished_at=DAY)])
    journal = open_plan([other])
    home.journals.leave_done_rows(journal, [earlier])
    assert result_by_row(journal) == {2: Result.NOT_SENT}


def test_duplicates_follow_the_row_that_they_repeat(home: Home, open_plan: OpenPlan) -> None:
    updates = [simple_update(2), replace(simple_update(2), row=3)]
    earlier = sent(home, 1, updates, [make_outcome(2, finished_at=DAY)])
    journal = open_plan(updates)
    home.journals.leave_done_rows(journal, [earlier])
    assert result_by_row(journal) == {2: Result.UNCHANGED, 3: Result.DUPLICATE}
    assert journal.settled() == 2


def test_the_plan_of_a_file_is_compared_with_the_earlier_runs(home: Home, path: Path) -> None:
    updates = [simple_update(row) for row in range(2, 6)]
    outcomes = [make_outcome(2, finished_at=DAY), make_outcome(3, Status.REJECTED)]
    first = sent(home, 1, updates, outcomes, claim=3)
    second = sent(home, 2, updates, [])
    with home.open(second) as journal:
        home.journals.leave_done_rows(journal, [first])
    with Journal.open(plan_journal(path, updates)) as plan:
        home.journals.leave_done_rows(plan, [second, first])
        assert result_by_row(plan) == {
            2: Result.UNCHANGED,
            3: Result.NOT_SENT,
            4: Result.UNKNOWN,
            5: Result.NOT_SENT,
        }
        (done, *_) = plan.result_rows()
        assert "on 2026-03-14 at 02:03 UTC" in done.message


def test_a_plan_forgets_the_results_that_an_undo_has_put_back(home: Home, path: Path) -> None:
    updates = [simple_update(2), simple_update(3)]
    undo = sent(home, 1, updates, [make_outcome(2, finished_at=DAY)])
    with Journal.open(plan_journal(path, updates, finished=[2, 3])) as plan:
        assert home.journals.forget_undone_results(plan, [undo])
        assert result_by_row(plan) == {2: Result.NOT_SENT, 3: Result.UNCHANGED}
        assert not home.journals.forget_undone_results(plan, [undo])
