"""Corrected cells are checked by every rule, as if the file said them."""

from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
from support.plans import plan_of_file
from support.tables import HEADER, csv_text, write_text

from batchlock.core.cell_text import display_text
from batchlock.core.corrections import Correction, digest_of, text_mark
from batchlock.core.results import Result
from batchlock.core.rows import Field
from batchlock.store.journal import Journal

RECORD, LOCK = "5843104000000425565", "5843104000000574404"


def correction(row: int, field: Field, old: str, new: str) -> Correction:
    return Correction(
        row=row,
        field=field,
        sheet=None,
        column=HEADER[list(Field).index(field)],
        old=old,
        new=new,
        person="Anna",
        at=1.0,
    )


def planned(tmp_path: Path, *corrections: Correction) -> Journal:
    """Plan two valid rows with corrections."""
    other = str(int(RECORD) + 7), str(int(LOCK) + 7)
    rows = [HEADER, ("Deals", RECORD, LOCK, "why"), ("Deals", *other, "because")]
    return plan_of_file(write_text(tmp_path, csv_text(*rows)), corrections=corrections)


@pytest.mark.parametrize(
    ("field", "old", "new", "code"),
    [
        (Field.MODULE, "Deals", "Dealz", "unknown_module"),
        (Field.RECORD_ID, RECORD, "58431", "bad_id"),
        (Field.LOCK_ID, LOCK, "5.8E+18", "lossy_number"),
        (Field.REASON, "why", "", "missing_value"),
        (Field.REASON, "why", "a\0b", "bad_value"),
        (Field.REASON, "why", "#REF!", "bad_value"),
        (Field.REASON, "why", "NULL", "placeholder_reason"),
        (Field.REASON, "why", "x" * 3_001, "reason_too_long"),
        (Field.RECORD_ID, RECORD, str(int(RECORD) + 7), "conflict"),
    ],
)
def test_a_corrected_cell_can_be_wrong_too(
    tmp_path: Path, field: Field, old: str, new: str, code: str
) -> None:
    with planned(tmp_path, correction(2, field, old, new)) as journal:
        assert {one.code for one in journal.problems()} == {code}
        (row, _) = journal.result_rows()
        assert row.result is Result.INVALID
        assert "Corrected on the page by Anna: " in row.corrections


def test_a_corrected_row_can_become_a_duplicate(tmp_path: Path) -> None:
    other = {
        Field.RECORD_ID: (str(int(RECORD) + 7), RECORD),
        Field.LOCK_ID: (str(int(LOCK) + 7), LOCK),
        Field.REASON: ("because", "why"),
    }
    with planned(tmp_path, *(correction(3, field, *texts) for field, texts in other.items())) as \
            journal:  # fmt: skip
        assert journal.counts()[Result.DUPLICATE] == 1
        assert len(journal.reading.corrections) == 3


def test_the_text_of_a_formula_stays_text(tmp_path: Path) -> None:
    with planned(tmp_path, correction(2, Field.REASON, "why", "=1+1")) as journal:
        assert journal.updates([2])[2].reason == "=1+1"
        assert next(iter(journal.result_rows())).cells[3] == "=1+1"


@pytest.mark.parametrize(
    "wrong",
    [
        {"old": "another text"},
        {"sheet": "Sheet1"},
        {"row": 9},
        {"field": Field.ACTION},
        {"column": "Comment"},
    ],
)
def test_a_correction_of_another_cell_is_not_applied_but_noted(
    tmp_path: Path, wrong: dict[str, object]
) -> None:
    one = replace(correction(2, Field.REASON, "why", "new"), **wrong)  # type: ignore[arg-type]
    with planned(tmp_path, one) as journal:
        assert journal.updates([2])[2].reason == "why"
        assert journal.reading.corrections == ()
        assert [(note.code, note.rows) for note in journal.reading.notes] == [
            ("correction_not_applied", 1)
        ]


def test_a_number_of_a_workbook_is_corrected(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEADER)
    sheet.append(("Deals", 5843104000000425565, LOCK, "why"))
    book.save(tmp_path / "a.xlsx")
    with plan_of_file(tmp_path / "a.xlsx") as journal:
        (cells,) = (row.cells for row in journal.result_rows())
        assert [one.code for one in journal.problems()] == ["lossy_number"]
    one = replace(correction(2, Field.RECORD_ID, display_text(cells[1]), RECORD), sheet=sheet.title)
    with plan_of_file(tmp_path / "a.xlsx", corrections=(one,)) as journal:
        assert [*journal.problems()] == []
        assert journal.updates([2])[2].record_id == RECORD


def test_a_browser_sends_back_the_mark_of_what_it_was_sent() -> None:
    assert text_mark("a\r\nb\rc\0\ud800") == text_mark("a\nb\nc\ufffd?")
    assert text_mark("a") != text_mark("b")


def test_the_digest_says_which_values_stand_in_which_cells() -> None:
    one, two = correction(2, Field.REASON, "a", "b"), correction(3, Field.REASON, "a", "c")
    assert digest_of([]) is None
    assert digest_of([one, two]) == digest_of([two, replace(one, person="Ben", at=2.0)])
    assert digest_of([one]) != digest_of([replace(one, new="d")])
