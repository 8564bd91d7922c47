import pytest
from support.chunks import (
    LOCK_ID_NEEDED,
    TITLES,
    VALID_ROW,
    check_rows,
    chunk,
    only_problem,
    row,
    valid_update,
)

from batchlock.core.rows import Field, NoValue, Problem
from batchlock.plan.validate import ValidationRules, check

BLANKS = [None, "", " ", "\xa0\u3000\t\r\n"]


@pytest.mark.parametrize("blank", [*BLANKS, "\u200b", "'", '=""'])
def test_a_blank_id_is_missing(blank: object) -> None:
    problem = only_problem(row(record=blank))
    assert problem == Problem(
        2, "Record Id", "missing_value", "The record id is blank. Fill it in, or delete the row."
    )


@pytest.mark.parametrize("blank", [*BLANKS, "\u200b", "'"])
def test_a_blank_lock_id_is_missing_only_when_it_is_not_looked_up(blank: object) -> None:
    assert valid_update(row(lock=blank)).lock_id is None
    problem = only_problem(row(lock=blank), rules=LOCK_ID_NEEDED)
    assert (problem.column, problem.code) == ("Lock Id", "missing_value")


@pytest.mark.parametrize("blank", BLANKS)
def test_a_blank_module_or_reason_is_missing(blank: object) -> None:
    assert only_problem(row(module=blank)).code == "missing_value"
    assert only_problem(row(reason=blank)).code == "missing_value"


def test_the_column_of_the_lock_id_may_be_absent() -> None:
    fields = {Field.MODULE: 0, Field.RECORD_ID: 1, Field.REASON: 3}
    assert check(chunk(VALID_ROW), TITLES, fields, ValidationRules()).updates[0].lock_id is None
    (problem,) = check(chunk(VALID_ROW), TITLES, fields, LOCK_ID_NEEDED).problems
    assert (problem.column, problem.code) == ("Lock Id", "missing_value")


@pytest.mark.parametrize(
    "character", ["\x00", "\x07", "\x0b", "\x1f", "\x7f", "\x85", "\x9f", "\ud800"]
)
@pytest.mark.parametrize("place", ["a{}b", "{}b", "a{}"])
def test_a_control_character_is_refused_with_its_position(character: str, place: str) -> None:
    problem = only_problem(row(reason=place.format(character)))
    assert (problem.column, problem.code) == ("Reason", "bad_value")
    assert f"(U+{ord(character):04X}, character {place.index('{') + 1})" in problem.message
    problem.message.encode()


@pytest.mark.parametrize("cell", ["Le\x00ads", "584310\x074000"])
def test_a_control_character_in_an_id_or_module_is_refused(cell: str) -> None:
    assert only_problem(row(module=cell)).code == "bad_value"
    assert only_problem(row(record=cell)).code == "bad_value"
    assert only_problem(row(lock=cell)).code == "bad_value"


ERRORS = ["#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"]
ERRORS += ["#GETTING_DATA", "#FIELD!", "#BLOCKED!", "#CONNECT!", "#UNKNOWN!", "#BUSY!"]
ERRORS += ["#EXTERNAL!", "#PYTHON!", "Err:502"]


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_of_the_spreadsheet_is_refused_in_every_field(error: str) -> None:
    for cell in (error, f" {error}\xa0", NoValue(error)):
        problems = check_rows(row(cell, cell, cell, cell)).problems
        assert [(problem.column, problem.code) for problem in problems] == [
            (title, "bad_value") for title in TITLES[:4]
        ]
        assert {problem.message for problem in problems} == {
            f'"{error}" is an error of the spreadsheet. Correct the formula, or type the value.'
        }


def test_a_formula_without_a_stored_value_is_not_blank() -> None:
    cell = NoValue("=VLOOKUP(A2, Locks, 2)")
    problems = check_rows(row(cell, cell, cell, cell)).problems
    assert [problem.code for problem in problems] == ["bad_value"] * 4
    assert problems[2] == Problem(
        2,
        "Lock Id",
        "bad_value",
        '"=VLOOKUP(A2, Locks, 2)" is a formula that has not been calculated yet. '
        "Open the file in Excel, let it calculate and save it.",
    )
