import csv
from pathlib import Path

import openpyxl
import pytest
from support.commands import RunCommand
from support.sheets import balanced, lines, lock, record, rows, sheet
from support.zoho import StandIn

CONTENT = [
    *rows(1),
    ("Deal", "5.8431E+18", lock(2), "why"),
    ("Leads", record(3), "", ""),
]


def test_each_problem_is_a_comment_on_its_cell(run_in_process: RunCommand) -> None:
    done = run_in_process("check", sheet("in.csv", CONTENT), "-o", "checked.xlsx", "--json")
    assert done.code == 3
    assert done.json["output"] == str(Path("checked.xlsx").absolute())
    book = openpyxl.load_workbook("checked.xlsx")
    results = book["Results"]
    comments = {
        cell.coordinate: cell.comment.text
        for row in results.iter_rows()
        for cell in row
        if cell.comment
    }
    assert comments.keys() == {"A3", "B3", "D4"}
    assert "did you mean" in comments["A3"]
    assert results.auto_filter.ref == "A1:O4"
    coloured = {str(part.sqref) for part in results.conditional_formatting}
    assert {"A2:A4", "B2:B4", "D2:D4"} <= coloured
    first, second, third = lines("checked.xlsx")
    assert (first["Result"], first["Message"]) == (
        "not_sent",
        "Nothing is wrong with this row: a run sends it.",
    )
    assert second["Code"] == "unknown_module, lossy_number"
    assert second["Message"].startswith('Module: "Deal" is not')
    assert third["Code"] == "missing_value"
    texts = [str(cell.value) for row in book["Summary"].iter_rows() for cell in row]
    assert texts[0] == "3 rows: 1 can be sent, 2 have problems."
    assert 'module "Module", record id "Record Id", lock id "Lock Id", reason "Reason"' in texts


def test_in_csv_each_problem_stands_beside_its_cell(run_in_process: RunCommand) -> None:
    run_in_process("check", sheet("in.csv", CONTENT), "-o", "checked.csv")
    with Path("checked.csv").open(encoding="utf-8-sig", newline="") as file:
        titles, first, second, third = csv.reader(file)
    assert titles[:7] == [
        *("Module", "Module: problem", "Record Id", "Record Id: problem"),
        *("Lock Id", "Reason", "Reason: problem"),
    ]
    assert first[1] == first[3] == first[6] == ""
    assert "did you mean" in second[1]
    assert "rounded" in second[3]
    assert "blank" in third[6]


def test_the_rows_of_a_note_say_so(run_in_process: RunCommand) -> None:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.append(("Module", "Record Id", "Lock Id", "Reason"))
    for row in rows(3):
        page.append(row)
    page.row_dimensions[3].hidden = True
    book.save("in.xlsx")
    result = run_in_process("check", "in.xlsx", "-o", "checked.xlsx", "--json").json
    (note,) = result["notes"]
    assert (note["rows"], note["ranges"]) == (1, "3")
    codes = [line["Code"] for line in lines("checked.xlsx")]
    assert codes == [None, note["code"], None]
    assert f"Note: {note['message']}" in lines("checked.xlsx")[1]["Message"]


def test_a_checked_file_can_be_corrected_and_run(org: StandIn, run_in_process: RunCommand) -> None:
    run_in_process("check", sheet("in.csv", CONTENT), "-o", "checked.xlsx")
    book = openpyxl.load_workbook("checked.xlsx")
    results = book["Results"]
    results["A3"], results["B3"], results["D4"] = "Deals", record(2), "a reason"
    book.save("checked.xlsx")
    done = run_in_process("run", "checked.xlsx", "--json")
    assert balanced(done.json) == {"updated": 3}


@pytest.mark.parametrize("name", ["other.xlsx", "other.csv", "in.csv"])
def test_a_file_of_somebody_else_is_not_overwritten(run_in_process: RunCommand, name: str) -> None:
    sheet("in.csv", rows(1))
    if name != "in.csv":
        Path(name).write_bytes(b"mine")
    before = Path(name).read_bytes()
    done = run_in_process("check", "in.csv", "-o", name, "--json")
    assert (done.code, done.json["output"]) == (2, None)
    assert Path(name).read_bytes() == before


@pytest.mark.parametrize("name", ["checked.xlsx", "checked.csv"])
def test_a_checked_file_is_written_again(run_in_process: RunCommand, name: str) -> None:
    sheet("in.csv", rows(1))
    assert run_in_process("check", "in.csv", "-o", name).code == 0
    sheet("in.csv", rows(2))
    assert run_in_process("check", "in.csv", "-o", name).code == 0
    assert len(lines(name)) == 2


def test_a_folder_that_is_not_there_is_named(run_in_process: RunCommand) -> None:
    done = run_in_process("check", sheet("in.csv", rows(1)), "-o", "none/checked.xlsx")
    assert done.code == 2
    assert "cannot be written" in done.err
