"""Every view in a browser: no foreign request, no sideways scrolling, accessible to everybody."""

import asyncio
import json
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
from support.page_texts import (
    PSEUDO,
    untranslated,
    write_pseudo_language,
    write_translation,
)
from support.visitor import Visitor

from batchlock.web.routes import ORG_ROUTES

# What a person downloads, and what the script of a page asks for.
NO_VIEWS = {
    "/template.xlsx",
    "/files/{id}/problems.xlsx",
    "/files/{id}/approval",
    "/runs/{run}/now",
    "/runs/{run}/results.{format}",
}
# The statuses of views of errors, which the console of a browser mentions.
STATUS = {"error": "404", "error-role": "404", "error-request": "409"}
ALL_RULES = {
    "type": "tag",
    "values": ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"),
}
# The rules that look at colours: a dark page differs from a light one in nothing else.
COLOUR_RULES = {"type": "rule", "values": ("color-contrast", "link-in-text-block")}
APPEARANCES: tuple[tuple[int, Literal["light", "dark"], object], ...] = (
    (360, "light", ALL_RULES),
    (1280, "light", ALL_RULES),
    (360, "dark", COLOUR_RULES),
    (1280, "dark", COLOUR_RULES),
)
GERMAN: dict[str | tuple[str, str], str | tuple[str, str]] = {
    "History": "Verlauf",
    ("put back %(num)s reason", "put back %(num)s reasons"): (
        "%(num)s Grund zurücksetzen",
        "%(num)s Gründe zurücksetzen",
    ),
    "There is nothing here. It may have been removed.": "Hier ist nichts.",
}


@pytest.fixture(scope="module")
def views(
    stand_in_loop: asyncio.AbstractEventLoop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EveryView]:
    folder = tmp_path_factory.mktemp("views")
    translations = folder / "translations"
    translations.mkdir()
    write_pseudo_language(translations)
    write_translation(translations, "de", GERMAN)
    with every_view(stand_in_loop, folder, translations) as views:
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


def test_every_text_of_every_view_can_be_translated(views: EveryView) -> None:
    failures = [
        f"{name}: {text}"
        for name in views.views
        for text in untranslated(views.fetch(name, PSEUDO).text)
    ]
    assert failures == []


def test_the_refusal_of_a_large_form_can_be_translated(views: EveryView) -> None:
    anna = Visitor(views.url, views.cookies["Anna"], headers={"Accept-Language": PSEUDO})
    anna.get("/account")
    answer = anna.post("/account/end", {"session": "x" * 2**20})
    assert (answer.status, untranslated(answer.text)) == (413, [])
    assert "⟦That is too large.⟧" in answer.words


def test_a_page_is_in_the_language_of_its_browser(views: EveryView) -> None:
    history = views.fetch("history", "fr, de-CH;q=0.8, en;q=0.5")
    assert '<html lang="de">' in history.text
    assert "<h1>Verlauf</h1>" in history.text
    assert "3 Gründe zurücksetzen" in views.fetch("undo", "de").words
    assert "Hier ist nichts." in views.fetch("error", "de").words
    assert "20.000" in views.fetch("running", "de").words
    assert "20,000" in views.fetch("running", "fr").words


def test_the_progress_of_a_run_is_in_the_language_of_each_viewer(views: EveryView) -> None:
    running = views.views["running"]
    viewer = Visitor(views.url, views.cookies[running.person])
    path = f"{running.path}/now"
    parts = {
        language: str(json.loads(viewer.get(path, {"Accept-Language": language}).text)["parts"])
        for language in ("en", "de", PSEUDO)
    }
    assert ("20,000" in parts["en"], "20.000" in parts["de"]) == (True, True)
    assert ("⟦" in parts["en"], "⟦" in parts[PSEUDO]) == (False, True)


@needs_browser
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
        errors = [one for one in recorder.errors if not (name in STATUS and STATUS[name] in one)]
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
