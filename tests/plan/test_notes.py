from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest
from support.plans import plan_of_file
from support.tables import HEADER, csv_text, write_text

from batchlock.core.reading import Note
from batchlock.core.results import Result
from batchlock.store.journal import Journal

RECORD, LOCK = 5843104_000000_425565, 5843104_000000_574404


def table(count: int, *, locks: Sequence[object] | None = None) -> list[Sequence[str]]:
    """Return a header and valid rows; `locks` replaces the lock ids."""
    rows = [
        ("Deals", str(RECORD + 7 * n), str(LOCK + 7 * n if locks is None else locks[n]), "why")
        for n in range(count)
    ]
    return [HEADER, *rows]


def notes_of(journal: Journal) -> dict[str, Note]:
    return {note.code: note for note in journal.reading.notes}


def filtered_workbook(path: Path, hidden: range) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in table(10):
        sheet.append([*row])
    for number in hidden:
        sheet.row_dimensions[number].hidden = True
    book.save(path)
    return path


def test_hidden_rows_are_noted_and_sent(tmp_path: Path) -> None:
    with plan_of_file(filtered_workbook(tmp_path / "a.xlsx", range(4, 12))) as journal:
        note = notes_of(journal)["hidden_rows"]
        assert (note.rows, note.ranges) == (8, "4-11")
        assert "Rows 4-11 are hidden by a filter or by hand" in note.message
        assert "--visible-only" in note.message
        assert journal.counts()[Result.NOT_SENT] == 10


def test_hidden_rows_are_left_out_on_request(tmp_path: Path) -> None:
    path = filtered_workbook(tmp_path / "a.xlsx", range(4, 12))
    with plan_of_file(path, visible_only=True) as journal:
        assert notes_of(journal) == {}
        assert journal.reading.rows_left_out == 8
        assert [row.row for row in journal.result_rows()] == [2, 3]


def test_a_lock_id_that_is_the_record_id_is_noted(tmp_path: Path) -> None:
    locks = [RECORD, LOCK, RECORD + 14]
    path = write_text(tmp_path, csv_text(*table(3, locks=locks)))
    with plan_of_file(path) as journal:
        note = notes_of(journal)["lock_id_is_record_id"]
        assert (note.rows, note.ranges) == (2, "2, 4")
        assert journal.counts()[Result.NOT_SENT] == 3


@pytest.mark.parametrize(
    ("title", "locks", "is_noted"),
    [
        ("Sperr-ID", [LOCK, LOCK + 7], True),
        ("Sperr-ID", [LOCK, ""], True),
        ("Account", [LOCK, LOCK], False),  # one account of two records
        ("Phone", [4915112345678, 4915112345679], False),
        ("Owner.id", [LOCK, LOCK + 7], False),
        ("Created_By", [LOCK, LOCK + 7], False),
        ("Deal", [RECORD, RECORD + 7], False),
        ("Lookup", [f"zcrm_{LOCK}", f"zcrm_{LOCK + 7}"], False),
    ],
)
def test_a_column_that_looks_like_unused_lock_ids_is_noted(
    tmp_path: Path, title: str, locks: Sequence[object], is_noted: bool
) -> None:
    header, *rows = table(2, locks=locks)
    titles = (*header[:2], title, header[3])
    with plan_of_file(write_text(tmp_path, csv_text(titles, *rows))) as journal:
        notes = notes_of(journal)
        assert set(notes) == ({"unused_lock_ids"} if is_noted else set())
        if is_noted:
            assert f'add --column lock_id="{title}".' in notes["unused_lock_ids"].message


def test_a_single_id_that_may_be_rounded_is_noted(tmp_path: Path) -> None:
    path = write_text(tmp_path, csv_text(*table(100), ("Deals", f"{10**18}", "", "why")))
    with plan_of_file(path) as journal:
        note = notes_of(journal)["maybe_rounded_id"]
        assert (note.rows, note.ranges) == (1, "102")
        assert '"1000000000000000000" in the column "Record Id" (row 102)' in note.message


def test_ids_that_end_in_zeros_by_chance_are_not_noted(tmp_path: Path) -> None:
    rows = [("Deals", str(5843104_000000_000001 + n), "", "why") for n in range(10_000)]
    path = write_text(tmp_path, csv_text(HEADER, *rows))
    with plan_of_file(path) as journal:
        assert notes_of(journal) == {}
        assert journal.counts()[Result.NOT_SENT] == 10_000


@pytest.mark.parametrize("cell", ["false", "FALSE", " False", "0", "No"])
@pytest.mark.parametrize("title", ["Locked", "Locked__s"])
def test_a_record_that_is_not_locked_is_a_problem(tmp_path: Path, cell: str, title: str) -> None:
    header, *rows = table(3)
    cells = [cell, "true", ""]
    lines = [(*row, cell) for row, cell in zip(rows, cells, strict=True)]
    path = write_text(tmp_path, csv_text((*header, title), *lines))
    with plan_of_file(path) as journal:
        (problem,) = journal.problems()
        assert (problem.row, problem.column, problem.code) == (2, title, "not_locked")
        assert "says that the record is not locked" in problem.message
        assert journal.counts()[Result.NOT_SENT] == 2
