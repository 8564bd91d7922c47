from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from support.journals import (
    BOTH_HOMES,
    LOCK,
    OTHER_RECORD,
    RECORD,
    Home,
    OpenPlan,
    make_outcome,
    make_update,
    result_by_row,
    rows_of,
    simple_update,
)

from batchlock.core.results import Outcome, Result, Status
from batchlock.core.rows import LockId
from batchlock.core.runs import Totals

pytestmark = BOTH_HOMES


def test_rows_are_claimed_once_each_in_order(open_plan: OpenPlan) -> None:
    updates = [simple_update(row) for row in (11, 3, 7, 20, 5)]
    journal = open_plan(updates)
    claimed = [
        update for claim in (2, 0, 2, 2, 2) for update in journal.commit_batch([], claim=claim)
    ]
    assert claimed == sorted(updates, key=lambda update: update.row)
    assert journal.counts()[Result.UNKNOWN] == 5


def test_a_claimed_update_equals_the_planned_one(open_plan: OpenPlan) -> None:
    updates = [
        make_update(2, RECORD, LOCK, "=1+1\n'ü 🔒"),
        make_update(3, OTHER_RECORD, None, "0" * 3000, "My_Own"),
    ]
    assert open_plan(updates).commit_batch([], claim=2) == updates


def test_a_result_row_has_every_field_of_the_outcome(open_plan: OpenPlan) -> None:
    outcome = Outcome(
        row=2,
        status=Status.REJECTED,
        http_status=400,
        code="INVALID_DATA",
        message='no "such"; lock\n\U0001f512',
        remedy="Look.",
        attempts=2,
        finished_at=datetime(2026, 3, 14, 2, 3, 4, 123456, tzinfo=UTC),
        duration=0.25,
        previous_reason="before",
        lock_id=LockId("5843104000000000001"),
    )
    journal = open_plan([simple_update(2)])
    journal.commit_batch([], claim=1)
    journal.commit_batch([outcome])
    (row,) = journal.result_rows()
    # The stop rules alone need `about_setup`, and an undo alone needs `lock_id`. What a look has
    # found becomes the cells of the row.
    hidden = ("status", "about_setup", "lock_id", "seen_lock")
    displayed = [name for name in Outcome.__slots__ if name not in hidden]
    fields = {name: getattr(row, name) for name in displayed}
    assert fields == {name: getattr(outcome, name) for name in displayed}
    assert row.result is Result.REJECTED
    assert row.finished_at is not None
    assert row.finished_at.tzinfo is UTC


def test_outcomes_releases_claims_and_costs_are_one_commit(open_plan: OpenPlan, home: Home) -> None:
    journal = open_plan([simple_update(row) for row in range(2, 8)])
    journal.commit_batch([], claim=3)
    with home.open() as reader, reader.snapshot():
        before = reader.figures()
        claimed = journal.commit_batch(
            [make_outcome(2)], released=[3], claim=2, costs=Totals(requests=1, seconds=1.0)
        )
        assert reader.figures() == before
    assert rows_of(claimed) == [5, 6]
    assert list(result_by_row(journal).values()) == [
        Result.UPDATED,
        Result.NOT_SENT,
        Result.UNKNOWN,
        Result.UNKNOWN,
        Result.UNKNOWN,
        Result.NOT_SENT,
    ]
    assert journal.totals.requests == 1


def test_a_batch_that_fails_changes_nothing(open_plan: OpenPlan) -> None:
    journal = open_plan([simple_update(2), simple_update(3)])
    journal.commit_batch([], claim=1)

    def outcomes() -> Iterator[Outcome]:
        yield make_outcome(2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        journal.commit_batch(outcomes(), claim=1, costs=Totals(requests=9))
    assert result_by_row(journal) == {2: Result.UNKNOWN, 3: Result.NOT_SENT}
    assert journal.totals == Totals()
    assert rows_of(journal.commit_batch([make_outcome(2)], claim=1)) == [3]


def test_a_released_row_waits_for_the_next_session(open_plan: OpenPlan, home: Home) -> None:
    journal = open_plan([simple_update(2), simple_update(3), simple_update(4)])
    journal.commit_batch([], claim=2)
    assert rows_of(journal.commit_batch([], released=[2], claim=9)) == [4]
    assert journal.commit_batch([], claim=9) == []
    assert journal.remaining() == 3
    journal.close()
    with home.open() as again:
        assert rows_of(again.in_doubt()) == [3, 4]
        assert rows_of(again.commit_batch([], claim=9)) == [2]


def test_rows_of_a_killed_session_are_in_doubt_and_never_claimed(
    open_plan: OpenPlan, home: Home
) -> None:
    journal = open_plan([simple_update(row) for row in (2, 3, 4)])
    assert journal.in_doubt() == []
    journal.commit_batch([], claim=2)
    with home.open() as again:
        assert again.in_doubt() == [simple_update(2), simple_update(3)]
        assert rows_of(again.commit_batch([make_outcome(2)], claim=9)) == [4]
        assert rows_of(again.in_doubt()) == [3, 4]


def test_attempts_add_up_over_sessions(open_plan: OpenPlan) -> None:
    journal = open_plan([simple_update(2)])
    journal.commit_batch([], claim=1)
    journal.commit_batch([replace(make_outcome(2, Status.FAILED), attempts=3)])
    journal.commit_batch([replace(make_outcome(2), attempts=2)])
    assert [(row.result, row.attempts) for row in journal.result_rows()] == [(Result.UPDATED, 5)]


def test_costs_add_up_over_sessions_and_the_peak_is_the_highest(
    open_plan: OpenPlan, home: Home
) -> None:
    journal = open_plan([simple_update(2)])
    costs = [
        Totals(requests=3, credits_used=2, in_flight_peak=7, seconds=1.5),
        Totals(requests=1, credits_used=1, in_flight_peak=4, seconds=0.25),
    ]
    for cost in costs:
        journal.commit_batch([], costs=cost)
    with home.open() as again:
        assert again.totals == Totals(requests=4, credits_used=3, in_flight_peak=7, seconds=1.75)
