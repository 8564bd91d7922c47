"""One browser for the tests of a module; the servers are those of the folder above."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from support.page_server import PageServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page
    from support.browser import NewTab

# Playwright has no wheels for some systems; the other tests of the page run there all the same.
if find_spec("playwright") is None or find_spec("axe_playwright_python") is None:
    collect_ignore_glob = ["test_*.py"]


# Not for the session: Playwright runs an event loop, and no other test could run one beside it.
@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    from support.browser import launched

    yield from launched()


@pytest.fixture
def new_tab(browser: "Browser") -> "Iterator[NewTab]":
    from support.browser import tabs

    yield from tabs(browser)


@pytest.fixture
def tab(page: PageServer, new_tab: "NewTab") -> "Page":
    """Return a tab in which somebody has signed in."""
    from support.browser import sign_in_by_link

    return sign_in_by_link(page, new_tab())
