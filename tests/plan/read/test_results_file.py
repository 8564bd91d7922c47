from pathlib import Path

import pytest
from support.tables import HEADER, MODULE, ROW, csv_text, load, write_text, write_xlsxwriter

from batchlock.core.results import RESULT_TITLES

OURS = ("updated", "200", "SUCCESS", "ok", "was", "", "1", "2025-03-14T05:00:00Z", "12", "2", "abc")


def test_the_result_columns_of_a_results_file_are_removed(tmp_path: Path) -> None:
    failed = ("", *OURS[1:10], " ")
    content = csv_text((*HEADER, *RESULT_TITLES), (*ROW, *OURS), (*ROW, *failed))
    loaded = load(write_text(tmp_path, content))
    assert loaded.table.titles == HEADER
    assert loaded.rows == {2: ROW, 3: ROW}
    assert loaded.previous == {2: ("updated", "abc"), 3: (None, None)}


def test_an_input_column_with_the_title_of_a_result_column_stays(tmp_path: Path) -> None:
    ours = [f"{title} (batchlock)" if title == "Code" else title for title in RESULT_TITLES]
    path = write_xlsxwriter(
        tmp_path / "r.xlsx", Results=[("Code", *HEADER, *ours), ("own", *ROW, *OURS)]
    )
    loaded = load(path)
    assert loaded.table.titles == ("Code", *HEADER)
    assert loaded.table.fields[MODULE] == 1
    assert loaded.rows == {2: ("own", *ROW)}


def test_input_columns_with_a_result_title_and_its_suffix_stay(tmp_path: Path) -> None:
    ours = [
        "Result (batchlock) (batchlock)" if title == "Result" else title for title in RESULT_TITLES
    ]
    header = (*HEADER, "Result", "Result (batchlock)", *ours)
    loaded = load(write_text(tmp_path, csv_text(header, (*ROW, "old", "older", *OURS))))
    assert loaded.table.titles == (*HEADER, "Result", "Result (batchlock)")
    assert loaded.previous == {2: ("updated", "abc")}


def test_an_input_with_some_result_titles_is_not_a_results_file(tmp_path: Path) -> None:
    loaded = load(write_text(tmp_path, csv_text((*HEADER, "Result", "Code"), (*ROW, "done", "x"))))
    assert loaded.table.titles == (*HEADER, "Result", "Code")
    assert loaded.previous == {2: (None, None)}


@pytest.mark.parametrize(
    ("written", "cell"),
    [
        ("'=1+1", "=1+1"),
        ("''quoted", "'quoted"),
        ("'-", "-"),
        ("'\ttab", "\ttab"),
        ("'plain", "'plain"),
        ("'", "'"),
    ],
)
def test_the_apostrophes_of_a_csv_results_file_are_removed(
    tmp_path: Path, written: str, cell: str
) -> None:
    header = (*HEADER, "'=Note", *RESULT_TITLES)
    loaded = load(write_text(tmp_path, csv_text(header, (*ROW[:3], written, "", *OURS))))
    assert loaded.table.titles == (*HEADER, "=Note")
    assert loaded.rows[2][3] == cell
    other = load(write_text(tmp_path, csv_text(HEADER, (*ROW[:3], written))))
    assert other.rows[2][3] == written


def test_the_column_beyond_is_counted_in_the_file(tmp_path: Path) -> None:
    content = csv_text((*HEADER, *RESULT_TITLES), (*ROW, *OURS, "x"))
    assert load(write_text(tmp_path, content)).beyond == {2: ("P", "x")}
    content = csv_text((*HEADER, *"x" * 22, "y"), (*ROW, *"x" * 23, "z"))
    assert load(write_text(tmp_path, content)).beyond == {2: ("AB", "z")}


def test_a_column_previous_reason_of_an_earlier_version_is_of_the_input(tmp_path: Path) -> None:
    before = tuple(title for title in RESULT_TITLES if title != "Previous reason")
    values = (*OURS[:4], *OURS[5:])
    content = csv_text((*HEADER, "Previous reason", *before), (*ROW, "mine", *values))
    assert load(write_text(tmp_path, content)).table.titles == (*HEADER, "Previous reason")
