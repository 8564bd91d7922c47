import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import openpyxl
import pytest
from support.commands import PATIENCE, kill_leftover_runs, started
from support.paths import ROOT
from support.sheets import record, rows, sheet
from support.visitor import Page, Visitor, eventually, file, serving
from support.zoho import StandIn, Start

from batchlock.store.page import Store
from batchlock.web.auth.passwords import hashed

try:
    from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it says none
    from playwright.sync_api import (
        Browser,
        ConsoleMessage,
        Dialog,
        Locator,
        expect,
        sync_playwright,
    )
    from playwright.sync_api import Page as SheetHandle
except ImportError as error:
    pytest.skip(f"the page is not tried in a browser: {error}", allow_module_level=True)

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium to try the page in")

PROBLEMS = ROOT / "samples/problem_rows.xlsx"
QUIETLY = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
           "--disable-background-networking", "--disable-component-update",
           "--disable-sync")  # fmt: skip
EVIL = "<img src=/evil onerror=alert(1)>"
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

NewTab = Callable[..., SheetHandle]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert BROWSER is not None
    with sync_playwright() as playwright:
        expect.set_options(timeout=1000 * PATIENCE)
        chromium = playwright.chromium.launch(executable_path=BROWSER, args=QUIETLY)
        yield chromium
        chromium.close()


@pytest.fixture
def new_tab(browser: Browser) -> Iterator[NewTab]:
    """Open a tab that shares nothing with any other; `options` are those of its context."""
    contexts = []

    def new(**options: Any) -> SheetHandle:
        context = browser.new_context(**options)
        context.set_default_timeout(1000 * PATIENCE)
        contexts.append(context)
        return context.new_page()

    yield new
    for context in contexts:
        context.close()


@pytest.fixture
def page() -> Iterator[Page]:
    Path("config.yaml").write_text(
        "retry: {attempts: 2, first_wait: 10ms}\nstate_directory: state\n"
    )
    with serving("--simulate") as served:
        yield served


@pytest.fixture
def someone(page: Page, new_tab: NewTab) -> SheetHandle:
    return come_in(page, new_tab())


@pytest.fixture
def slow(stand_in: Start) -> Iterator[Page]:
    """Serve a page for an org that takes its time."""
    slow_org(stand_in)
    with serving() as served:
        yield served


def slow_org(stand_in: Start) -> None:
    zoho = stand_in("--latency", "200ms")
    zoho.config(state_directory="state", limits={"in_flight": 2})


def come_in(served: Page, tab: SheetHandle) -> SheetHandle:
    """Open the newest link in a tab."""
    used = served.link()
    tab.goto(served.url + used)
    tab.wait_for_url(f"{served.url}/")
    eventually(lambda: served.link() != used)
    return tab


def upload(tab: SheetHandle, chosen: Path | dict[str, Any]) -> None:
    """Choose a file and wait for its check."""
    tab.get_by_label("choose").set_input_files(chosen)  # type: ignore[arg-type]  # a dict will do
    tab.wait_for_url("**/files/*")


def start(tab: SheetHandle, chosen: Path | dict[str, Any]) -> str:
    """Choose a file and start it; return where its run is."""
    upload(tab, chosen)
    button(tab, "Start").click()
    tab.wait_for_url("**/runs/*")
    return tab.url


def button(tab: SheetHandle, name: str) -> Locator:
    return tab.get_by_role("button", name=name)


def done(tab: SheetHandle) -> Locator:
    """What a page of results begins with."""
    return tab.get_by_role("heading", name="Download").or_(
        tab.get_by_role("heading", name="What next?")
    )


# -- the whole way -----------------------------------------------------------------------------


def test_the_whole_way_by_mouse(someone: SheetHandle) -> None:
    with someone.expect_file_chooser() as chooser:
        someone.get_by_text("Drop files here, or choose them").click()
    chooser.value.set_files(PROBLEMS)
    someone.wait_for_url("**/files/*")
    bad = someone.locator("td.bad").filter(has_text="Invioces")
    expect(bad.locator(".problem")).to_contain_text("Invoices")
    with someone.expect_request("**/events"):
        button(someone, "Start without them").click()
    expect(done(someone)).to_be_visible()
    with someone.expect_download() as download:
        someone.get_by_role("link", name="Download the results").click()
    download.value.save_as("corrected.xlsx")
    correct("corrected.xlsx", "Invioces", "Invoices")
    someone.get_by_label("Upload the corrected file").set_input_files("corrected.xlsx")
    someone.wait_for_url("**/files/*")
    expect(tile(someone, "done by an earlier run")).not_to_have_text("0")
    expect(tile(someone, "have problems")).to_have_text("10")
    button(someone, "Start without them").click()
    expect(done(someone)).to_be_visible()
    expect(tile(someone, "Already right")).to_be_visible()
    someone.get_by_role("searchbox").fill("Invoices")
    button(someone, "Find").click()
    expect(someone.get_by_role("row").filter(has_text="5843104000000425571")).to_contain_text(
        re.compile("Updated|Refused by Zoho")
    )


def correct(path: str, wrong: str, right: str) -> None:
    book = openpyxl.load_workbook(path)
    for row in book["Results"].iter_rows():
        for cell in row:
            if cell.value == wrong:
                cell.value = right
    book.save(path)


def tile(tab: SheetHandle, label: str) -> Locator:
    return tab.locator(".tile").filter(has_text=label).locator("dd")


def test_the_whole_way_by_keyboard(someone: SheetHandle) -> None:
    press = someone.keyboard.press
    someone.on("filechooser", lambda chooser: chooser.set_files(PROBLEMS))
    press("Tab")
    expect(someone.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    press("Enter")
    expect(someone.locator("main")).to_be_focused()
    tab_to(someone, someone.get_by_label("choose"))
    press("Enter")
    someone.wait_for_url("**/files/*")
    tab_to(someone, button(someone, "Start without them"))
    press("Space")
    someone.wait_for_url("**/runs/*")
    expect(done(someone)).to_be_visible()
    tab_to(someone, someone.get_by_role("link", name="Download the results"))
    with someone.expect_download() as download:
        press("Enter")
    assert download.value.suggested_filename.startswith("problem_rows-results-")


def tab_to(tab: SheetHandle, wanted: Locator) -> None:
    """Press Tab until it has the focus; whatever has it on the way must show that."""
    focused = tab.locator(":focus")
    for _ in range(60):
        tab.keyboard.press("Tab")
        outlined = "e => e.matches(':focus-visible') && getComputedStyle(e).outlineStyle"
        assert focused.evaluate(outlined) == "solid", focused.evaluate("e => e.outerHTML")
        if wanted.evaluate("e => e === document.activeElement"):
            return
    raise AssertionError("the keyboard does not reach it")


def test_a_file_is_dropped(someone: SheetHandle) -> None:
    dropped = someone.evaluate_handle(
        """text => {
            const held = new DataTransfer();
            held.items.add(new File([text], "dropped.csv"));
            return held;
        }""",
        sheet("locks.csv", rows(3)).read_text(),
    )
    someone.dispatch_event(".drop", "dragover", {"dataTransfer": dropped})
    someone.dispatch_event(".drop", "drop", {"dataTransfer": dropped})
    expect(someone.get_by_role("heading", name="dropped.csv")).to_be_visible()
    expect(tile(someone, "can be sent")).to_have_text("3")


def test_it_works_without_script(page: Page, new_tab: NewTab) -> None:
    tab = come_in(page, new_tab(java_script_enabled=False))
    tab.get_by_label("choose").set_input_files(PROBLEMS)
    button(tab, "Upload and check").click()
    expect(tile(tab, "have problems")).to_have_text("11")
    tab.get_by_label("Show").select_option("all rows")
    button(tab, "Find").click()
    expect(tab.get_by_text("60 rows", exact=True)).to_be_visible()
    button(tab, "Start without them").click()
    expect(done(tab)).to_be_visible()
    with tab.expect_download() as download:
        tab.get_by_role("link", name="as CSV").click()
    assert download.value.suggested_filename.endswith(".csv")


def test_a_wrong_file_is_refused_and_the_next_one_taken(someone: SheetHandle) -> None:
    someone.get_by_label("choose").set_input_files(
        {"name": "a.pdf", "mimeType": "", "buffer": b"%PDF-1.7"}
    )
    expect(someone.get_by_role("alert").filter(has_text="PDF")).to_be_visible()
    upload(someone, sheet("locks.csv", rows(3)))
    expect(tile(someone, "can be sent")).to_have_text("3")


# -- a run as it goes --------------------------------------------------------------------------


def test_two_watch_the_same_run(slow: Page, new_tab: NewTab) -> None:
    one, other = come_in(slow, new_tab()), come_in(slow, new_tab())
    run = start(one, sheet("locks.csv", rows(2_000)))
    other.goto(run)
    expect(one.get_by_text("Sending.")).to_be_visible()
    button(one, "Pause").click()
    expect(other.get_by_text("Paused by")).to_be_visible()
    button(other, "Go on").click()
    expect(one.get_by_text("Sending.")).to_be_visible()
    one.on("dialog", lambda dialog: dialog.accept())
    button(one, "Stop").click()
    for tab in (one, other):
        expect(tab.get_by_text("Stopped by")).to_be_visible()
        expect(button(tab, "Go on with what is left")).to_be_visible()


def test_a_page_that_was_open_outlives_the_server(stand_in: Start, new_tab: NewTab) -> None:
    slow_org(stand_in)
    with serving() as page:
        tab = come_in(page, new_tab())
        start(tab, sheet("locks.csv", rows(60)))
        expect(tab.get_by_text("Sending.")).to_be_visible()
        page.process.kill()
        page.process.wait()
    with serving("--port", urlsplit(page.url).port):
        expect(tab.get_by_text("Every row is as the file asks.")).to_be_visible()
        expect(tile(tab, "Updated")).to_have_text("60")


@pytest.mark.parametrize("blocked", ["refused", "held back"])
def test_the_figures_move_where_events_are_blocked(
    slow: Page, new_tab: NewTab, blocked: str
) -> None:
    tab = come_in(slow, new_tab())
    tab.route("**/events", lambda route: route.abort() if blocked == "refused" else None)
    start(tab, sheet("locks.csv", rows(2_000)))
    figure = tab.locator("#live-figures dd").first
    for _ in range(2):
        seen = figure.inner_text()
        expect(figure).not_to_have_text(re.compile(rf"^{seen.split()[0]}\b"))


def test_times_are_those_of_the_viewer(page: Page, new_tab: NewTab) -> None:
    tab = come_in(page, new_tab(timezone_id="Asia/Tokyo", locale="en-GB"))
    tab.goto(f"{page.url}/log")
    shown = tab.locator("time").first
    at = datetime.fromisoformat(shown.get_attribute("datetime") or "")
    assert at.utcoffset() == timedelta(0)
    there = at.astimezone(timezone(timedelta(hours=9)))
    expect(shown).to_have_text(f"{there.day} {there:%b %Y, %H:%M}")


# -- every page --------------------------------------------------------------------------------

SIGHTS = ("home", "check", "running", "results", "history", "log", "columns", "sheets", "login",
          "said")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sights:
    """A server that has everything to show."""

    url: str
    cookie: str
    paths: Mapping[str, str]

    def show(self, tab: SheetHandle, sight: str) -> None:
        """Open a page as somebody who may see it."""
        if sight != "login":
            name, _, value = self.cookie.partition("=")
            tab.context.add_cookies([{"name": name, "value": value, "url": self.url}])
        tab.goto(self.url + self.paths[sight])
        if sight == "running":
            expect(tab.get_by_text("Sending.")).to_be_visible()


@pytest.fixture(scope="module")
def sights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sights]:
    """Serve a page with a run that has ended, one that goes on, and files that wait."""
    place = tmp_path_factory.mktemp("sights")
    with pytest.MonkeyPatch.context() as patch, started("simulate", "--latency", "100ms") as zoho:
        patch.chdir(place)
        assert zoho.stdout is not None
        found = re.search(r"http://\S+", zoho.stdout.readline())
        assert found is not None
        StandIn(found[0]).config(
            state_directory=str(place / "state"), retry={"attempts": 2, "first_wait": "10ms"}
        )
        store = Store(place / "state")
        store.put_person("Anna", hashed("a long password"))
        store.close()
        with serving("--config", "config.yaml") as page:
            patch.undo()
            anna = Visitor(page.url)
            anna.get("/login")
            assert (
                anna.post("/login", {"name": "Anna", "password": "a long password"}).status == 200
            )
            yield Sights(page.url, anna.cookie, _all_there_is(anna, place))
        kill_leftover_runs(place)


def _all_there_is(anna: Visitor, place: Path) -> dict[str, str]:
    """Have something to be seen on every page; return where each is."""
    anna.get("/")
    book = openpyxl.Workbook()
    for month in ("May", "June"):
        for row in [("Module", "Record Id", "Lock Id", "Reason"), *rows(2)]:
            (book[month] if month in book else book.create_sheet(month)).append(row)
    book.save(place / "months.xlsx")
    many = "".join(f"{','.join(row)}\n" for row in rows(20_000)).encode()
    problems = file("samples/problem_rows.xlsx")
    results = anna.started("problem_rows.xlsx", problems)
    anna.finished(results)
    odd = b"Modul;ID-Nr;Grund\nLeads;5843104000000425565;x\n"
    return {
        "home": "/",
        "check": anna.checked("problem_rows.xlsx", problems),
        "results": results,
        "running": anna.started("locks.csv", b"Module,Record Id,Lock Id,Reason\n" + many),
        "history": "/history",
        "log": "/log",
        "columns": anna.checked("odd.csv", odd),
        "sheets": anna.checked("months.xlsx", (place / "months.xlsx").read_bytes()),
        "login": "/login",
        "said": "/nowhere",
    }


@dataclass
class Ears:
    """What a tab asks for and complains of."""

    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def listen(self, tab: SheetHandle) -> None:
        tab.on("request", lambda request: self.asked.append(request.url))
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        tab.on("dialog", self._dialog)
        tab.on("console", self._console)

    def _dialog(self, dialog: Dialog) -> None:
        self.complaints.append(dialog.message)
        dialog.dismiss()

    def _console(self, said: ConsoleMessage) -> None:
        if said.type in ("error", "warning"):
            self.complaints.append(said.text)


@pytest.mark.parametrize("sight", SIGHTS)
def test_a_page_asks_nobody_else_and_complains_of_nothing(
    sights: Sights, new_tab: NewTab, sight: str
) -> None:
    tab, ears = new_tab(), Ears()
    ears.listen(tab)
    sights.show(tab, sight)
    tab.locator("body").click(position={"x": 1, "y": 1})
    assert {f"{urlsplit(url).scheme}://{urlsplit(url).netloc}" for url in ears.asked} == {
        sights.url
    }
    not_there = [one for one in ears.complaints if sight == "said" and "404" in one]
    assert ears.complaints == not_there


@pytest.mark.parametrize("sight", SIGHTS)
def test_a_page_never_scrolls_sideways(sights: Sights, new_tab: NewTab, sight: str) -> None:
    tab = new_tab()
    sights.show(tab, sight)
    for look in each_look(tab):
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), look


@pytest.mark.parametrize("sight", SIGHTS)
def test_everybody_can_use_a_page(sights: Sights, new_tab: NewTab, sight: str) -> None:
    tab = new_tab()
    sights.show(tab, sight)
    options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
    for look in each_look(tab):
        found = Axe().run(tab, options=options)
        assert found.violations_count == 0, f"{look}: {found.generate_report()}"


def each_look(tab: SheetHandle) -> Iterator[str]:
    """Show a page with all that can be opened on it, small and large, light and dark."""
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    for width in (360, 1280):
        tab.set_viewport_size({"width": width, "height": 800})
        for scheme in SCHEMES:
            tab.emulate_media(color_scheme=scheme)
            yield f"{width}, {scheme}"


# -- what is large, what is hostile ------------------------------------------------------------


def test_a_check_of_100_000_rows_is_paged_and_searched(someone: SheetHandle) -> None:
    many = [
        ("Leeds" if row[1].endswith("000") else row[0], *row[1:]) for row in rows(100_000)
    ]  # every thousandth has a problem
    upload(someone, sheet("many.csv", many))
    expect(tile(someone, "have problems")).to_have_text("100")
    table = someone.get_by_role("rowheader")
    expect(table.first).to_have_text("1001")
    expect(table).to_have_count(50)
    someone.get_by_role("link", name="Next").click()
    expect(table.first).to_have_text("51001")
    someone.get_by_label("Show").select_option("all rows")
    expect(someone.get_by_text("100,000 rows", exact=True)).to_be_visible()
    someone.get_by_role("searchbox").fill(record(77_777))
    someone.keyboard.press("Enter")
    expect(table).to_have_text(["77778"])


def test_nothing_in_a_file_is_ever_run(slow: Page, new_tab: NewTab) -> None:
    tab, ears = come_in(slow, new_tab()), Ears()
    ears.listen(tab)
    evil = [(EVIL, *rows(1)[0][1:3], EVIL)]
    content = sheet("evil.csv", [[*row, EVIL] for row in [*rows(40), *evil]],
                    ["Module", "Record Id", "Lock Id", "Reason", EVIL])  # fmt: skip
    name = f"{EVIL.replace('/', '')}.csv"
    upload(tab, {"name": name, "mimeType": "text/csv", "buffer": content.read_bytes()})
    expect(tab.locator("td.bad").first).to_contain_text(EVIL)
    button(tab, "Start").click()
    expect(tab.locator("#live-causes")).to_contain_text(EVIL)
    expect(done(tab)).to_be_visible()
    expect(tab.locator("table.rows")).to_contain_text(EVIL)
    for path in ("/", "/history", "/log"):
        tab.goto(slow.url + path)
        expect(tab.get_by_text("img src").first).to_be_visible()
    assert not [url for url in ears.asked if "evil" in url]
    assert ears.complaints == []
