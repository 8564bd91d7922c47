"""Every view in a browser: no foreign request, no sideways scrolling, accessible to everybody."""

import asyncio
from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from axe_playwright_python.base import (  # type: ignore[import-untyped]  # has none
    AXE_SCRIPT,
    AxeResults,
)
from playwright.sync_api import Page
from support.browser import NewTab, Recorder, needs_browser
from support.every_view import EveryView, every_view

from batchlock.web.routes import ORG_ROUTES

pytestmark = needs_browser

# What a person downloads, and what the script of a page asks for.
NO_VIEWS = {
    "/template.xlsx",
    "/files/{id}/problems.xlsx",
    "/files/{id}/approval",
    "/runs/{run}/now",
    "/runs/{run}/results.{format}",
}
ALL_RULES = {
    "type": "tag",
    "values": ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"),
}
# The rules that look at colours: a dark page differs from a light one in nothing else.
COLOUR_RULES = {"type": "rule", "values": ("color-contrast", "link-in-text-block")}
APPEARANCES: tuple[tuple[int, Literal["light", "dark"], object], ...] = (
    (360, "light", ALL_RULES),
    (1280, "light", ALL_RULES),
    (1280, "dark", COLOUR_RULES),
)


@pytest.fixture(scope="module")
def views(
    stand_in_loop: asyncio.AbstractEventLoop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EveryView]:
    with every_view(stand_in_loop, tmp_path_factory.mktemp("views")) as views:
        yield views


def test_every_page_of_an_org_is_among_the_views(views: EveryView) -> None:
    router = web.UrlDispatcher()
    paths = [view.path.partition("?")[0] for view in views.views.values()]
    unseen = set()
    for route in ORG_ROUTES:
        resource = router.add_resource("/orgs/{org}" + route.path)
        pattern = resource.get_info()["pattern"]
        if route.method == "GET" and not any(map(pattern.fullmatch, paths)):
            unseen.add(resource.canonical.removeprefix("/orgs/{org}"))
    assert unseen == NO_VIEWS


def test_every_view_is_accessible_and_fits(views: EveryView, new_tab: NewTab) -> None:
    """Go through all views in one test, since most of the time goes into opening a tab."""
    tabs: dict[str, tuple[Page, Recorder]] = {}
    failures: list[str] = []
    for name, view in views.views.items():
        if view.person not in tabs:
            tabs[view.person] = new_tab(), Recorder()
            tabs[view.person][1].attach(tabs[view.person][0])
        tab, recorder = tabs[view.person]
        recorder.clear()
        views.open(tab, name)
        tab.locator("body").click(position={"x": 1, "y": 1})
        foreign = {urlsplit(url).netloc for url in recorder.requests} - {urlsplit(views.url).netloc}
        errors = [one for one in recorder.errors if not (name.startswith("error") and "404" in one)]
        failures += [f"{name}: {problem}" for problem in [*foreign, *errors, *_problems(tab)]]
    assert failures == []


def _problems(tab: Page) -> Iterator[str]:
    """Show a view with everything open on it, in each appearance; yield what is wrong."""
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    tab.evaluate(AXE_SCRIPT)
    for width, scheme, rules in APPEARANCES:
        tab.set_viewport_size({"width": width, "height": 800})
        tab.emulate_media(color_scheme=scheme)
        if not tab.evaluate("document.documentElement.scrollWidth <= innerWidth"):
            yield f"{width}, {scheme}: it scrolls sideways"
        options = {"runOnly": rules, "resultTypes": ["violations"]}
        report = AxeResults(tab.evaluate("options => axe.run(document, options)", options))
        if report.violations_count:
            yield f"{width}, {scheme}: {report.generate_report()}"
