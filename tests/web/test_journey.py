"""From a spreadsheet to its results, and back with the corrected rows."""

import io
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openpyxl
from support.commands import POSIX, RunCommand
from support.page_server import PageServer
from support.sheets import lines, rows, sheet
from support.visitor import Visitor, csv_content, file_content

PROBLEMS = "samples/problem_rows.xlsx"


def test_a_file_is_uploaded_checked_run_and_downloaded(someone: Visitor) -> None:
    upload = someone.check("locks.xlsx", file_content("samples/lock_updates.xlsx"))
    check = someone.get(upload).words
    assert "can be sent 200" in check
    assert "No real record is touched" in check
    run = someone.post(f"{upload}/start").location
    assert "Every row is as the file asks." in someone.results(run).words
    workbook = someone.get(f"{run}/results.xlsx")
    assert "locks-results-" in workbook.headers["Content-Disposition"]
    sheet = openpyxl.load_workbook(io.BytesIO(workbook.content), read_only=True)["Results"]
    assert [row[5].value for row in sheet.iter_rows(min_row=2)] == ["updated"] * 200
    Path("results.csv").write_bytes(someone.get(f"{run}/results.csv").content)
    assert {line["Result"] for line in lines("results.csv")} == {"updated"}


def _table(visitor: Visitor, path: str) -> str:
    """Return the HTML of the table of all rows on a check."""
    return visitor.get(path).text.partition('id="rows"')[2]


def test_every_problem_is_shown_on_its_cell(someone: Visitor) -> None:
    upload = someone.check("problems.xlsx", file_content(PROBLEMS))
    html = _table(someone, upload)
    assert len(re.findall(r'<th scope="row" class="number">(\d+)', html)) == 11
    assert all('class="problem"' in row for row in html.split("<tr class=")[1:])
    assert "did you mean" in html
    first_page = someone.get(f"{upload}?show=all").words
    assert "60 rows" in first_page
    assert "Page 1 of 2" in first_page
    assert _table(someone, f"{upload}?show=all&page=2").count('<th scope="row"') == 10
    assert "1 row" in someone.get(f"{upload}?show=all&words=unknown_module").words


def test_refused_rows_are_grouped_and_can_be_retried(someone: Visitor) -> None:
    run = someone.start("problems.xlsx", file_content(PROBLEMS))
    assert "Zoho knows no such module." in someone.results(run).words
    refused = someone.get(f"{run}?show=rejected&words=INVALID_MODULE")
    assert refused.text.count("<tr class=") == 1
    retry = someone.post(f"{run}/retry").location
    assert retry != run
    assert "retry of the rest" in someone.get(f"{someone.home}/history").words
    page = someone.results(retry)
    assert "The whole story Together: 2 runs" in page.words
    assert page.text.count(f'href="{run}"') == 1
    assert f'href="{retry}" aria-current="page"' in page.text


def test_only_the_corrected_rows_are_sent_again(someone: Visitor) -> None:
    content = csv_content(20, first=1_000) + b"Leads,5.8E+18,6843104000000000099,why\n"
    upload = someone.check("locks.csv", content)
    check = someone.get(upload).words
    assert "21 rows" in check
    assert "Download the 1 row with problems" in check
    assert someone.get(f"{upload}/problems.xlsx").status == 200
    run = someone.post(f"{upload}/start").location
    assert "20 updated, 1 invalid" in someone.results(run).words
    book = openpyxl.load_workbook(io.BytesIO(someone.get(f"{run}/results.xlsx").content))
    book["Results"]["B22"] = "5843104000000000099"
    corrected = io.BytesIO()
    book.save(corrected)
    # The browser saves the results under this name, by which they are recognised.
    name = f"locks-results-{run.rpartition('/')[2]}.xlsx"
    upload = someone.check(name, corrected.getvalue())
    assert "done by an earlier run" in someone.get(upload).words
    first, run = run, someone.post(f"{upload}/start").location
    results = someone.results(run).words
    assert "1 updated, 20 unchanged" in results
    # 21 calls for the rows, and up to two questions about the org in each run.
    assert re.search(r"Together: 2 runs, 21 of 21 rows done, 2[1-5] calls", results)
    # The first run is not done by itself, but its file is.
    assert "All 21 rows of the file are done. Later runs did the rest" in (someone.get(first).words)
    assert "Done by later runs" in someone.get(f"{someone.home}/history?words=locks").words
    answer = someone.post(f"{first}/retry")
    assert answer.status == 409
    assert "a retry would send its old values over them" in answer.words


def test_the_rows_with_problems_can_be_downloaded_alone(someone: Visitor) -> None:
    upload = someone.check("problems.xlsx", file_content(PROBLEMS))
    workbook = someone.get(f"{upload}/problems.xlsx")
    book = openpyxl.load_workbook(io.BytesIO(workbook.content))
    assert book["Results"].max_row == 1 + 11


def test_a_start_from_an_outdated_page_sends_nothing(someone: Visitor) -> None:
    upload = someone.check("one.csv", csv_content(3, first=2_000))
    someone.results(someone.post(f"{upload}/start").location)
    answer = someone.post(f"{upload}/start")
    assert answer.status == 409
    assert "was finished meanwhile" in answer.words
    [finished] = re.findall(r'name="finished" value="(.+?)"', someone.get(upload).text)
    run = someone.post(f"{upload}/start", {"finished": finished})
    assert run.status == 303
    someone.results(run.location)


def test_starting_a_file_twice_at_once_makes_one_run(someone: Visitor) -> None:
    upload = someone.check("twice.csv", csv_content(30, first=3_000))
    with ThreadPoolExecutor() as threads:
        answers = [threads.submit(someone.post, f"{upload}/start") for _ in range(5)]
    runs = {answer.result().location for answer in answers}
    assert len(runs) == 1
    assert "30 updated" in someone.results(runs.pop()).words
    assert someone.get(f"{someone.home}/history?words=twice.csv").words.count("twice.csv") == 1


@POSIX
def test_a_run_whose_file_name_is_not_unicode_is_shown(
    page: PageServer, someone: Visitor, run_subprocess: RunCommand
) -> None:
    name = os.fsdecode(b"Gr\xf6sse.csv")
    sheet(name, rows(2, first=4_000))
    completed = run_subprocess(
        "run", name, "--simulate", "-q", "-o", "out.csv", "--config", page.config
    )
    assert completed.code == 0, completed.err
    [run] = re.findall(
        r'href="(/orgs/[^/]+/runs/[\w-]+)">Gr\ufffdsse.csv',
        someone.get(f"{someone.home}/history").text,
    )
    assert someone.get(run).status == 200
    assert someone.get(f"{run}/results.csv").status == 200
