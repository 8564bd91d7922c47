"""Uploading files: what is checked, what is refused, and what a person can choose."""

import io
from pathlib import Path

import openpyxl
import pytest
from support.commands import RunCommand
from support.page_server import served_page
from support.sheets import rows
from support.visitor import Visitor, csv_content, file_content, write_config

from batchlock.web.wording import page_words


def test_several_files_are_checked_one_by_one(someone: Visitor) -> None:
    someone.check("one.csv", csv_content(2, first=1))
    someone.check("two.csv", csv_content(3, first=9))
    home = someone.get(someone.home).words
    assert "one.csv" in home
    assert "two.csv" in home
    assert "Checked" in home


def test_the_encoding_that_reads_right_is_chosen_and_remembered(someone: Visitor) -> None:
    titles = "Module,Record Id,Lock Id,Reason\n"
    row = "Deals,5843104000000425504,5843104000000574404,{}\n"
    content = (titles + row.format("Umowa zakończona w zeszłym roku")).encode("cp1250")
    upload = someone.check("umowy.csv", content)
    refused = someone.get(upload).words
    assert "Which of these reads right?" in refused
    assert "Umowa zakończona w zeszłym roku" in refused
    assert "Central European (Windows-1250)" in refused
    assert someone.post(f"{upload}/read", {"encoding": "windows-1250"}).location == upload
    someone.wait_for(upload, "can be sent 1")
    content = (titles + row.format("Zapłacono już w październiku")).encode("cp1250")
    checked = someone.get(someone.check("next.csv", content)).words
    assert "can be sent 1" in checked
    assert "as chosen before for a file with these titles" in checked
    assert "Zapłacono już w październiku" in checked
    # What was chosen is not used where another encoding reads better.
    content = (titles + row.format("Договор продлён до конца года")).encode("cp1251")
    assert "Договор продлён" in someone.get(someone.check("russian.csv", content)).words


def test_a_sheet_can_be_chosen(someone: Visitor) -> None:
    book = openpyxl.Workbook()
    for name, count in (("May", 2), ("June", 3)):
        sheet = book.create_sheet(name)
        for row in [("Module", "Record Id", "Lock Id", "Reason"), *rows(count)]:
            sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    upload = someone.check("months.xlsx", content.getvalue())
    assert "Which sheet should be read?" in someone.get(upload).words
    someone.post(f"{upload}/read", {"sheet": "June"})
    someone.wait_for(upload, "3 rows")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("scan.pdf", b"%PDF-1.7 ...", "PDF"),
        ("empty.csv", b"", "empty"),
    ],
)
def test_a_wrong_file_is_refused_as_on_the_command_line(
    someone: Visitor, run_in_process: RunCommand, name: str, content: bytes, words: str
) -> None:
    Path(name).write_bytes(content)
    sentence = run_in_process("check", name).err.strip().splitlines()[-1]
    page = someone.get(someone.check(name, content)).words
    assert words in page
    assert page_words(sentence) in page


@pytest.mark.parametrize("name", ["plan.journal", "plan.1.partial", "wish", "表" * 95 + ".csv"])
def test_a_file_named_like_one_of_ours_is_read_like_any_other(someone: Visitor, name: str) -> None:
    assert "can be sent 2" in someone.get(someone.check(name, csv_content(2, first=1))).words


def test_a_file_over_the_limit_is_refused_and_removed(tmp_path: Path) -> None:
    write_config(tmp_path, "web: {max_upload: 1 MiB}")
    with served_page(tmp_path, simulate=True) as page:
        answer = page.visitor().upload(("large.csv", b"x" * (2**20 + 1)))
        assert answer.status == 413
        assert "larger than 1 MiB" in answer.words
        assert list((page.state / "web/files").iterdir()) == []


def test_strict_sends_nothing_of_a_file_with_problems(tmp_path: Path) -> None:
    write_config(tmp_path, "input: {strict: true}")
    with served_page(tmp_path, simulate=True) as page:
        someone = page.visitor()
        upload = someone.check("problems.xlsx", file_content("samples/problem_rows.xlsx"))
        assert "/start" not in someone.get(upload).text
        assert someone.post(f"{upload}/start").status == 409


def test_an_upload_without_a_run_can_be_removed(someone: Visitor) -> None:
    upload = someone.check("one.csv", csv_content(2, first=100))
    assert someone.post(f"{upload}/remove").location == someone.home
    assert someone.get(upload).status == 404


def test_an_upload_with_a_run_stays(someone: Visitor) -> None:
    upload = someone.check("two.csv", csv_content(2, first=200))
    someone.results(someone.post(f"{upload}/start").location)
    assert someone.post(f"{upload}/remove").status == 409
    assert someone.get(upload).status == 200


def test_files_over_the_limit_of_one_upload_are_named(someone: Visitor) -> None:
    files = [(f"{number}.csv", csv_content(1, first=number)) for number in range(1, 23)]
    answer = someone.upload(*files)
    assert answer.status == 413
    assert "21.csv was not taken" in answer.words
    assert "22.csv was not taken" in answer.words
    assert "The other files (20) were taken." in answer.words


def test_the_check_shows_what_the_file_is_read_as(someone: Visitor) -> None:
    content = (
        "Module;Record Id;Reason\nLeads;5843104000000425565;a\nDeals;5843104000000425566;Prüfung"
    )
    check = someone.get(someone.check("in.csv", content.encode())).words
    assert "text in UTF-8" in check
    assert 'module "Module", record id "Record Id", lock id looked up in Zoho' in check
    assert "2 updates: Deals 1, Leads 1" in check
    samples = check.partition("Rows as they will be sent")[2]
    assert samples.index("Prüfung") < samples.index("5843104000000425565")


def test_the_check_shows_notes(someone: Visitor) -> None:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    for row in [("Module", "Record Id", "Lock Id", "Reason"), *rows(3)]:
        page.append(row)
    page.row_dimensions[3].hidden = True
    content = io.BytesIO()
    book.save(content)
    check = someone.get(someone.check("hidden.xlsx", content.getvalue())).words
    assert "Note: Row 3 is hidden" in check
