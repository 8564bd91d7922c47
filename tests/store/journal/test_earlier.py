from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.journals import (
    OpenPlan,
    make_outcome,
    make_update,
    plan_journal,
    result_by_row,
    simple_update,
)

from batchlock.core.results import Outcome, Result, Status
from batchlock.core.rows import Update
from batchlock.store.journal import Journal, leave_done_rows

DAY = datetime(2026, 3, 14, 2, 3, 4, tzinfo=UTC)


def sent(path: Path, updates: list[Update], outcomes: list[Outcome], *, claim: int = 0) -> Path:
    """Make a journal of these rows in which some have an outcome, and others are claimed."""
    plan_journal(path, updates)
    with Journal.open(path) as journal:
        journal.commit_batch([], claim=claim or len(outcomes))
        journal.commit_batch(outcomes)
    return path


def test_done_rows_are_left_alone_and_the_others_go_out_again(
    tmp_path: Path, open_plan: OpenPlan
) -> None:
    updates = [simple_update(row) for row in range(2, 8)]
    outcomes = [
        make_outcome(2, finished_at=DAY),
        make_outcome(3, Status.UNCHANGED, finished_at=DAY),
        make_outcome(4, Status.REJECTED, finished_at=DAY),
        make_outcome(5, Status.FAILED, finished_at=DAY),
    ]
    earlier = sent(tmp_path / "earlier", updates, outcomes, claim=5)
    journal = open_plan(updates)
    leave_done_rows(journal, [earlier])
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
    tmp_path: Path, open_plan: OpenPlan
) -> None:
    first = sent(tmp_path / "first", [simple_update(2)], [make_outcome(2, finished_at=DAY)])
    plan_journal(tmp_path / "second", [simple_update(2)])
    with Journal.open(tmp_path / "second") as journal:
        leave_done_rows(journal, [first])
    journal = open_plan([simple_update(2)])
    leave_done_rows(journal, [tmp_path / "second"])
    (row,) = journal.result_rows()
    assert "on 2026-03-14 at 02:03 UTC" in row.message


def test_a_row_that_a_newer_run_sent_with_another_reason_goes_out_again(
    tmp_path: Path, open_plan: OpenPlan
) -> None:
    first = sent(tmp_path / "first", [simple_update(2)], [make_outcome(2, finished_at=DAY)])
    other = replace(simple_update(2), reason="another reason")
    second = sent(tmp_path / "second", [other], [make_outcome(2, finished_at=DAY)])
    journal = open_plan([simple_update(2)])
    leave_done_rows(journal, [second, first])
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
    tmp_path: Path, open_plan: OpenPlan, newest: Status, result: Result
) -> None:
    oldest = sent(tmp_path / "a", [simple_update(2)], [make_outcome(2, finished_at=DAY)])
    outcomes = [] if newest is Status.PENDING else [make_outcome(2, newest)]
    newer = sent(tmp_path / "b", [simple_update(2)], outcomes)
    journal = open_plan([simple_update(2)])
    leave_done_rows(journal, [newer, oldest])
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
    tmp_path: Path, open_plan: OpenPlan, other: Update
) -> None:
    earlier = sent(tmp_path / "a", [make_update(2)], [make_outcome(2, finished_at=DAY)])
    journal = open_plan([other])
    leave_done_rows(journal, [earlier])
    assert result_by_row(journal) == {2: Result.NOT_SENT}


def test_duplicates_follow_the_row_that_they_repeat(tmp_path: Path, open_plan: OpenPlan) -> None:
    updates = [simple_update(2), replace(simple_update(2), row=3)]
    earlier = sent(tmp_path / "a", updates, [make_outcome(2, finished_at=DAY)])
    journal = open_plan(updates)
    leave_done_rows(journal, [earlier])
    assert result_by_row(journal) == {2: Result.UNCHANGED, 3: Result.DUPLICATE}
    assert journal.settled() == 2


@pytest.mark.parametrize("content", [b"", b"not a database, but long enough for one" * 9])
def test_a_damaged_journal_decides_nothing(
    tmp_path: Path, open_plan: OpenPlan, content: bytes
) -> None:
    (tmp_path / "damaged").write_bytes(content)
    earlier = sent(tmp_path / "a", [simple_update(2)], [make_outcome(2, finished_at=DAY)])
    journal = open_plan([simple_update(2)])
    leave_done_rows(journal, [tmp_path / "damaged", earlier])
    assert result_by_row(journal) == {2: Result.UNCHANGED}
    assert journal.is_compared
