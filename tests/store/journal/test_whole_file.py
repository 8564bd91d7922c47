from collections.abc import Sequence
from pathlib import Path

import pytest
from support.journals import (
    LOCK,
    OTHER_LOCK,
    OTHER_RECORD,
    RECORD,
    TITLES,
    OpenPlan,
    make_outcome,
    make_update,
    plan_journal,
    problem_keys,
    result_by_row,
    rows_of,
)

from batchlock.core.results import Result, Status
from batchlock.core.rows import Field, Problem, Update
from batchlock.store.journal import Journal


def test_later_rows_with_the_same_update_are_duplicates_of_the_first(open_plan: OpenPlan) -> None:
    journal = open_plan(
        [make_update(row, RECORD) for row in (4, 7, 9)] + [make_update(5, OTHER_RECORD, OTHER_LOCK)]
    )
    assert result_by_row(journal) == {
        4: Result.NOT_SENT,
        5: Result.NOT_SENT,
        7: Result.DUPLICATE,
        9: Result.DUPLICATE,
    }
    assert rows_of(journal.commit_batch([], claim=9)) == [4, 5]
    assert problem_keys(journal) == []


@pytest.mark.parametrize("locks", [(None, LOCK), (LOCK, None), (LOCK, None, LOCK), (None, None)])
def test_a_blank_lock_id_fits_any(locks: tuple[str | None, ...], open_plan: OpenPlan) -> None:
    journal = open_plan([make_update(2 + n, RECORD, lock) for n, lock in enumerate(locks)])
    assert problem_keys(journal) == []
    assert list(result_by_row(journal).values()) == [Result.NOT_SENT] + [Result.DUPLICATE] * (
        len(locks) - 1
    )


@pytest.mark.parametrize(
    ("status", "fate", "remedy"),
    [
        (None, "which was not sent", True),
        (Status.SENDING, "and it is not known yet whether Zoho received it", True),
        (Status.UPDATED, "which was updated", False),
        (Status.UNCHANGED, "which was unchanged", False),
        (Status.REJECTED, "which was rejected", True),
        (Status.FAILED, "which was failed", True),
    ],
)
def test_the_message_of_a_duplicate_names_the_earlier_row_and_its_status(
    status: Status | None, fate: str, remedy: bool, open_plan: OpenPlan
) -> None:
    journal = open_plan([make_update(2, RECORD), make_update(3, RECORD)])
    if status is not None:
        journal.commit_batch([], claim=1)
    if status not in (None, Status.SENDING):
        journal.commit_batch([make_outcome(2, status)])
    line = list(journal.result_rows())[1]
    assert line.result is Result.DUPLICATE
    assert line.message == f"The same as row 2, {fate}."
    assert line.remedy == ("See row 2." if remedy else "")
    assert journal.settled() == (0 if remedy else 2)


def test_a_duplicate_of_a_finished_row_counts_as_done(open_plan: OpenPlan) -> None:
    journal = open_plan([make_update(2, RECORD), make_update(3, RECORD)], finished=[2])
    assert result_by_row(journal) == {2: Result.UNCHANGED, 3: Result.DUPLICATE}
    assert (journal.settled(), journal.remaining()) == (2, 0)


def test_a_finished_row_stays_unchanged_after_an_equal_unfinished_row(open_plan: OpenPlan) -> None:
    journal = open_plan([make_update(row, RECORD) for row in (2, 3, 4)], finished=[3])
    assert result_by_row(journal) == {2: Result.NOT_SENT, 3: Result.UNCHANGED, 4: Result.DUPLICATE}
    line = list(journal.result_rows())[1]
    assert "earlier run" in line.message


def test_different_reasons_for_one_record_are_a_conflict_of_all_its_rows(
    open_plan: OpenPlan,
) -> None:
    updates = [
        make_update(2, RECORD, None, "a"),
        make_update(3, RECORD, None, "b"),
        make_update(4, RECORD, None, "a"),
        make_update(5, OTHER_RECORD, None, "b"),
    ]
    journal = open_plan(updates)
    assert problem_keys(journal) == [(row, "Why", "conflict") for row in (2, 3, 4)]
    message = next(journal.problems()).message
    assert message.startswith("Rows 2, 3 and 4 ask for different reasons on the same record.")
    assert result_by_row(journal)[5] is Result.NOT_SENT


def test_different_lock_ids_for_one_record_are_a_conflict_with_its_blank_ones_too(
    open_plan: OpenPlan,
) -> None:
    locks = (LOCK, None, OTHER_LOCK)
    journal = open_plan([make_update(2 + n, RECORD, lock) for n, lock in enumerate(locks)])
    assert problem_keys(journal) == [(row, "Lock", "conflict") for row in (2, 3, 4)]
    assert "different lock ids" in next(journal.problems()).message


def test_reasons_that_differ_in_case_alone_conflict(open_plan: OpenPlan) -> None:
    journal = open_plan(
        [make_update(2, RECORD, LOCK, "Audit"), make_update(3, RECORD, LOCK, "audit")]
    )
    assert len(problem_keys(journal)) == 2


def test_the_same_record_id_in_another_module_is_another_record(open_plan: OpenPlan) -> None:
    journal = open_plan(
        [make_update(2, RECORD, None, "a"), make_update(3, RECORD, None, "b", module="Deals")],
    )
    assert problem_keys(journal) == []
    assert journal.remaining() == 2


def test_one_lock_on_two_records_is_a_conflict(open_plan: OpenPlan) -> None:
    updates = [
        make_update(2, RECORD),
        make_update(3, OTHER_RECORD),
        make_update(4, RECORD),
        make_update(5, OTHER_RECORD, OTHER_LOCK),
    ]
    journal = open_plan(updates)
    assert set(result_by_row(journal).values()) == {Result.INVALID}
    shared = [problem for problem in journal.problems() if "the same lock" in problem.message]
    assert rows_of(shared) == [2, 3, 4]
    assert {problem.column for problem in shared} == {"Lock"}
    assert next(journal.result_rows()).code == "conflict"


def test_one_lock_in_two_modules_is_a_conflict_even_where_the_names_run_together(
    open_plan: OpenPlan,
) -> None:
    journal = open_plan(
        [
            make_update(2, "23456789012345", LOCK, module="Plan1"),
            make_update(3, "123456789012345", LOCK, module="Plan"),
        ]
    )
    assert [row for row, _, _ in problem_keys(journal)] == [2, 3]


def test_blank_lock_ids_are_never_shared(open_plan: OpenPlan) -> None:
    journal = open_plan([make_update(2, RECORD, None), make_update(3, OTHER_RECORD, None)])
    assert problem_keys(journal) == []


def test_a_conflict_of_many_rows_names_the_first_five(open_plan: OpenPlan) -> None:
    journal = open_plan([make_update(row, RECORD, None, f"r{row}") for row in range(9, 20)])
    assert "Rows 9, 10, 11, 12, 13 and 6 more ask" in next(journal.problems()).message
    assert len(problem_keys(journal)) == 11


def test_an_invalid_row_takes_no_part_in_the_comparison(open_plan: OpenPlan) -> None:
    journal = open_plan(
        [make_update(2, RECORD, None, "a"), make_update(3, RECORD, None, "b")],
        problems=[Problem(2, "Why", "bad_value", "odd")],
    )
    assert result_by_row(journal) == {2: Result.INVALID, 3: Result.NOT_SENT}


def rounded_rows(column: Field, ids: Sequence[str]) -> list[Update]:
    if column is Field.RECORD_ID:
        return [make_update(row, record_id, None) for row, record_id in enumerate(ids, 2)]
    return [make_update(row, None, lock_id) for row, lock_id in enumerate(ids, 2)]


@pytest.mark.parametrize("column", [Field.RECORD_ID, Field.LOCK_ID])
def test_a_rounded_id_is_refused(column: Field, open_plan: OpenPlan) -> None:
    journal = open_plan(rounded_rows(column, ["5843104000000420000", "5843104000000425565"]))
    assert problem_keys(journal) == [(2, TITLES[column], "rounded_id")]
    assert '"5843104000000420000"' in next(journal.problems()).message
    assert rows_of(journal.commit_batch([], claim=9)) == [3]


@pytest.mark.parametrize(
    ("ids", "refused"),  # and how many of the ids
    [
        (["584310400000000"], 0),  # 15 digits lose nothing
        (["5843104000"], 0),
        (["5843104000000420"], 0),  # a tenth of all ids of 16 digits end in a zero
        (["58431040000004200"], 0),
        (["584310400000042000", "584310400000042001"], 0),
        (["584310400000042000", "584310400000043000"], 2),
        (["58431040000000100000"], 1),
        (["58431040000000420000"], 0),  # the 16th digit is a 4
        (["5843104000000425000"], 0),  # its 16th digit is not zero
        (["5843104000000420000"] * 2, 2),
    ],
)
def test_ids_in_zeros_are_refused_when_there_are_more_than_chance_gives(
    ids: list[str], refused: int, open_plan: OpenPlan
) -> None:
    journal = open_plan(rounded_rows(Field.RECORD_ID, ids))
    rows = [row for row, _, code in problem_keys(journal) if code == "rounded_id"]
    assert len(rows) == refused


def test_a_single_id_in_zeros_among_many_is_accepted(open_plan: OpenPlan) -> None:
    ids = [f"58431040000004{n:05}" for n in range(10001, 10100)]
    journal = open_plan(rounded_rows(Field.RECORD_ID, [*ids, "5843104000000420000"]))
    assert problem_keys(journal) == []


@pytest.mark.parametrize("ids", [800, 90_000])
def test_rounded_ids_are_found_however_many_rows_there_are(ids: int, path: Path) -> None:
    rows = rounded_rows(Field.RECORD_ID, [f"{584310400000000 + n}00" for n in range(ids)])
    with Journal.open(plan_journal(path, rows)) as journal:
        assert journal.counts()[Result.INVALID] == ids


def test_ids_of_a_large_file_that_end_in_zeros_by_chance_are_sent(path: Path) -> None:
    rows = rounded_rows(Field.RECORD_ID, [f"{58431040000000000 + n}" for n in range(90_000)])
    with Journal.open(plan_journal(path, rows)) as journal:
        assert journal.remaining() == 90_000


def test_finished_rows_are_not_checked_for_rounding(open_plan: OpenPlan) -> None:
    journal = open_plan(rounded_rows(Field.RECORD_ID, ["5843104000000420000"]), finished=[2])
    assert result_by_row(journal) == {2: Result.UNCHANGED}


def test_a_rounded_id_is_no_conflict_too(open_plan: OpenPlan) -> None:
    rounded = "5843104000000420000"
    journal = open_plan([make_update(2, rounded, None, "a"), make_update(3, rounded, None, "b")])
    assert [code for _, _, code in problem_keys(journal)] == ["rounded_id", "rounded_id"]
