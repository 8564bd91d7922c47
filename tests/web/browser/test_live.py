"""Active runs in a browser, and hostile content in them."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect
from support.browser import (
    NewTab,
    Recorder,
    button,
    needs_browser,
    results_heading,
    sign_in_by_link,
    start,
    tile,
    upload,
)
from support.page_server import PageServer, configure_slow, page_server
from support.sheets import rows, sheet
from support.zoho import StandIn

pytestmark = needs_browser

EVIL = "<img src=/evil onerror=alert(1)>"


def test_two_people_watch_the_same_run(slow_page: PageServer, new_tab: NewTab) -> None:
    one, other = (sign_in_by_link(slow_page, new_tab()) for _ in range(2))
    run = start(one, sheet("locks.csv", rows(2_000, first=10_000)))
    other.goto(run)
    expect(one.get_by_text("Sending.")).to_be_visible()
    button(one, "Pause").click()
    expect(other.get_by_text("Paused by")).to_be_visible()
    button(other, "Resume").click()
    button(other, "Send").click()  # the question of a production org
    expect(one.get_by_text("Sending.")).to_be_visible()
    one.on("dialog", lambda dialog: dialog.accept())
    button(one, "Stop").click()
    for tab in (one, other):
        expect(tab.get_by_text("Stopped by")).to_be_visible()
        expect(button(tab, "Resume the run")).to_be_visible()


def test_an_open_page_outlives_the_server(
    slow_org: StandIn, new_tab: NewTab, tmp_path: Path
) -> None:
    configure_slow(slow_org, tmp_path)
    with page_server(tmp_path) as page:
        tab = sign_in_by_link(page, new_tab())
        start(tab, sheet("locks.csv", rows(60, first=20_000)))
        expect(tab.get_by_text("Sending.")).to_be_visible()
        page.kill()
        with page_server(tmp_path, "--port", urlsplit(page.url).port):
            expect(tab.get_by_text("Every row is as the file asks.")).to_be_visible()
            expect(tile(tab, "Updated")).to_have_text("60")


@pytest.mark.parametrize("blocked", ["refused", "buffered"])
def test_the_figures_change_where_events_are_blocked(
    slow_page: PageServer, new_tab: NewTab, blocked: str
) -> None:
    tab = sign_in_by_link(slow_page, new_tab())
    tab.route("**/events", lambda route: route.abort() if blocked == "refused" else None)
    first = {"refused": 30_000, "buffered": 40_000}[blocked]
    start(tab, sheet("locks.csv", rows(2_000, first=first)))
    figure = tab.locator("#live-figures dd").first
    for _ in range(2):
        number = figure.inner_text().split()[0]
        expect(figure).not_to_have_text(re.compile(rf"^{number}\b"))
    tab.on("dialog", lambda dialog: dialog.accept())
    button(tab, "Stop").click()
    expect(button(tab, "Resume the run")).to_be_visible()


def test_nothing_in_a_file_is_executed(slow_page: PageServer, new_tab: NewTab) -> None:
    tab, recorder = sign_in_by_link(slow_page, new_tab()), Recorder()
    recorder.attach(tab)
    evil_row = (EVIL, *rows(1, first=50_100)[0][1:3], EVIL)
    content = sheet("evil.csv", [[*row, EVIL] for row in [*rows(40, first=50_000), evil_row]],
                    ["Module", "Record Id", "Lock Id", "Reason", EVIL])  # fmt: skip
    name = f"{EVIL.replace('/', '')}.csv"
    upload(tab, {"name": name, "mimeType": "text/csv", "buffer": content.read_bytes()})
    expect(tab.locator("td.bad").first).to_contain_text(EVIL)
    button(tab, "Start").click()
    expect(tab.locator("#live-causes")).to_contain_text(EVIL)
    expect(results_heading(tab)).to_be_visible()
    expect(tab.locator("table.rows")).to_contain_text(EVIL)
    for path in ("", "/history", "/log"):
        tab.goto(f"{slow_page.url}/orgs/default{path}")
        expect(tab.get_by_text("img src").first).to_be_visible()
    assert not [url for url in recorder.requests if "evil" in url]
    assert recorder.errors == []
