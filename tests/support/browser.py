"""What tests in a real browser share: the browser, its tabs, and steps that people take."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Dialog,
    Locator,
    Page,
    expect,
    sync_playwright,
)

from support.commands import TIMEOUT_SECONDS
from support.page_server import PageServer
from support.visitor import eventually

EXECUTABLE = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
needs_browser = pytest.mark.skipif(EXECUTABLE is None, reason="there is no Chromium")

# The sandbox needs rights that a container does not give; the others keep Chromium from the
# network.
_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
              "--disable-background-networking", "--disable-component-update",
              "--disable-sync")  # fmt: skip
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# A small phone, and a laptop.
WIDTHS = (360, 1280)

NewTab = Callable[..., Page]


def launched() -> Iterator[Browser]:
    """Launch Chromium for a fixture."""
    assert EXECUTABLE is not None
    with sync_playwright() as playwright:
        expect.set_options(timeout=1000 * TIMEOUT_SECONDS)
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=_ARGUMENTS)
        yield browser
        browser.close()


def tabs(browser: Browser) -> Iterator[NewTab]:
    """Yield a function that opens a tab with its own cookies, for a fixture.

    The options of the function are those of the tab's context.
    """
    contexts = []

    def new(**options: Any) -> Page:
        context = browser.new_context(**options)
        context.set_default_timeout(1000 * TIMEOUT_SECONDS)
        contexts.append(context)
        return context.new_page()

    yield new
    for context in contexts:
        context.close()


def sign_in_by_link(server: PageServer, tab: Page) -> Page:
    """Open the newest sign-in link in a tab."""
    link = server.link()
    tab.goto(server.url + link)
    tab.wait_for_url(f"{server.url}/orgs/*")
    eventually(lambda: server.link() != link)
    return tab


def upload(tab: Page, file: Path | dict[str, Any]) -> None:
    """Choose a file and wait for its check."""
    tab.get_by_label("choose").set_input_files(file)  # type: ignore[arg-type]  # a dict is allowed
    tab.wait_for_url("**/files/*")


def start(tab: Page, file: Path | dict[str, Any]) -> str:
    """Choose a file and start its run; return the address of the run."""
    upload(tab, file)
    button(tab, "Start").click()
    tab.wait_for_url("**/runs/*")
    return tab.url


def button(tab: Page, name: str) -> Locator:
    return tab.get_by_role("button", name=name)


def tile(tab: Page, label: str) -> Locator:
    """Return the number on a tile."""
    # Not one of the whole story, which adds up several runs.
    own = ".tile:not([aria-labelledby=family] .tile)"
    return tab.locator(own).filter(has_text=label).locator("dd")


def results_heading(tab: Page) -> Locator:
    """Return the heading that only the page of results has."""
    return tab.get_by_role("heading", name="Download").or_(
        tab.get_by_role("heading", name="What next?")
    )


def each_appearance(tab: Page) -> Iterator[str]:
    """Show a page with everything open on it, narrow and wide, light and dark."""
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 800})
        for scheme in SCHEMES:
            tab.emulate_media(color_scheme=scheme)
            yield f"{width}, {scheme}"


@dataclass
class Recorder:
    """The requests and the errors of a tab."""

    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def attach(self, tab: Page) -> None:
        tab.on("request", lambda request: self.requests.append(request.url))
        tab.on("pageerror", lambda error: self.errors.append(str(error)))
        tab.on("dialog", self._on_dialog)
        tab.on("console", self._on_console)

    def clear(self) -> None:
        """Forget what was recorded."""
        self.requests.clear()
        self.errors.clear()

    def _on_dialog(self, dialog: Dialog) -> None:
        self.errors.append(dialog.message)
        dialog.dismiss()

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)
