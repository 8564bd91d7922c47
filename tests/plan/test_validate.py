import pytest
from support.chunks import (
    FIELDS,
    LOCK,
    RECORD,
    TITLES,
    VALID_ROW,
    check_rows,
    chunk,
    row,
    valid_update,
)

from batchlock.core.rows import Field, LockId, NoValue, RecordId, Update
from batchlock.plan.validate import CheckedRows, ValidationRules, check


def test_valid_rows_become_updates_in_order() -> None:
    checked = check_rows(VALID_ROW, row("Deals", reason="Closed"))
    assert checked.updates == [
        Update(2, "Leads", RecordId(RECORD), LockId(LOCK), "Under review"),
        Update(3, "Deals", RecordId(RECORD), LockId(LOCK), "Closed"),
    ]
    assert checked.problems == []
    assert checked.finished == []


def test_an_empty_chunk_gives_nothing() -> None:
    frame = chunk(VALID_ROW).iloc[:0]
    assert check(frame, TITLES, FIELDS, ValidationRules()) == CheckedRows([], [], [])


def test_every_problem_of_a_row_is_reported_and_other_rows_stay_valid() -> None:
    checked = check_rows(row("Lead", "12", "5.8E+18", ""), VALID_ROW, row(record=None))
    assert [(problem.row, problem.column, problem.code) for problem in checked.problems] == [
        (2, "Module", "unknown_module"),
        (2, "Record Id", "bad_id"),
        (2, "Lock Id", "lossy_number"),
        (2, "Reason", "missing_value"),
        (4, "Record Id", "missing_value"),
    ]
    assert [update.row for update in checked.updates] == [3]


def test_additional_columns_never_have_a_problem() -> None:
    assert valid_update((*VALID_ROW[:4], NoValue("#N/A"))).row == 2


def test_a_cell_beyond_the_last_title_is_a_problem() -> None:
    beyond = [("F", "of the text"), ("AB", "x")]
    problems = check_rows(VALID_ROW, row(record=""), beyond=beyond).problems
    assert [(problem.row, problem.column, problem.code) for problem in problems] == [
        (2, "column F", "bad_value"),
        (3, "Record Id", "missing_value"),
        (3, "column AB", "bad_value"),
    ]
    assert problems[0].message == (
        '"of the text" is to the right of the last title. Put the cell that holds the delimiter in '
        "quotation marks."
    )


def test_a_cell_beyond_the_last_title_of_a_workbook_is_not_blamed_on_a_delimiter() -> None:
    rules = ValidationRules(from_text=False)
    problems = check_rows(VALID_ROW, rules=rules, beyond=[("F", "x")]).problems
    assert [problem.message for problem in problems] == [
        '"x" is to the right of the last title. Empty the cell, or give its column a title.'
    ]


def test_a_problem_names_the_title_in_the_file() -> None:
    fields = {Field.MODULE: 1, Field.RECORD_ID: 0, Field.REASON: 3}
    checked = check(
        chunk(("", "", "", "")), ("ID-Nr", "Modul", "", "Grund"), fields, ValidationRules()
    )
    assert [problem.column for problem in checked.problems] == ["Modul", "ID-Nr", "Grund"]


@pytest.mark.parametrize(
    ("result", "is_finished"),
    [
        ("updated", True),
        ("unchanged", True),
        ("failed", False),
        ("duplicate", False),
        (None, False),
    ],
)
def test_rows_that_are_done_and_unchanged_are_is_finished(
    result: str | None, is_finished: bool
) -> None:
    row_checksum = valid_update(VALID_ROW).checksum
    checked = check_rows(VALID_ROW, previous_result=[result], previous_checksum=[row_checksum])
    assert len(checked.updates) == 1
    assert checked.finished == ([2] if is_finished else [])


@pytest.mark.parametrize(
    "changed",
    [
        row("Deals", reason=VALID_ROW[3]),
        row(record="1" * 12, reason=VALID_ROW[3]),
        row(lock=None, reason=VALID_ROW[3]),
        row(reason="other"),
    ],
)
def test_a_finished_row_that_was_changed_is_sent_again(changed: tuple[object, ...]) -> None:
    row_checksum = valid_update(VALID_ROW).checksum
    assert (
        check_rows(changed, previous_result=["updated"], previous_checksum=[row_checksum]).finished
        == []
    )


def test_a_row_that_became_invalid_since_is_a_problem() -> None:
    row_checksum = valid_update(VALID_ROW).checksum
    checked = check_rows(
        row(record="12"), previous_result=["updated"], previous_checksum=[row_checksum]
    )
    assert (len(checked.problems), checked.updates, checked.finished) == (1, [], [])


def test_a_row_without_row_check_is_sent_again() -> None:
    assert (
        check_rows(VALID_ROW, previous_result=["updated"], previous_checksum=[None]).finished == []
    )
