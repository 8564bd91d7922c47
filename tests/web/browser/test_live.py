"""Active runs in a browser, and hostile content in them."""

from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect
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
from support.page_server import PASSWORD, PageServer, add_person, configure_slow, page_server
from support.sheets import rows, sheet
from support.zoho import StandIn

from batchlock.store.store import Store

pytestmark = needs_browser

EVIL = "<img src=/evil onerror=alert(1)>"


def sign_in(tab: Page, name: str) -> None:
    tab.get_by_label("Name").fill(name)
    tab.get_by_label("Password").fill(PASSWORD)
    button(tab, "Sign in").click()


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


def test_a_page_whose_session_ran_out_says_so_and_leads_back(
    slow_org: StandIn, new_tab: NewTab, tmp_path: Path
) -> None:
    configure_slow(slow_org, tmp_path)
    add_person(tmp_path, "Anna")
    with page_server(tmp_path) as page, Store(tmp_path / "state") as store:
        tab = new_tab()
        tab.goto(page.url)
        sign_in(tab, "Anna")
        run = start(tab, sheet("locks.csv", rows(2_000, first=70_000)))
        expect(tab.get_by_text("Sending.")).to_be_visible()
        assert store.sessions.remove_expired(max_idle_seconds=-1, max_age_seconds=999)
        expect(tab.get_by_text("You are signed out.")).to_be_visible()
        assert tab.url == run
        tab.get_by_role("link", name="Sign in again").click()
        sign_in(tab, "Anna")
        tab.wait_for_url(run)
        expect(tab.get_by_text("You are signed out.")).to_be_hidden()
        tab.on("dialog", lambda dialog: dialog.accept())
        button(tab, "Stop").click()
        expect(results_heading(tab)).to_be_visible()


def test_a_key_or_a_click_is_activity(tab: Page) -> None:
    tab.clock.install()
    tab.reload()
    tab.clock.fast_forward(61_000)
    with tab.expect_response("**/account/active") as answer:
        tab.keyboard.press("Tab")
    assert answer.value.status == 204
    tab.clock.fast_forward(61_000)
    with tab.expect_response("**/account/active") as answer:
        tab.locator("main").click()
    assert answer.value.status == 204


def test_many_open_pages_of_a_run_leave_the_buttons_usable(
    slow_page: PageServer, new_tab: NewTab
) -> None:
    tab = sign_in_by_link(slow_page, new_tab())
    run = start(tab, sheet("locks.csv", rows(2_000, first=30_000)))
    # More than the six connections that a browser opens to one server.
    tabs = [tab.context.new_page() for _ in range(8)]
    for one in tabs:
        one.goto(run)
    button(tabs[-1], "Pause").click()
    for one in (tab, *tabs):
        expect(one.get_by_text("Paused by")).to_be_visible()
    for one in tabs:
        one.close()
    tab.on("dialog", lambda dialog: dialog.accept())
    button(tab, "Stop").click()
    expect(results_heading(tab)).to_be_visible()


def test_a_page_without_news_says_so_and_hides_what_is_momentary(
    slow_page: PageServer, new_tab: NewTab
) -> None:
    tab = sign_in_by_link(slow_page, new_tab())
    start(tab, sheet("locks.csv", rows(2_000, first=40_000)))
    expect(tab.get_by_text("Sending.")).to_be_visible()
    rate = tab.locator("#live-figures dd").nth(1)
    expect(rate).to_contain_text("rows a second")
    tab.clock.install()
    tab.reload()
    tab.route("**/now", lambda route: route.abort())
    tab.clock.fast_forward(13_000)
    expect(tab.get_by_text("No news for")).to_be_visible()
    # A screen reader says it once, and not each second.
    expect(tab.locator("#live-silence")).to_match_aria_snapshot(
        "- status: 'No news: the figures may be older. The run itself goes on.'"
    )
    expect(rate).to_be_hidden()
    tab.unroute("**/now")
    for _ in range(2):  # the first request has failed before, perhaps
        tab.clock.fast_forward(1_000)
    expect(tab.get_by_text("No news for")).to_be_hidden()
    expect(rate).to_be_visible()
    tab.clock.resume()
    expect(rate).to_contain_text("rows a second")
    tab.on("dialog", lambda dialog: dialog.accept())
    button(tab, "Stop").click()
    expect(button(tab, "Resume the run")).to_be_visible()


def test_the_first_page_shows_what_others_do_meanwhile(
    slow_page: PageServer, new_tab: NewTab
) -> None:
    tab = sign_in_by_link(slow_page, new_tab())
    tab.goto(f"{slow_page.url}/orgs/default")
    other = tab.context.new_page()
    other.goto(f"{slow_page.url}/orgs/default")
    upload(other, sheet("meanwhile.csv", rows(2, first=60_000)))
    line = tab.get_by_role("row").filter(has_text="meanwhile.csv")
    expect(line).to_contain_text("Checked")
    button(other, "Start").click()
    expect(results_heading(other)).to_be_visible()
    expect(line).to_contain_text("done")


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


def test_the_browser_tells_when_a_run_needs_a_person(
    slow_page: PageServer, new_tab: NewTab
) -> None:
    tab = sign_in_by_link(slow_page, new_tab())
    notifications: list[list[str]] = []
    tab.context.grant_permissions(["notifications"])
    tab.expose_function("told", lambda title, body: notifications.append([title, body]))
    # Playwright cannot see what a browser shows outside of its pages.
    tab.add_init_script(
        """window.Notification = class {
          static permission = "granted";
          static requestPermission = async () => "granted";
          constructor(title, options) { told(title, options.body); }
        };"""
    )
    start(tab, sheet("told.csv", rows(200, first=30_000)))
    expect(tab.get_by_text("Sending.")).to_be_visible()
    button(tab, "Tell me when it ends").click()
    expect(button(tab, "Tell me when it ends")).to_have_attribute("aria-pressed", "true")
    button(tab, "Pause").click()
    expect(tab.get_by_text("Nothing is sent until somebody resumes the run.")).to_be_visible()
    assert notifications == [["told.csv", "It is paused."]]
    tab.on("dialog", lambda dialog: dialog.accept())
    button(tab, "Stop").click()
    expect(button(tab, "Resume the run")).to_be_visible()
