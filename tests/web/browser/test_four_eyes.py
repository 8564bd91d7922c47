"""Four eyes in a browser: the pages of who asks and of who approves follow each other."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # has none
from playwright.sync_api import Page, Route, expect
from support.browser import NewTab, button, each_appearance, needs_browser, upload
from support.page_server import PASSWORD, PageServer, add_person, served_page
from support.visitor import csv_content, write_config

from batchlock.store.grants import Grant, Role
from batchlock.store.store import Store

pytestmark = needs_browser


@pytest.fixture
def page(tmp_path: Path) -> Iterator[PageServer]:
    write_config(tmp_path, "web: {four_eyes: true}")
    with Store(tmp_path / "state") as store:
        for name, role in (("Pia", Role.PREPARER), ("Sam", Role.SENDER)):
            store.grants.put(Grant(person=name, org="simulator", role=role))
    for name in ("Pia", "Sam"):
        add_person(tmp_path, name)
    with served_page(tmp_path, simulate=True) as page:
        yield page


def signed_in(tab: Page, page: PageServer, name: str) -> Page:
    tab.goto(f"{page.url}/login")
    tab.get_by_label("Name").fill(name)
    tab.get_by_role("textbox", name="Password").fill(PASSWORD)
    button(tab, "Sign in").click()
    tab.wait_for_url(f"{page.url}/orgs/*")
    return tab


def is_accessible(tab: Page) -> None:
    for appearance in each_appearance(tab):
        assert Axe().run(tab).response["violations"] == [], appearance
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), appearance


def test_who_asks_sees_what_another_person_decides(page: PageServer, new_tab: NewTab) -> None:
    pia, sam = signed_in(new_tab(), page, "Pia"), signed_in(new_tab(), page, "Sam")
    file = {"name": "a.csv", "mimeType": "text/csv", "buffer": csv_content(3, first=1)}
    upload(pia, file)
    pia.get_by_label("For the person who approves it").fill("for the audit")
    button(pia, "Ask for approval").click()
    expect(pia.get_by_text("Waiting for approval")).to_be_visible()
    is_accessible(pia)
    sam.get_by_role("link", name="Home").or_(sam.get_by_role("link", name="Upload")).first.click()
    sam.get_by_role("link", name="Approvals 1 waiting for you").click()
    is_accessible(sam)
    sam.get_by_role("link", name="a.csv").click()
    is_accessible(sam)
    sam.get_by_label("What must change").fill("another reason")
    button(sam, "Send it back").click()
    # Nobody has loaded this page again.
    expect(pia.get_by_text("Sent back by Sam")).to_be_visible()
    is_accessible(pia)
    button(pia, "Ask for approval").click()
    sam.get_by_role("link", name="a.csv").click()

    # The page of who approves sees the decision before the answer to the form arrives, and must
    # not load itself again in place of it.
    def answer_late(route: Route) -> None:
        answer = route.fetch(max_redirects=0)
        sam.wait_for_timeout(3_000)  # longer than the script waits between two requests
        route.fulfill(response=answer)

    sam.route("**/start", answer_late)
    button(sam, "Approve and start").click()
    sam.wait_for_url("**/runs/*")
    expect(pia.get_by_text("Approved by Sam")).to_be_visible()
