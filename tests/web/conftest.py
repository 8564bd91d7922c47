"""Servers of the page that the tests of a module share."""

import asyncio
from collections.abc import Iterator

import pytest
from support.page_server import PageServer, configure_slow, page_server, served_page
from support.visitor import Visitor, write_config
from support.zoho import StandIn, stand_in_on


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """Serve the page for the simulator, without people."""
    folder = tmp_path_factory.mktemp("page")
    # The samples have rows that fail in every attempt; the usual waits take half a minute.
    write_config(folder, "retry: {attempts: 2, first_wait: 10ms}")
    with served_page(folder, simulate=True) as page:
        yield page


@pytest.fixture
def someone(page: PageServer) -> Visitor:
    """Return a visitor who has signed in."""
    return page.visitor()


@pytest.fixture(scope="module")
def slow_org(stand_in_loop: asyncio.AbstractEventLoop) -> Iterator[StandIn]:
    """Start an org in which each call takes 200 ms."""
    with stand_in_on(stand_in_loop, "--latency", "200ms", "--in-flight-cap", "none") as org:
        yield org


@pytest.fixture(scope="module")
def slow_page(slow_org: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """Serve the page for the slow org, with two calls in flight."""
    folder = tmp_path_factory.mktemp("slow")
    configure_slow(slow_org, folder)
    # A process of its own, because the tests stop and kill the processes of its runs.
    with page_server(folder) as page:
        yield page
