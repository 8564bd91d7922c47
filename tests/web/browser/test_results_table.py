"""The table of results in a browser: what matters is visible without scrolling."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from support.browser import NewTab, needs_browser, sign_in_by_link
from support.page_server import PageServer, served_page
from support.sheets import record
from support.visitor import csv_content, write_config

pytestmark = needs_browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """Serve the page for the simulator."""
    folder = tmp_path_factory.mktemp("table")
    write_config(folder, "retry: {attempts: 2, first_wait: 10ms}")
    with served_page(folder, simulate=True) as page:
        yield page


def test_result_message_record_and_reason_need_no_scrolling(
    page: PageServer, new_tab: NewTab
) -> None:
    others = [f"Column {number}" for number in range(20)]
    titles = [*others, "Module", "Record Id", "Lock Id", "Reason"]
    reason = "Audit of the accounts of May, agreed with finance " * 4
    lines = [titles] + [
        [*("some text in a cell " for _ in others), "Leads", one, "", reason]
        for one in (record(70_001), "990000000000000103", "990000000000000201")
    ]
    content = "".join(",".join(line) + "\n" for line in lines)
    visitor = page.visitor()
    run = visitor.start("wide.csv", content.encode())
    visitor.results(run)
    tab = sign_in_by_link(page, new_tab(viewport={"width": 1280, "height": 900}))
    tab.goto(page.url + run)
    for title in ("Row", "Result", "Message", "Record Id", "Reason"):
        box = tab.locator("table.results th", has_text=title).first.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 1280, title
    tab.set_viewport_size({"width": 390, "height": 844})
    for cell in tab.locator("table.results td").all():
        box = cell.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 390


def test_arrow_keys_in_the_filter_load_no_page(page: PageServer, new_tab: NewTab) -> None:
    visitor = page.visitor()
    run = visitor.start("keys.csv", csv_content(2, first=71_001))
    visitor.results(run)
    tab = sign_in_by_link(page, new_tab())
    tab.goto(page.url + run)
    requests: list[str] = []
    tab.on(
        "request",
        lambda request: requests.append(request.url) if request.is_navigation_request() else None,
    )
    tab.get_by_label("Show").focus()
    tab.keyboard.press("ArrowDown")
    expect(tab.get_by_label("Show")).to_have_value("updated")
    assert requests == []
    tab.get_by_role("button", name="Find").click()
    tab.wait_for_url("**show=updated**")
