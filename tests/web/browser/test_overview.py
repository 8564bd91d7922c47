"""The page of all orgs in a browser: it fits, everybody can use it, and it follows the orgs."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # has none
from playwright.sync_api import Page, expect
from support.browser import NewTab, Recorder, each_appearance, needs_browser
from support.overview_orgs import add_orgs, org_name
from support.page_server import PageServer, add_person, served_page, signed_in
from support.postgres import PostgresServer
from support.visitor import write_config

from batchlock.store.store import Store

pytestmark = needs_browser

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


@pytest.fixture(scope="module")
def orgs_page(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PageServer]:
    folder = tmp_path_factory.mktemp("overview")
    with postgres_server.database() as url:
        write_config(folder, f"database: {url}")
        with Store(folder / "state", url) as store:
            add_orgs(store, 25)
            store.workers.beat("node:1", started_at=datetime.now(UTC), runs=2, stopping=False)
        add_person(folder, "Anna", database_url=url)
        with served_page(folder) as page:
            yield page


@pytest.fixture
def tab(orgs_page: PageServer, new_tab: NewTab) -> Page:
    name, _, value = signed_in(orgs_page, "Anna").cookie.partition("=")
    tab = new_tab()
    tab.context.add_cookies([{"name": name, "value": value, "url": orgs_page.url}])
    tab.goto(f"{orgs_page.url}/")
    return tab


def test_it_fits_and_is_accessible(tab: Page) -> None:
    for appearance in each_appearance(tab):
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), appearance
        rules = {"type": "tag", "values": RULES}
        report = Axe().run(tab, options={"runOnly": rules, "resultTypes": ["violations"]})
        assert report.violations_count == 0, f"{appearance}: {report.generate_report()}"


def test_it_is_filtered_and_shows_what_has_changed(tab: Page, orgs_page: PageServer) -> None:
    recorder = Recorder()
    recorder.attach(tab)
    tab.get_by_label("Show").select_option("problems")
    tab.get_by_role("button", name="Find").click()
    expect(tab.get_by_text("of 25 orgs")).to_be_visible()
    expect(tab.get_by_role("link", name=org_name(0))).to_have_count(0)
    tab.goto(f"{orgs_page.url}/?words={org_name(0)}")
    row = tab.get_by_role("row").filter(has_text=org_name(0))
    expect(row).not_to_contain_text("disabled")
    url = (orgs_page.config.read_text("utf-8").splitlines()[0]).partition(" ")[2]
    with Store(orgs_page.state, url) as store:
        store.orgs.set_disabled(org_name(0), disabled=True)
    expect(row).to_contain_text("disabled")
    row.get_by_role("link", name=org_name(0)).click()
    expect(tab.locator("header .org")).to_contain_text(org_name(0))
    assert recorder.errors == []
