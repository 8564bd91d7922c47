import csv
import shutil
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter  # type: ignore[import-untyped]  # comes without types
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape
from support.commands import Run
from support.sheets import TITLES, balanced, lines, lock, record, rows, sheet
from support.zoho import StandIn, Start

from batchlock.core.results import RESULT_TITLES, Outcome, Result, Status, Summary
from batchlock.plan.child_main import ReadRequest
from batchlock.plan.child_main import plan_file as read
from batchlock.report.results import write_results
from batchlock.store.journal import Journal, RunInfo

NOW = datetime(2026, 3, 14, tzinfo=UTC)
ABOUT = RunInfo(
    run_id="20260314-020304-1f3a",
    kind="run",
    org="acme",
    environment="production",
    api_url="https://example.invalid",
    file="in.xlsx",
    sha256="ab",
    identity="cd",
    started_at=NOW,
    version="1",
)
FORMATS = ("xlsx", "csv")


class Pass:
    """One pass of a file through plan, sending and results, in which Zoho takes every row."""

    def __init__(self, file: Path, results: Path) -> None:
        path = results.with_suffix(".journal")
        path.unlink(missing_ok=True)
        read(ReadRequest(file=file, journal=path, run_info=ABOUT))
        with Journal.open(path) as journal:
            self.planned = journal.counts()
            self.problems = list(journal.problems())
            self.titles = journal.info.titles
            self.sent = {}
            while claimed := journal.commit_batch((), claim=1_000):
                self.sent.update({update.row: update for update in claimed})
                done = [
                    Outcome(row=one.row, status=Status.UPDATED, http_status=200, finished_at=NOW)
                    for one in claimed
                ]
                journal.commit_batch(done)
            self.lines = list(journal.result_rows())
            counts = journal.counts()
            summary = Summary(
                run_id="x", file="in.xlsx", sheet=None, sha256="ab", version="1", settings={},
                rows=sum(counts.values()), settled=journal.settled(), counts=counts, causes=(),
                started_at=NOW, finished_at=NOW, seconds=1.0,
            )  # fmt: skip
            write_results(results, results.parent, self.titles, journal.result_rows, summary)


def workbook(path: Path, content: Sequence[Sequence[Any]]) -> Path:
    """Write a workbook in which text is text."""
    with xlsxwriter.Workbook(path, {"strings_to_formulas": False}) as book:
        dates = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        page = book.add_worksheet("Locks")
        for at, row in enumerate(content):
            for column, cell in enumerate(row):
                if isinstance(cell, str):
                    page.write_string(at, column, cell)
                elif isinstance(cell, (date, time, timedelta)):
                    page.write_datetime(at, column, cell, dates)
                elif cell is not None:
                    page.write(at, column, cell)
    return path


def edit(path: Path, change: Callable[[Any, dict[str, int]], None]) -> None:
    """Change the sheet of results by hand; `change` gets it and where each column is."""
    book = openpyxl.load_workbook(path)
    page = book["Results"]
    change(page, {str(cell.value): cell.column or 0 for cell in page[1]})
    book.save(path)
    book.close()


def sort_by(page: Any, column: int) -> None:
    content = [[cell.value for cell in row] for row in page.iter_rows(min_row=2)]
    content.sort(key=lambda row: str(row[column - 1]), reverse=True)
    for at, row in enumerate(content, 2):
        for position, value in enumerate(row, 1):
            cell = page.cell(at, position)
            cell.value = value
            if isinstance(value, str):
                cell.data_type = "s"


# -- round and round ------------------------------------------------------------------------

REASONS = st.text(
    st.characters(exclude_categories=["Cs"])
    | st.sampled_from("=+-@'\"#\t\n\r;,|[]_ax0\u200f\u2028\u0301é\U0001f469\u200d"),
    min_size=1,
    max_size=30,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.lists(st.tuples(REASONS, REASONS), max_size=6),
    titles=st.permutations([*TITLES, "Note", "Note", "", "Code", "result"]),
    formats=st.tuples(*[st.sampled_from(FORMATS)] * 3),
)
def test_what_zoho_took_is_left_alone_any_number_of_times(
    tmp_path: Path,
    content: list[tuple[str, str]],
    titles: list[str],
    formats: tuple[str, ...],
) -> None:
    while titles[-1] == "":
        titles.insert(0, titles.pop())
    given_rows = [
        [
            dict(zip(TITLES, ("Leads", record(n), lock(n), reason), strict=True)).get(title, note)
            for title in titles
        ]
        for n, (reason, note) in enumerate(content, 1)
    ]
    file = tmp_path / "in.csv"
    with file.open("w", encoding="utf-8-sig", newline="", errors="replace") as opened:
        csv.writer(opened, quoting=csv.QUOTE_ALL).writerows([titles, *given_rows])
    if "\0" in file.read_text("utf-8"):
        file.write_bytes(file.read_bytes().replace(b"\0", b"x"))
    first = Pass(file, tmp_path / f"0.{formats[0]}")
    file = tmp_path / f"0.{formats[0]}"
    assert first.titles == tuple(titles)
    for number, ending in enumerate(formats[1:], 1):
        again = Pass(file, tmp_path / f"{number}.{ending}")
        assert again.titles == tuple(titles)
        assert again.sent == {}
        assert again.planned[Result.UNCHANGED] == len(first.sent)
        assert again.planned[Result.INVALID] == first.planned[Result.INVALID]
        file = tmp_path / f"{number}.{ending}"


TYPED = [
    (42, "42"),
    (42.5, "42.5"),
    (0.1 + 0.2, "0.3"),
    (1e-7, "0.0000001"),
    (1e-12, "1E-12"),
    (1234567890123456, "1.23456789012346E+15"),
    (-5, "-5"),
    (True, "TRUE"),
    (date(2025, 3, 14), "2025-03-14"),
    (datetime(2025, 3, 14, 17, 5), "2025-03-14 17:05"),  # noqa: DTZ001 - cells have no time zone
    (datetime(2025, 3, 14, 17, 5, 59), "2025-03-14 17:05:59"),  # noqa: DTZ001 - the same
    (time(17, 5), "17:05"),
    ("N/A", "N/A"),
    ("NULL", "NULL"),
    ("TRUE", "TRUE"),
    ("007", "007"),
    ("=1+1", "=1+1"),
    ("'Tis", "'Tis"),
    ("'=quoted", "'=quoted"),
    ("''", "''"),
    ("-5 %", "-5 %"),
    ("+49 30 1234", "+49 30 1234"),
    ("@home", "@home"),
    ("1/2", "1/2"),
    ("2025-03-14", "2025-03-14"),
    ("1E5", "1E5"),
    ("two\nlines", "two\nlines"),
    ("two\r\nlines", "two\r\nlines"),
    ("_x000D_ <r>a</r> &amp;", "_x000D_ <r>a</r> &amp;"),
    (
        "👩\u200d🔬 e\u0301 \u202bقيد المراجعة\u202c 審査中",
        "👩\u200d🔬 e\u0301 \u202bقيد المراجعة\u202c 審査中",
    ),
]


@pytest.mark.parametrize("ending", FORMATS)
def test_a_reason_of_any_type_is_asked_for_once(tmp_path: Path, ending: str) -> None:
    content = [("Leads", record(n), lock(n), cell) for n, (cell, _) in enumerate(TYPED, 1)]
    file = workbook(tmp_path / "in.xlsx", [TITLES, *content])
    first = Pass(file, tmp_path / f"1.{ending}")
    assert [one.reason for one in first.sent.values()] == [reason for _, reason in TYPED]
    again = Pass(tmp_path / f"1.{ending}", tmp_path / f"2.{ending}")
    assert (again.sent, again.problems) == ({}, [])
    assert again.planned[Result.UNCHANGED] == len(TYPED)


@pytest.mark.parametrize("ending", FORMATS)
def test_text_survives_to_zoho_and_into_the_results(
    stand_in: Start, here: Run, ending: str
) -> None:
    zoho = stand_in()
    zoho.config()
    texts = [reason for _, reason in TYPED]
    content = [("Leads", record(n), lock(n), text) for n, text in enumerate(texts)]
    file = sheet("in.csv", content)
    done = here("run", file, "--json", "-o", f"out.{ending}")
    assert (done.code, balanced(done.json)) == (0, {"updated": len(texts)})
    locks = zoho.locks()
    assert [locks[f"Leads/{record(n)}"]["reason"] for n in range(len(texts))] == texts
    found = [line["Reason"] for line in lines(f"out.{ending}")]
    if ending == "csv":
        found = [text[1:] if text[0] == "'" and text[1] in "=+-@'" else text for text in found]
    else:
        found = [unescape(text) for text in found]
    assert found == texts


# -- by hand --------------------------------------------------------------------------------


def test_only_what_is_left_goes_out_however_the_file_was_changed(
    stand_in: Start, here: Run
) -> None:
    content = rows(1_000)
    refused = range(3, 963, 48)
    before = stand_in()
    before.config()
    # Locks that have another id than the file will say.
    here(
        "run",
        sheet("other.csv", [("Leads", record(at + 1), lock(9_000 + at), "a") for at in refused]),
    )
    content[10] = ("Leeds", *content[10][1:])
    content[20] = (*content[20][:3], "")
    first = here("run", sheet("in.csv", content), "--json", "-o", "first.xlsx").json
    assert balanced(first) == {"updated": 978, "rejected": 20, "invalid": 2}

    def by_hand(page: Any, columns: dict[str, int]) -> None:
        page.cell(12, columns["Module"]).value = "Leads"
        page.cell(500, columns["Reason"]).value = "edited by hand"
        sort_by(page, columns["Reason"])

    edit(Path("first.xlsx"), by_hand)
    zoho = stand_in()  # where the same locks are as the file says
    zoho.config()
    second = here("run", "first.xlsx", "--json", "-o", "second.xlsx").json
    assert balanced(second) == {"updated": 22, "unchanged": 977, "invalid": 1}
    assert calls(zoho) == second["requests"] == 22
    third = here("run", "second.xlsx", "--json", "-o", "third.csv").json
    fourth = here("run", "third.csv", "--json", "-o", "fourth.xlsx").json
    assert balanced(third) == balanced(fourth) == {"unchanged": 999, "invalid": 1}
    assert calls(zoho) == 22
    assert list(lines("fourth.xlsx")[0]) == [*TITLES, *RESULT_TITLES]


def calls(zoho: StandIn) -> int:
    told: dict[str, int] = zoho.state()["calls"]
    return sum(told[kind] for kind in ("put", "get", "post", "delete"))


def test_filtered_and_shortened_results_are_as_good(tmp_path: Path) -> None:
    file = sheet("in.csv", rows(20))
    Pass(file, tmp_path / "1.xlsx")

    def by_hand(page: Any, columns: dict[str, int]) -> None:
        page.auto_filter.add_filter_column(columns["Result"] - 1, ["updated"])
        page.row_dimensions[4].hidden = True
        page.cell(4, columns["Reason"]).value = "hidden, and changed"
        page.delete_rows(6, 10)
        page.delete_cols(columns["Duration ms"])
        page.delete_cols(columns["Message"])

    edit(tmp_path / "1.xlsx", by_hand)
    again = Pass(tmp_path / "1.xlsx", tmp_path / "2.xlsx")
    assert [one.reason for one in again.sent.values()] == ["hidden, and changed"]
    assert again.planned[Result.UNCHANGED] == 9
    assert again.titles == TITLES


OFFICE = shutil.which("soffice")


@pytest.mark.skipif(OFFICE is None, reason="needs LibreOffice")
@pytest.mark.parametrize(
    ("ending", "how"),
    [
        ("xlsx", "xlsx"),
        ("ods", "ods"),
        ("xls", "xls"),
        ("csv", "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,2"),
    ],
)
def test_results_saved_by_libreoffice_are_as_good(tmp_path: Path, ending: str, how: str) -> None:
    # LibreOffice forgets that a cell is a boolean, and writes numbers its own way; and in a CSV
    # nobody can tell its apostrophe before a formula from ours.
    as_csv: set[object] = {True, 1e-7, 1e-12, time(17, 5), TYPED[9][0], "'=quoted", "''"}
    lost = as_csv if ending == "csv" else {True} if ending == "ods" else set()
    cells = [*(one for one in TYPED if one[0] not in lost), *(("", "") for _ in range(2))]
    content = [("Leads", record(n), lock(n), cell) for n, (cell, _) in enumerate(cells, 1)]
    file = workbook(tmp_path / "in.xlsx", [TITLES, *content])
    first = Pass(file, tmp_path / "results.xlsx")
    saved = tmp_path / "saved"
    subprocess.run(
        [str(OFFICE), f"-env:UserInstallation={(tmp_path / 'office').as_uri()}", "--headless",
         "--convert-to", how, "--outdir", str(saved), str(tmp_path / "results.xlsx")],
        check=True, capture_output=True,
    )  # fmt: skip
    (file,) = saved.iterdir()
    again = Pass(file, tmp_path / "again.xlsx")
    assert [one.reason for one in again.sent.values()] == []
    assert again.planned[Result.UNCHANGED] == len(first.sent)
    assert again.planned[Result.INVALID] == 2


def test_line_ends_that_a_spreadsheet_changed_ask_for_nothing(tmp_path: Path) -> None:
    content = [("Leads", record(n), lock(n), f"a{end}b") for n, end in enumerate(["\n", "\r\n"])]
    Pass(sheet("in.csv", content), tmp_path / "1.csv")
    path = tmp_path / "1.csv"
    path.write_bytes(path.read_bytes().replace(b"a\r\nb", b"a\nb"))
    assert Pass(path, tmp_path / "2.csv").sent == {}


# -- titles ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", FORMATS)
def test_columns_of_the_input_with_titles_like_ours_stay_its_own(
    tmp_path: Path, ending: str
) -> None:
    titles = ("Code", *TITLES, "", "Result", "x", "x", "row CHECK")
    content = [(f"c{n}", *row, "blank", "theirs", "1", "2", "3") for n, row in enumerate(rows(3))]
    Pass(sheet("in.csv", content, titles), tmp_path / f"1.{ending}")
    for number in (1, 2, 3):
        path = tmp_path / f"{number}.{ending}"
        again = Pass(path, tmp_path / f"{number + 1}.{ending}")
        assert again.titles == titles
        assert again.sent == {}
        assert [line.cells for line in again.lines] == content
        found = lines(path)[0]
        assert (found["Code"], found["Result"]) == ("c0", "theirs")
        assert found["Result (batchlock)"] == ("updated" if number == 1 else "unchanged")
        assert len(found["Row check (batchlock)"]) == 12


# -- what results cannot show -----------------------------------------------------------------

HIDDEN = {
    "a control character": '"a\x07b"',
    "an unquoted delimiter": "Held, says Legal",
    "a lone control character": "\x01",
}


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("what", HIDDEN)
def test_a_reason_that_was_no_text_does_not_become_text(
    tmp_path: Path, what: str, ending: str
) -> None:
    file = tmp_path / "in.csv"
    good = "Leads,5843104000000425565,,fine\n"
    bad = f"Leads,5843104000000425566,,{HIDDEN[what]}\n"
    file.write_text(f"Module,Record Id,Lock Id,Reason\n{good}{bad}", "utf-8")
    Pass(file, tmp_path / f"1.{ending}")
    for number in (1, 2, 3):
        path = tmp_path / f"{number}.{ending}"
        again = Pass(path, tmp_path / f"{number + 1}.{ending}")
        assert again.sent == {}
        assert [one.code for one in again.problems] == ["bad_value"]
    correct(path, "Reason", "Held, says Legal")
    assert [one.reason for one in Pass(path, tmp_path / f"5.{ending}").sent.values()] == [
        "Held, says Legal"
    ]


def correct(path: Path, title: str, text: str) -> None:
    """Type something in the third line of results."""
    if path.suffix == ".xlsx":
        edit(path, lambda page, columns: page.cell(3, columns[title], text) and None)
        return
    with path.open(encoding="utf-8-sig", newline="") as file:
        content = list(csv.reader(file))
    content[2][content[0].index(title)] = text
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(content)


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("formula", ["=B2", "=1+1", '="a"&"b"'])
def test_a_formula_without_a_value_does_not_become_text(
    tmp_path: Path, formula: str, ending: str
) -> None:
    book = openpyxl.Workbook(write_only=True)
    page = book.create_sheet()
    page.append(TITLES)
    page.append(("Leads", record(1), lock(1), "fine"))
    page.append(("Leads", record(2), lock(2), formula))
    book.save(tmp_path / "in.xlsx")
    Pass(tmp_path / "in.xlsx", tmp_path / f"1.{ending}")
    for number in (1, 2):
        again = Pass(tmp_path / f"{number}.{ending}", tmp_path / f"{number + 1}.{ending}")
        assert (again.sent, [one.code for one in again.problems]) == ({}, ["bad_value"])
    correct(tmp_path / f"3.{ending}", "Result", "")
    out = Pass(tmp_path / f"3.{ending}", tmp_path / f"4.{ending}").sent.values()
    assert [one.reason for one in out] == [formula]


@pytest.mark.parametrize("ending", FORMATS)
def test_rounded_ids_stay_so_when_most_were_corrected(tmp_path: Path, ending: str) -> None:
    content = rows(300)
    for at in range(5):
        content[at] = (content[at][0], f"58431040000{at}2500000", *content[at][2:])
    first = Pass(sheet("in.csv", content), tmp_path / f"1.{ending}")
    assert [one.code for one in first.problems] == ["rounded_id"] * 5
    path = tmp_path / f"1.{ending}"
    found = lines(path)
    for at in range(4):
        found[at]["Record Id"] = record(5_000 + at)
    file = sheet(
        "again.csv", [[str(v or "") for v in one.values()] for one in found], list(found[0])
    )
    again = Pass(file, tmp_path / "2.xlsx")
    assert [(one.row, one.column, one.code) for one in again.problems] == [
        (6, "Record Id", "rounded_id")
    ]
    assert sorted(again.sent) == [2, 3, 4, 5]


def test_a_rounded_id_stays_so_when_only_its_reason_was_corrected(tmp_path: Path) -> None:
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


def test_an_invalid_row_for_another_cause_needs_only_that_mended(tmp_path: Path) -> None:
    content = [("Leads", record(1), lock(1), "fine"), ("Leeds", record(2), lock(2), "#1 priority")]
    Pass(sheet("in.csv", content), tmp_path / "1.xlsx")
    correct(tmp_path / "1.xlsx", "Module", "Leads")
    out = Pass(tmp_path / "1.xlsx", tmp_path / "2.xlsx").sent.values()
    assert [one.reason for one in out] == ["#1 priority"]


# -- retry ------------------------------------------------------------------------------------

REFUSED = "990000000000000103"
BROKEN = "990000000000000201"


def test_retry_sends_the_refused_ones_again_unless_told_otherwise(
    stand_in: Start, here: Run
) -> None:
    zoho = stand_in()
    zoho.config(retry={"attempts": 1, "first_wait": 0.01})
    content = [
        *rows(2),
        ("Leads", REFUSED, lock(7), "why"),
        ("Leads", BROKEN, lock(8), "why"),
        ("Leads", REFUSED, lock(7), "why"),
        ("Leeds", record(9), lock(9), "why"),
    ]
    first = here("run", sheet("in.csv", content), "--json").json
    assert balanced(first) == {
        "updated": 2, "rejected": 1, "failed": 1, "duplicate": 1, "invalid": 1,
    }  # fmt: skip
    only = here("retry", first["run_id"], "--only", "failed", "--json").json
    assert balanced(only) == {"failed": 1, "invalid": 1}
    assert [line["Source row"] for line in lines(only["output"])] == [5, 7]
    every = here("retry", first["run_id"], "--json").json
    assert balanced(every) == {"rejected": 1, "failed": 1, "duplicate": 1, "invalid": 1}


def test_there_is_nothing_to_retry_when_the_rest_was_refused(stand_in: Start, here: Run) -> None:
    zoho = stand_in()
    zoho.config()
    first = here("run", sheet("in.csv", [*rows(1), ("Leads", REFUSED, lock(7), "w")]), "--json")
    done = here("retry", first.json["run_id"], "--only", "failed", "--json")
    assert (done.code, done.json["rows"]) == (0, 0)
    assert done.json["message"].endswith("except those that Zoho refused.")
    assert zoho.state()["calls"]["put"] == 2
