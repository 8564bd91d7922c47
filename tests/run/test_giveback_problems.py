from pathlib import Path

import openpyxl
import pytest
from support.passes import FORMATS, Pass, correct, edit
from support.sheets import TITLES, lines, lock, record, rows, sheet

BAD_REASONS = {
    "a control character": '"a\x07b"',
    "an unquoted delimiter": "Held, says Legal",
    "a lone control character": "\x01",
}


@pytest.mark.parametrize("extension", FORMATS)
@pytest.mark.parametrize("problem", BAD_REASONS)
def test_a_reason_that_was_no_text_does_not_become_text(
    tmp_path: Path, problem: str, extension: str
) -> None:
    file = tmp_path / "in.csv"
    good = "Leads,5843104000000425565,,fine\n"
    bad = f"Leads,5843104000000425566,,{BAD_REASONS[problem]}\n"
    file.write_text(f"Module,Record Id,Lock Id,Reason\n{good}{bad}", "utf-8")
    Pass(file, tmp_path / f"1.{extension}")
    for number in (1, 2, 3):
        path = tmp_path / f"{number}.{extension}"
        again = Pass(path, tmp_path / f"{number + 1}.{extension}")
        assert again.sent == {}
        assert [one.code for one in again.problems] == ["bad_value"]
    correct(path, "Reason", "Held, says Legal")
    assert [one.reason for one in Pass(path, tmp_path / f"5.{extension}").sent.values()] == [
        "Held, says Legal"
    ]


@pytest.mark.parametrize("extension", FORMATS)
def test_half_of_an_unquoted_cell_is_not_sent_from_the_results(
    tmp_path: Path, extension: str
) -> None:
    file = tmp_path / "in.csv"
    good = "Leads,5843104000000425565,,fine\n"
    broken = "Leads,5843104000000425566,,Do not edit until\nlegal has signed\n"
    file.write_text(f"Module,Record Id,Lock Id,Reason\n{good}{broken}", "utf-8")
    assert [*Pass(file, tmp_path / f"1.{extension}").sent] == [2]
    for number in (1, 2, 3):
        again = Pass(tmp_path / f"{number}.{extension}", tmp_path / f"{number + 1}.{extension}")
        assert again.sent == {}
        assert {one.row for one in again.problems} == {3, 4}
    correct(tmp_path / f"4.{extension}", "Reason", "Do not edit until legal has signed")
    assert [*Pass(tmp_path / f"4.{extension}", tmp_path / f"5.{extension}").sent] == [3]


@pytest.mark.parametrize("extension", FORMATS)
@pytest.mark.parametrize("formula", ["=B2", "=1+1", '="a"&"b"'])
def test_a_formula_without_a_value_does_not_become_text(
    tmp_path: Path, formula: str, extension: str
) -> None:
    book = openpyxl.Workbook(write_only=True)
    page = book.create_sheet()
    page.append(TITLES)
    page.append(("Leads", record(1), lock(1), "fine"))
    page.append(("Leads", record(2), lock(2), formula))
    book.save(tmp_path / "in.xlsx")
    Pass(tmp_path / "in.xlsx", tmp_path / f"1.{extension}")
    for number in (1, 2):
        again = Pass(tmp_path / f"{number}.{extension}", tmp_path / f"{number + 1}.{extension}")
        assert (again.sent, [one.code for one in again.problems]) == ({}, ["bad_value"])
    correct(tmp_path / f"3.{extension}", "Result", "")
    updates = Pass(tmp_path / f"3.{extension}", tmp_path / f"4.{extension}").sent.values()
    assert [one.reason for one in updates] == [formula]


@pytest.mark.parametrize("extension", FORMATS)
def test_a_rounded_id_is_refused_after_most_others_were_corrected(
    tmp_path: Path, extension: str
) -> None:
    content = rows(300)
    for at in range(5):
        content[at] = (content[at][0], f"58431040000{at}2500000", *content[at][2:])
    first = Pass(sheet("in.csv", content), tmp_path / f"1.{extension}")
    assert [one.code for one in first.problems] == ["rounded_id"] * 5
    path = tmp_path / f"1.{extension}"
    result_lines = lines(path)
    for at in range(4):
        result_lines[at]["Record Id"] = record(5_000 + at)
    file = sheet(
        "again.csv",
        [[str(v or "") for v in one.values()] for one in result_lines],
        list(result_lines[0]),
    )
    again = Pass(file, tmp_path / "2.xlsx")
    assert [(one.row, one.column, one.code) for one in again.problems] == [
        (6, "Record Id", "rounded_id")
    ]
    assert sorted(again.sent) == [2, 3, 4, 5]


def test_a_rounded_id_is_refused_after_only_its_reason_was_corrected(tmp_path: Path) -> None:
    content = [("Leads", f"58431040000{n}2500000", f"58431040000{n}3500000", "w") for n in "1234"]
    Pass(sheet("in.csv", [*content, *rows(2)]), tmp_path / "1.csv")
    correct(tmp_path / "1.csv", "Reason", "another")
    again = Pass(tmp_path / "1.csv", tmp_path / "2.csv")
    assert {(one.column, one.code) for one in again.problems if one.row == 3} == {
        ("Record Id", "rounded_id"),
        ("Lock Id", "rounded_id"),
    }


def test_a_conflict_is_solved_by_deleting_one_of_the_rows(tmp_path: Path) -> None:
    content = [*rows(2), ("Leads", record(2), lock(2), "another reason")]
    first = Pass(sheet("in.csv", content), tmp_path / "1.xlsx")
    assert [one.code for one in first.problems] == ["conflict"] * 2
    edit(tmp_path / "1.xlsx", lambda page, _: page.delete_rows(4))
    again = Pass(tmp_path / "1.xlsx", tmp_path / "2.xlsx")
    assert [one.reason for one in again.sent.values()] == ["reason 2"]


def test_a_row_is_valid_once_its_only_problem_is_corrected(tmp_path: Path) -> None:
    content = [("Leads", record(1), lock(1), "fine"), ("Leeds", record(2), lock(2), "#1 priority")]
    Pass(sheet("in.csv", content), tmp_path / "1.xlsx")
    correct(tmp_path / "1.xlsx", "Module", "Leads")
    updates = Pass(tmp_path / "1.xlsx", tmp_path / "2.xlsx").sent.values()
    assert [one.reason for one in updates] == ["#1 priority"]
