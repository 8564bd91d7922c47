"""Every page in a browser: no foreign request, no sideways scrolling, accessible to everybody."""

import asyncio
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import openpyxl
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # has none
from playwright.sync_api import Page, expect
from support.browser import NewTab, Recorder, each_appearance, needs_browser
from support.page_server import add_person, served_page, signed_in
from support.sheets import TITLES, rows
from support.visitor import Visitor, csv_content, file_content
from support.zoho import stand_in_on

pytestmark = needs_browser

VIEWS = ("home", "check", "correct", "running", "results", "history", "log", "choices", "columns",
         "sheets", "login", "account", "error")  # fmt: skip
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
# The rules of axe that look at colours: a dark page differs from a light one in nothing else.
COLOUR_RULES = ("color-contrast", "link-in-text-block")


@dataclass(frozen=True, slots=True)
class Views:
    """A server with something to show on every page, and the path of each."""

    url: str
    cookie: str
    paths: Mapping[str, str]

    def open(self, tab: Page, view: str) -> None:
        """Open a page, signed in where that is needed."""
        if view != "login":
            name, _, value = self.cookie.partition("=")
            tab.context.add_cookies([{"name": name, "value": value, "url": self.url}])
        tab.goto(self.url + self.paths[view])
        if view == "running":
            expect(tab.get_by_text("Sending.")).to_be_visible()


@pytest.fixture(scope="module")
def views(
    stand_in_loop: asyncio.AbstractEventLoop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Views]:
    """Serve a page with a run that has ended, an active one, and uploads that wait."""
    folder = tmp_path_factory.mktemp("views")
    with stand_in_on(stand_in_loop, "--latency", "100ms") as org:
        org.config(
            folder / "config.yaml",
            state_directory=str(folder / "state"),
            retry={"attempts": 2, "first_wait": "10ms"},
            # The run of the view `running` goes on beside all tests: it should take little CPU.
            limits={"in_flight": 4},
        )
        add_person(folder, "Anna")
        with served_page(folder) as page:
            anna = signed_in(page, "Anna")
            yield Views(page.url, anna.cookie, view_paths(anna))


def view_paths(anna: Visitor) -> dict[str, str]:
    """Create something to show on every page; return the path of each."""
    book = openpyxl.Workbook()
    for month in ("May", "June"):
        sheet = book.create_sheet(month)
        for row in [TITLES, *rows(2)]:
            sheet.append(row)
    two_sheets = io.BytesIO()
    book.save(two_sheets)
    problems = file_content("samples/problem_rows.xlsx")
    results = anna.start("problem_rows.xlsx", problems)
    anna.results(results)
    anna.results(anna.confirm(f"{results}/retry").location)  # so that the results have a story
    unusual_titles = b"Modul;ID-Nr;Grund\nLeads;5843104000000425565;x\n"
    check = anna.check("problem_rows.xlsx", problems)
    return {
        "home": anna.home,
        "check": check,
        "correct": f"{check}/correct",
        "results": results,
        "running": anna.start("locks.csv", csv_content(20_000, first=1)),
        "history": f"{anna.home}/history",
        "log": f"{anna.home}/log",
        "choices": f"{anna.home}/choices",
        "columns": anna.check("odd.csv", unusual_titles),
        "sheets": anna.check("months.xlsx", two_sheets.getvalue()),
        "login": "/login",
        "account": "/account",
        "error": "/nowhere",
    }


@pytest.mark.parametrize("view", VIEWS)
def test_a_page_requests_nothing_from_elsewhere_and_reports_no_error(
    views: Views, new_tab: NewTab, view: str
) -> None:
    tab, recorder = new_tab(), Recorder()
    recorder.attach(tab)
    views.open(tab, view)
    tab.locator("body").click(position={"x": 1, "y": 1})
    urls = map(urlsplit, recorder.requests)
    assert {f"{url.scheme}://{url.netloc}" for url in urls} == {views.url}
    not_found = [error for error in recorder.errors if view == "error" and "404" in error]
    assert recorder.errors == not_found


@pytest.mark.parametrize("view", VIEWS)
def test_a_page_never_scrolls_sideways(views: Views, new_tab: NewTab, view: str) -> None:
    tab = new_tab()
    views.open(tab, view)
    for appearance in each_appearance(tab):
        fits = tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert fits, appearance


@pytest.mark.parametrize("view", VIEWS)
def test_a_page_is_accessible(views: Views, new_tab: NewTab, view: str) -> None:
    tab = new_tab()
    views.open(tab, view)
    for appearance in each_appearance(tab):
        dark = appearance.endswith("dark")
        rules = {"type": "rule" if dark else "tag", "values": COLOUR_RULES if dark else RULES}
        report = Axe().run(tab, options={"runOnly": rules, "resultTypes": ["violations"]})
        assert report.violations_count == 0, f"{appearance}: {report.generate_report()}"
