import csv
import shutil
import subprocess
from datetime import time
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape
from support.commands import RunCommand
from support.examples import examples
from support.passes import CELLS_AND_REASONS, FORMATS, Pass, edit, sort_by, workbook
from support.runs import REJECTED, results
from support.sheets import TITLES, balanced, lines, lock, record, rows, sheet
from support.zoho import ORG_CALLS, StandIn, Start

from batchlock.core.results import RESULT_TITLES, Result

REASONS = st.text(
    st.characters(exclude_categories=["Cs"])
    | st.sampled_from("=+-@'\"#\t\n\r;,|[]_ax0\u200f\u2028\u0301é\U0001f469\u200d"),
    min_size=1,
    max_size=30,
)


@settings(
    max_examples=examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    content=st.lists(st.tuples(REASONS, REASONS), max_size=6),
    titles=st.permutations([*TITLES, "Note", "Note", "", "Code", "result"]),
    formats=st.tuples(*[st.sampled_from(FORMATS)] * 3),
)
def test_updated_rows_are_never_sent_again(
    tmp_path: Path,
    content: list[tuple[str, str]],
    titles: list[str],
    formats: tuple[str, ...],
) -> None:
    while titles[-1] == "":
        titles.insert(0, titles.pop())
    input_rows = [
        [
            dict(zip(TITLES, ("Leads", record(n), lock(n), reason), strict=True)).get(title, note)
            for title in titles
        ]
        for n, (reason, note) in enumerate(content, 1)
    ]
    file = tmp_path / "in.csv"
    with file.open("w", encoding="utf-8-sig", newline="", errors="replace") as opened:
        csv.writer(opened, quoting=csv.QUOTE_ALL).writerows([titles, *input_rows])
    if "\0" in file.read_text("utf-8"):
        file.write_bytes(file.read_bytes().replace(b"\0", b"x"))
    first = Pass(file, tmp_path / f"0.{formats[0]}")
    file = tmp_path / f"0.{formats[0]}"
    assert first.titles == tuple(titles)
    for number, extension in enumerate(formats[1:], 1):
        again = Pass(file, tmp_path / f"{number}.{extension}")
        assert again.titles == tuple(titles)
        assert again.sent == {}
        assert again.planned[Result.UNCHANGED] == len(first.sent)
        assert again.planned[Result.INVALID] == first.planned[Result.INVALID]
        file = tmp_path / f"{number}.{extension}"


@pytest.mark.parametrize("extension", FORMATS)
def test_a_reason_of_any_cell_type_is_sent_once(tmp_path: Path, extension: str) -> None:
    content = [
        ("Leads", record(n), lock(n), cell) for n, (cell, _) in enumerate(CELLS_AND_REASONS, 1)
    ]
    file = workbook(tmp_path / "in.xlsx", [TITLES, *content])
    first = Pass(file, tmp_path / f"1.{extension}")
    assert [one.reason for one in first.sent.values()] == [
        reason for _, reason in CELLS_AND_REASONS
    ]
    again = Pass(tmp_path / f"1.{extension}", tmp_path / f"2.{extension}")
    assert (again.sent, again.problems) == ({}, [])
    assert again.planned[Result.UNCHANGED] == len(CELLS_AND_REASONS)


@pytest.mark.parametrize("extension", FORMATS)
def test_text_arrives_unchanged_in_zoho_and_in_the_results(
    stand_in: Start, run_in_process: RunCommand, extension: str
) -> None:
    zoho = stand_in()
    zoho.config()
    texts = [reason for _, reason in CELLS_AND_REASONS]
    content = [("Leads", record(n), lock(n), text) for n, text in enumerate(texts)]
    file = sheet("in.csv", content)
    completed = run_in_process("run", file, "--json", "-o", f"out.{extension}")
    assert (completed.code, balanced(completed.json)) == (0, {"updated": len(texts)})
    locks = zoho.locks()
    assert [locks[f"Leads/{record(n)}"]["reason"] for n in range(len(texts))] == texts
    reasons = [line["Reason"] for line in lines(f"out.{extension}")]
    if extension == "csv":
        reasons = [text[1:] if text[0] == "'" and text[1] in "=+-@'" else text for text in reasons]
    else:
        reasons = [unescape(text) for text in reasons]
    assert reasons == texts


def test_only_open_rows_are_sent_after_the_results_were_edited(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    content = rows(1_000)
    refused = range(3, 963, 48)
    before = stand_in()
    before.config()
    # Locks that have another id than the file will say.
    run_in_process(
        "run",
        sheet("other.csv", [("Leads", record(at + 1), lock(9_000 + at), "a") for at in refused]),
    )
    content[10] = ("Leeds", *content[10][1:])
    content[20] = (*content[20][:3], "")
    first = run_in_process("run", sheet("in.csv", content), "--json", "-o", "first.xlsx").json
    assert balanced(first) == {"updated": 978, "rejected": 20, "invalid": 2}

    def edit_results(page: Any, columns: dict[str, int]) -> None:
        page.cell(12, columns["Module"]).value = "Leads"
        page.cell(500, columns["Reason"]).value = "edited by hand"
        sort_by(page, columns["Reason"])

    edit(Path("first.xlsx"), edit_results)
    zoho = stand_in()  # where the same locks are as the file says
    zoho.config()
    second = run_in_process("run", "first.xlsx", "--json", "-o", "second.xlsx").json
    assert balanced(second) == {"updated": 22, "unchanged": 977, "invalid": 1}
    assert calls(zoho) == second["requests"] - ORG_CALLS == 22
    third = run_in_process("run", "second.xlsx", "--json", "-o", "third.csv").json
    fourth = run_in_process("run", "third.csv", "--json", "-o", "fourth.xlsx").json
    assert balanced(third) == balanced(fourth) == {"unchanged": 999, "invalid": 1}
    assert calls(zoho) == 22
    assert list(lines("fourth.xlsx")[0]) == [*TITLES, *RESULT_TITLES]


def calls(zoho: StandIn) -> int:
    calls_by_kind: dict[str, int] = zoho.state()["calls"]
    return sum(calls_by_kind[kind] for kind in ("put", "get", "post", "delete"))


def test_filtered_and_shortened_results_are_recognised(tmp_path: Path) -> None:
    file = sheet("in.csv", rows(20))
    Pass(file, tmp_path / "1.xlsx")

    def edit_results(page: Any, columns: dict[str, int]) -> None:
        page.auto_filter.add_filter_column(columns["Result"] - 1, ["updated"])
        page.row_dimensions[4].hidden = True
        page.cell(4, columns["Reason"]).value = "hidden, and changed"
        page.delete_rows(6, 10)
        page.delete_cols(columns["Duration ms"])
        page.delete_cols(columns["Message"])

    edit(tmp_path / "1.xlsx", edit_results)
    again = Pass(tmp_path / "1.xlsx", tmp_path / "2.xlsx")
    assert [one.reason for one in again.sent.values()] == ["hidden, and changed"]
    assert again.planned[Result.UNCHANGED] == 9
    assert again.titles == TITLES


SOFFICE = shutil.which("soffice")


@pytest.mark.skipif(SOFFICE is None, reason="needs LibreOffice")
@pytest.mark.parametrize(
    ("extension", "filter_name"),
    [
        ("xlsx", "xlsx"),
        ("ods", "ods"),
        ("xls", "xls"),
        ("csv", "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,2"),
    ],
)
def test_results_saved_by_libreoffice_are_recognised(
    tmp_path: Path, extension: str, filter_name: str
) -> None:
    # LibreOffice forgets that a cell is a boolean, and writes numbers its own way; and in a CSV
    # nobody can tell its apostrophe before a formula from ours.
    as_csv: set[object] = {
        True,
        1e-7,
        1e-12,
        time(17, 5),
        CELLS_AND_REASONS[9][0],
        "'=quoted",
        "''",
    }
    lost = as_csv if extension == "csv" else {True} if extension == "ods" else set()
    cells = [
        *(one for one in CELLS_AND_REASONS if one[0] not in lost),
        *(("", "") for _ in range(2)),
    ]
    content = [("Leads", record(n), lock(n), cell) for n, (cell, _) in enumerate(cells, 1)]
    file = workbook(tmp_path / "in.xlsx", [TITLES, *content])
    first = Pass(file, tmp_path / "results.xlsx")
    saved_folder = tmp_path / "saved"
    subprocess.run(
        [str(SOFFICE), f"-env:UserInstallation={(tmp_path / 'office').as_uri()}", "--headless",
         "--convert-to", filter_name, "--outdir", str(saved_folder),
         str(tmp_path / "results.xlsx")],
        check=True, capture_output=True,
    )  # fmt: skip
    (file,) = saved_folder.iterdir()
    again = Pass(file, tmp_path / "again.xlsx")
    assert [one.reason for one in again.sent.values()] == []
    assert again.planned[Result.UNCHANGED] == len(first.sent)
    assert again.planned[Result.INVALID] == 2


def test_changed_line_ends_are_no_change_of_the_reason(tmp_path: Path) -> None:
    content = [("Leads", record(n), lock(n), f"a{end}b") for n, end in enumerate(["\n", "\r\n"])]
    Pass(sheet("in.csv", content), tmp_path / "1.csv")
    path = tmp_path / "1.csv"
    path.write_bytes(path.read_bytes().replace(b"a\r\nb", b"a\nb"))
    assert Pass(path, tmp_path / "2.csv").sent == {}


@pytest.mark.parametrize("extension", FORMATS)
def test_input_columns_with_the_titles_of_result_columns_are_kept(
    tmp_path: Path, extension: str
) -> None:
    titles = ("Code", *TITLES, "", "Result", "x", "x", "row CHECK")
    content = [(f"c{n}", *row, "blank", "theirs", "1", "2", "3") for n, row in enumerate(rows(3))]
    Pass(sheet("in.csv", content, titles), tmp_path / f"1.{extension}")
    for number in (1, 2, 3):
        path = tmp_path / f"{number}.{extension}"
        again = Pass(path, tmp_path / f"{number + 1}.{extension}")
        assert again.titles == titles
        assert again.sent == {}
        assert [row.cells for row in again.result_rows] == content
        result_lines = lines(path)[0]
        assert (result_lines["Code"], result_lines["Result"]) == ("c0", "theirs")
        assert result_lines["Result (batchlock)"] == ("updated" if number == 1 else "unchanged")
        assert len(result_lines["Row check (batchlock)"]) == 12


def test_only_the_open_rows_of_a_results_workbook_are_sent(
    org: StandIn, run_in_process: RunCommand
) -> None:
    content = [*rows(3), ("Leads", REJECTED, lock(8), "why"), ("Leeds", record(9), lock(9), "why")]
    first = run_in_process("run", sheet("in.csv", content), "--json", "-o", "first.xlsx").json
    assert results(first) == ["updated"] * 3 + ["rejected", "invalid"]
    book = openpyxl.load_workbook("first.xlsx")
    page = book["Results"]
    titles = [cell.value for cell in page[1]]
    page.cell(row=3, column=titles.index("Reason") + 1).value = "another"
    page.cell(row=5, column=titles.index("Record Id") + 1).value = record(8)
    page.cell(row=6, column=titles.index("Module") + 1).value = "Leads"
    book.save("first.xlsx")
    book.close()
    puts = org.state()["calls"]["put"]
    again = run_in_process("run", "first.xlsx", "--json", "-o", "second.xlsx").json
    table = lines("second.xlsx")
    assert [line["Result"] for line in table] == [
        "unchanged",
        "updated",
        "unchanged",
        "updated",
        "updated",
    ]
    assert list(table[0]) == titles
    assert org.state()["calls"]["put"] == puts + 3
    assert org.locks()[f"Leads/{record(2)}"]["reason"] == "another"
    assert balanced(again) == {"updated": 3, "unchanged": 2}


def test_only_the_open_rows_of_csv_results_are_sent(
    org: StandIn, run_in_process: RunCommand
) -> None:
    content = [*rows(2), ("Leads", REJECTED, lock(8), "=why")]
    run_in_process("run", sheet("in.csv", content), "-o", "first.csv")
    again = run_in_process("run", "first.csv", "--json", "-o", "second.csv").json
    assert balanced(again) == {"unchanged": 2, "rejected": 1}
    assert org.state()["calls"]["put"] == 4
