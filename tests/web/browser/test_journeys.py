"""From a spreadsheet to its results in a browser: by mouse, by keyboard, without script."""

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import openpyxl
from playwright.sync_api import Locator, Page, expect
from support.browser import (
    NewTab,
    button,
    needs_browser,
    results_heading,
    sign_in_by_link,
    tile,
    upload,
)
from support.page_server import PageServer
from support.paths import ROOT
from support.sheets import TITLES, record, rows, sheet
from support.visitor import csv_content

pytestmark = needs_browser


def problem_rows(path: str, row: int) -> Path:
    """Copy the sample, with another record in its first row: each test starts a run of its own."""
    book = openpyxl.load_workbook(ROOT / "samples/problem_rows.xlsx")
    assert book.active is not None
    book.active["B2"] = record(row)
    book.save(path)
    return Path(path)


def correct(path: str, wrong: str, right: str) -> None:
    """Replace a value in a results workbook."""
    book = openpyxl.load_workbook(path)
    for row in book["Results"].iter_rows():
        for cell in row:
            if cell.value == wrong:
                cell.value = right
    book.save(path)


def tab_to(tab: Page, target: Locator) -> None:
    """Press Tab until an element has the focus; everything on the way must show its focus."""
    focused = tab.locator(":focus")
    for _ in range(60):
        tab.keyboard.press("Tab")
        outline = "e => e.matches(':focus-visible') && getComputedStyle(e).outlineStyle"
        assert focused.evaluate(outline) == "solid", focused.evaluate("e => e.outerHTML")
        if target.evaluate("e => e === document.activeElement"):
            return
    raise AssertionError("the keyboard does not reach it")


def test_the_whole_journey_by_mouse(tab: Page) -> None:
    with tab.expect_file_chooser() as chooser:
        tab.get_by_text("Drop files here, or choose them").click()
    chooser.value.set_files(problem_rows("problem_rows.xlsx", 1))
    tab.wait_for_url("**/files/*")
    bad = tab.locator("td.bad").filter(has_text="Invioces")
    expect(bad.locator(".problem")).to_contain_text("Invoices")
    with tab.expect_request("**/now"):
        button(tab, "Start without them").click()
    expect(results_heading(tab)).to_be_visible()
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Download the results").click()
    download.value.save_as("corrected.xlsx")
    correct("corrected.xlsx", "Invioces", "Invoices")
    tab.get_by_label("Upload the corrected file").set_input_files("corrected.xlsx")
    tab.wait_for_url("**/files/*")
    expect(tile(tab, "done by an earlier run")).not_to_have_text("0")
    expect(tile(tab, "have problems")).to_have_text("10")
    button(tab, "Start without them").click()
    expect(results_heading(tab)).to_be_visible()
    expect(tile(tab, "Unchanged")).to_be_visible()
    tab.get_by_role("searchbox").fill("Invoices")
    button(tab, "Find").click()
    expect(tab.get_by_role("row").filter(has_text="5843104000000425571")).to_contain_text(
        re.compile("Updated|Rejected")
    )


def test_the_whole_journey_by_keyboard(tab: Page) -> None:
    press = tab.keyboard.press
    file = problem_rows("problem_rows.xlsx", 2)
    tab.on("filechooser", lambda chooser: chooser.set_files(file))
    press("Tab")
    expect(tab.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    press("Enter")
    expect(tab.locator("main")).to_be_focused()
    tab_to(tab, tab.get_by_label("choose"))
    press("Enter")
    tab.wait_for_url("**/files/*")
    tab_to(tab, button(tab, "Start without them"))
    press("Space")
    tab.wait_for_url("**/runs/*")
    expect(results_heading(tab)).to_be_visible()
    tab_to(tab, tab.get_by_role("link", name="Download the results"))
    with tab.expect_download() as download:
        press("Enter")
    assert download.value.suggested_filename.startswith("problem_rows-results-")


def test_a_file_can_be_dropped(tab: Page) -> None:
    transfer = tab.evaluate_handle(
        """text => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([text], "dropped.csv"));
            return transfer;
        }""",
        csv_content(3, first=100).decode(),
    )
    tab.dispatch_event(".drop", "dragover", {"dataTransfer": transfer})
    tab.dispatch_event(".drop", "drop", {"dataTransfer": transfer})
    expect(tab.get_by_role("heading", name="dropped.csv")).to_be_visible()
    expect(tile(tab, "can be sent")).to_have_text("3")


def test_everything_works_without_script(page: PageServer, new_tab: NewTab) -> None:
    tab = sign_in_by_link(page, new_tab(java_script_enabled=False))
    tab.get_by_label("choose").set_input_files(problem_rows("problem_rows.xlsx", 3))
    button(tab, "Upload and check").click()
    expect(tile(tab, "have problems")).to_have_text("11")
    tab.get_by_label("Show").select_option("all rows")
    button(tab, "Find").click()
    button(tab, "Find").click()
    expect(tab.get_by_text("60 rows", exact=True)).to_be_visible()
    button(tab, "Start without them").click()
    expect(results_heading(tab)).to_be_visible()
    with tab.expect_download() as download:
        tab.get_by_role("link", name="as CSV").click()
    assert download.value.suggested_filename.endswith(".csv")


def test_after_a_refused_file_the_next_can_be_uploaded(tab: Page) -> None:
    tab.get_by_label("choose").set_input_files(
        {"name": "a.pdf", "mimeType": "", "buffer": b"%PDF-1.7"}
    )
    expect(tab.get_by_role("alert").filter(has_text="PDF")).to_be_visible()
    upload(tab, sheet("locks.csv", rows(3, first=200)))
    expect(tile(tab, "can be sent")).to_have_text("3")


def test_times_are_in_the_zone_of_the_reader(page: PageServer, new_tab: NewTab) -> None:
    tab = sign_in_by_link(page, new_tab(timezone_id="Asia/Tokyo", locale="en-GB"))
    tab.goto(f"{page.url}/orgs/simulator/log")
    time = tab.locator("time").first
    utc = datetime.fromisoformat(time.get_attribute("datetime") or "")
    assert utc.utcoffset() == timedelta(0)
    tokyo = utc.astimezone(timezone(timedelta(hours=9)))
    expect(time).to_have_text(f"{tokyo.day} {tokyo:%b %Y, %H:%M}")


def test_a_check_of_100_000_rows_is_paged_and_searched(tab: Page) -> None:
    content = [
        ("Leeds" if row[1].endswith("000") else row[0], *row[1:]) for row in rows(100_000)
    ]  # every thousandth row has a problem
    upload(tab, sheet("many.csv", content))
    expect(tile(tab, "have problems")).to_have_text("100")
    # Not those of the samples.
    row_headers = tab.get_by_role("table").last.get_by_role("rowheader")
    expect(row_headers.first).to_have_text("1001")
    expect(row_headers).to_have_count(50)
    tab.get_by_role("link", name="Next").click()
    expect(row_headers.first).to_have_text("51001")
    tab.get_by_label("Show").select_option("all rows")
    button(tab, "Find").click()
    expect(tab.get_by_text("100,000 rows", exact=True)).to_be_visible()
    tab.get_by_role("searchbox").fill(record(77_777))
    tab.keyboard.press("Enter")
    expect(row_headers).to_have_text(["77778"])


def test_hidden_rows_are_left_out_and_all_rows_are_sent_again_by_clicks(tab: Page) -> None:
    path = Path("hidden.xlsx")
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in [TITLES, *rows(3, first=45_000)]:
        book.active.append(row)
    book.active.row_dimensions[3].hidden = True
    book.save(path)
    upload(tab, path)
    expect(tile(tab, "can be sent")).to_have_text("3")
    tab.get_by_text("Read the file differently").last.click()
    tab.get_by_label("Leave out hidden rows").check()
    button(tab, "Read the file like this").click()
    expect(tile(tab, "can be sent")).to_have_text("2")
    check = tab.url
    button(tab, "Start: Send 2 updates").click()
    expect(results_heading(tab)).to_be_visible()
    tab.goto(check)
    expect(tile(tab, "done by an earlier run")).to_have_text("2")
    tab.once("dialog", lambda dialog: dialog.accept())
    button(tab, "Send all again: Send 2 updates").click()
    expect(results_heading(tab)).to_be_visible()
    expect(tile(tab, "Updated")).to_have_text("2")
