from pathlib import Path

import pytest
from support.journals import (
    RECORD,
    TITLES,
    OpenPlan,
    make_update,
    result_by_row,
    rows_of,
    simple_update,
)
from support.run_info import run_info

from batchlock.core.errors import BatchlockError
from batchlock.core.results import Result
from batchlock.core.rows import Problem
from batchlock.store.journal import Journal


def test_rows_keep_their_cells_and_numbers_over_several_chunks(path: Path) -> None:
    with Journal.create(path, run_info()) as journal:
        journal.add([(9, ("a", 1)), (12, (None, 2.5))], updates=[simple_update(9)], problems=[])
        journal.add([(3, (True, "x"))], updates=[simple_update(3)], problems=[])
        journal.check_whole_file(TITLES)
        rows = [(row.row, row.cells, row.result) for row in journal.result_rows()]
    assert rows == [
        (3, (True, "x"), Result.NOT_SENT),
        (9, ("a", 1), Result.NOT_SENT),
        (12, (None, 2.5), Result.INVALID),
    ]


def test_a_row_number_that_occurs_twice_is_an_error(path: Path) -> None:
    with Journal.create(path, run_info()) as journal, pytest.raises(BatchlockError):
        journal.add([(2, ()), (2, ())], updates=[], problems=[])


def test_a_row_with_problems_is_invalid_and_its_message_has_all_of_them(
    open_plan: OpenPlan,
) -> None:
    problems = [
        Problem(3, "Record", "bad_id", "first"),
        Problem(3, "Why", "missing_value", "second"),
        Problem(3, "Lock", "bad_id", "third"),
        Problem(5, "Why", "missing_value", "other"),
    ]
    journal = open_plan([simple_update(2), simple_update(4)], problems=problems)
    lines = {row.row: row for row in journal.result_rows()}
    assert list(lines) == [2, 3, 4, 5]
    assert lines[3].code == "bad_id, missing_value"
    assert lines[3].message == "Record: first\nWhy: second\nLock: third"
    assert lines[3].checksum == ""
    assert lines[3].remedy
    assert (lines[5].code, lines[5].message) == ("missing_value", "Why: other")
    assert lines[2].checksum == simple_update(2).checksum
    assert list(journal.problems()) == problems


def test_a_row_with_an_update_and_a_problem_is_not_sent(open_plan: OpenPlan) -> None:
    journal = open_plan([simple_update(2)], problems=[Problem(2, "Why", "bad_value", "odd")])
    assert journal.commit_batch([], claim=5) == []
    assert result_by_row(journal) == {2: Result.INVALID}


def test_problems_are_in_the_order_of_the_rows(open_plan: OpenPlan) -> None:
    twice = [make_update(2, RECORD, None, "a"), make_update(9, RECORD, None, "b")]
    journal = open_plan(twice, problems=[Problem(5, "Why", "missing_value", "blank")])
    assert rows_of(journal.problems()) == [2, 5, 9]
    assert [row.code for row in journal.result_rows()] == [
        "conflict",
        "missing_value",
        "conflict",
    ]


def test_a_finished_row_is_left_alone_as_unchanged(open_plan: OpenPlan) -> None:
    journal = open_plan([simple_update(2), simple_update(3)], finished=[2, 77])
    row = next(journal.result_rows())
    assert (row.row, row.result, row.checksum) == (2, Result.UNCHANGED, simple_update(2).checksum)
    assert "earlier run" in row.message
    assert rows_of(journal.commit_batch([], claim=9)) == [3]


def test_a_finished_row_with_a_problem_is_invalid_after_all(open_plan: OpenPlan) -> None:
    journal = open_plan([], problems=[Problem(2, "Why", "bad_value", "odd")], finished=[2])
    assert result_by_row(journal) == {2: Result.INVALID}
