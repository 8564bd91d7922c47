"""Correct cells of an upload on the page, and go on without uploading again."""

import csv
import hashlib
import io
import re

import openpyxl
import pytest
from support.page_server import PageServer
from support.visitor import HEADER, PageResponse, Visitor, csv_content


def form_of(page: PageResponse) -> dict[str, str]:
    """Return what a browser would send of the form of corrections without a change."""
    form = page.text.partition('class="correct"')[2].partition("</form>")[0]
    inputs = re.findall(r'name="([\w-]+)" value="(.*?)"', form)
    texts = re.findall(r'<textarea[^>]*name="([\w-]+)"[^>]*>\n(.*?)</textarea>', form, re.DOTALL)
    return {name: text for name, text in (*inputs, *texts) if name not in ("take_back", "csrf")}


def correct(visitor: Visitor, upload: str, row: int, **cells: str) -> PageResponse:
    """Open the form of a row, type something into some of its cells, and save it."""
    form = form_of(visitor.get(f"{upload}/correct?row={row}"))
    assert form["row"] == str(row)
    form |= {f"new-{row}-{field}": text for field, text in cells.items()}
    answer = visitor.post(f"{upload}/correct", form)
    if answer.status == 303:
        assert answer.location == f"{upload}?row={row}#row-{row}"
        visitor.wait_for(upload, "can be sent")
    return answer


def bad_file(first: int) -> bytes:
    """Return a file whose second row has a wrong module and no reason."""
    lines = csv_content(3, first=first).decode().splitlines()
    cells = lines[2].split(",")
    lines[2] = ",".join(["Leadz", *cells[1:3], ""])
    return "\n".join(lines).encode()


def results(visitor: Visitor, run: str) -> list[dict[str, str]]:
    """Return the results of a run, by title."""
    text = visitor.get(f"{run}/results.csv").content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def counts(visitor: Visitor, upload: str) -> tuple[int, int]:
    """Return how many rows can be sent, and how many have problems."""
    words = visitor.get(upload).words
    found = re.search(r"can be sent (\d+) ha(?:ve|s) problems (\d+)", words)
    assert found is not None, words
    return int(found[1]), int(found[2])


def test_cells_are_corrected_and_the_run_goes_on_without_another_upload(
    someone: Visitor, page: PageServer
) -> None:
    content = bad_file(500_100)
    upload = someone.check("wrong.csv", content)
    assert counts(someone, upload) == (2, 1)
    form = someone.get(f"{upload}/correct")
    assert "Leadz" in form.text
    assert form.text.count('aria-invalid="true"') == 2
    assert "The reason is blank." in form.words
    assert correct(someone, upload, 3, module="Leads", reason="now it has one").status == 303
    assert counts(someone, upload) == (3, 0)
    assert "2 cells on the page by " in someone.get(upload).words
    run = someone.post(f"{upload}/start").location
    someone.results(run)
    lines = results(someone, run)
    assert [line["Result"] for line in lines] == ["updated"] * 3
    assert (lines[1]["Module"], lines[1]["Reason"]) == ("Leads", "now it has one")
    assert 'Module "Leadz" → "Leads"' in lines[1]["Message"]
    assert 'Reason (blank) → "now it has one"' in lines[1]["Message"]
    assert "Corrected" not in lines[0]["Message"]
    workbook = openpyxl.load_workbook(io.BytesIO(someone.get(f"{run}/results.xlsx").content))
    summary = [cell.value for row in workbook["Summary"] for cell in row if cell.value]
    assert any(str(text).startswith("2 cells on the page by ") for text in summary)
    assert hashlib.sha256(content).hexdigest() in summary
    log = someone.get(f"{someone.home}/log").words
    assert 'row 3, Module: "Leadz" → "Leads"' in log
    stored = next(page.state.glob(f"web/files/{upload.rpartition('/')[2]}/upload/wrong.csv"))
    assert stored.read_bytes() == content


def test_a_row_without_a_problem_is_corrected_and_taken_back(someone: Visitor) -> None:
    upload = someone.check("fine.csv", csv_content(2, first=500_200))
    assert f'href="{upload}/correct?row=2"' in someone.get(upload).text
    correct(someone, upload, 2, reason="another\r\nreason")
    page = someone.get(upload)
    assert "another\nreason" in page.text
    assert "in the file: reason 500200" in page.words
    form = form_of(someone.get(f"{upload}/correct?row=2"))
    assert form["new-2-reason"] == "another\nreason"
    assert someone.post(f"{upload}/correct", form | {"take_back": "2-reason"}).status == 303
    someone.wait_for(upload, "can be sent")
    assert "Corrected cells" not in someone.get(upload).words
    log = someone.get(f"{someone.home}/log").words
    assert "took a correction back" in log
    again = someone.post(f"{upload}/correct", form | {"take_back": "2-reason"})
    assert again.status == 409
    assert "was changed or taken back since the page was opened" in again.words


def test_several_rows_are_corrected_with_one_save(someone: Visitor) -> None:
    content = (HEADER + "".join(f"Deals,58431040005003{n:02},,\n" for n in range(30))).encode()
    upload = someone.check("many.csv", content)
    assert counts(someone, upload) == (0, 30)
    page = someone.get(f"{upload}/correct")
    assert "the first 25 of 30 rows with problems" in page.words
    form = form_of(page)
    rows = [int(name.split("-")[1]) for name in form if name.endswith("-reason") and "new" in name]
    assert rows == [*range(2, 27)]
    form |= {f"new-{row}-reason": f"reason {row}" for row in rows}
    answer = someone.post(f"{upload}/correct", form)
    assert (answer.status, answer.location) == (303, upload)
    someone.wait_for(upload, "can be sent")
    assert counts(someone, upload) == (25, 5)


def test_the_later_of_two_people_is_told(someone: Visitor, page: PageServer) -> None:
    upload = someone.check("both.csv", csv_content(3, first=500_400))
    other = page.visitor()
    form = form_of(other.get(f"{upload}/correct?row=3"))
    correct(someone, upload, 3, reason="the first one")
    form |= {"new-3-reason": "the later one", "new-3-module": "Leads"}
    late = other.post(f"{upload}/correct", form)
    assert late.status == 409
    assert "Nothing was saved. Another person has changed a cell" in late.words
    assert "It says “the first one” now." in late.words
    assert form_of(late)["new-3-reason"] == "the later one"
    assert "the first one" in someone.get(upload).words
    # Who has seen it may put another text there.
    assert other.post(f"{upload}/correct", form_of(late)).status == 303
    someone.wait_for(upload, "the later one")


def test_a_corrected_file_is_not_the_one_that_was_finished(someone: Visitor) -> None:
    content = bad_file(500_500)
    upload = someone.check("finished.csv", content)
    first = someone.post(f"{upload}/start").location
    someone.results(first)
    assert "The same file was finished before" in someone.get(upload).words
    correct(someone, upload, 3, module="Leads", reason="right now")
    page = someone.get(upload)
    assert "was finished before" not in page.words
    assert "done by an earlier run 2" in page.words
    second = someone.post(f"{upload}/start").location
    someone.results(second)
    assert [line["Result"] for line in results(someone, second)] == [
        "unchanged",
        "updated",
        "unchanged",
    ]
    assert "The same file was finished before" in someone.get(upload).words
    words = someone.get(first).words
    assert "Later runs did the rest" in words
    assert (
        "1 row that this run has not done was done later by the run with corrected cells" in words
    )
    assert "Together: 2 runs, 3 of 3 rows done" in words
    history = someone.get(f"{someone.home}/history?words=finished.csv").words
    assert history.count("Done by later runs") == 1
    assert history.count("All done") == 1


def test_a_run_that_is_not_finished_keeps_its_cells(slow_page: PageServer) -> None:
    visitor = slow_page.visitor()
    content = csv_content(200, first=501_000)
    upload = visitor.check("started.csv", content)
    form = form_of(visitor.get(f"{upload}/correct?row=2")) | {"new-2-reason": "too late"}
    run = visitor.post(f"{upload}/start").location
    refused = visitor.post(f"{upload}/correct", form)
    assert refused.status == 409
    assert "has started, so its cells cannot be corrected here" in refused.words
    page = visitor.get(f"{upload}/correct?row=2")
    assert 'class="correct"' not in page.text
    assert "has started" in page.words
    visitor.post(f"{run}/stop")


def test_a_text_that_no_cell_holds_is_refused(someone: Visitor) -> None:
    upload = someone.check("long.csv", csv_content(1, first=500_600))
    form = form_of(someone.get(f"{upload}/correct?row=2")) | {"new-2-reason": "x" * 32_768}
    refused = someone.post(f"{upload}/correct", form)
    assert refused.status == 409
    assert "A cell holds at most 32,767 characters" in refused.words
    correct(someone, upload, 2, reason="x" * 3_001)
    assert counts(someone, upload) == (0, 1)


def test_a_correction_without_a_change_reads_nothing_again(someone: Visitor) -> None:
    content = f'{HEADER}Deals,5843104000500700,,"a\r\nb"\n'.encode()
    upload = someone.check("same.csv", content)
    page = someone.get(f"{upload}/correct?row=2")
    form = form_of(page)
    # A browser sends every kind of line break as CR LF.
    form["new-2-reason"] = "a\r\nb"
    assert someone.post(f"{upload}/correct", form).status == 303
    assert "Corrected cells" not in someone.get(upload).words


@pytest.mark.parametrize("row", ["99", "0", "abc", "99999999"])
def test_a_row_that_the_file_does_not_have(someone: Visitor, row: str) -> None:
    upload = someone.check("short.csv", csv_content(1, first=500_800))
    page = someone.get(f"{upload}/correct?row={row}")
    assert page.status == 404 or "No row has a problem" in page.words
    assert someone.get(f"{upload}?row={row}").status == 200


def test_a_page_from_before_a_correction_starts_nothing(someone: Visitor) -> None:
    upload = someone.check("stale.csv", csv_content(3, first=509_000))
    pages = [upload, f"{upload}/options"]
    forms = [
        dict(re.findall(r'type="hidden" name="(\w+)" value="(.*?)"', someone.get(path).text))
        for path in pages
    ]
    assert correct(someone, upload, 2, reason="not what was seen").status == 303
    for form in forms:
        answer = someone.post(f"{upload}/start", {**form, "csrf": someone.csrf})
        assert answer.status == 409
        assert "cells of it were corrected. Nothing was sent." in answer.words
    form = dict(re.findall(r'type="hidden" name="(\w+)" value="(.*?)"', someone.get(upload).text))
    assert someone.post(f"{upload}/start", form).status == 303
