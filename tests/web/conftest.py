"""Servers of the page that the tests of a module share; starting one takes a second."""

from collections.abc import Iterator

import pytest
from support.commands import started
from support.page_server import PageServer, configure_slow, page_server
from support.visitor import Visitor, write_config
from support.zoho import StandIn


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """Serve the page for the simulator, without people."""
    folder = tmp_path_factory.mktemp("page")
    # The samples have rows that fail in every attempt; the usual waits take half a minute.
    write_config(folder, "retry: {attempts: 2, first_wait: 10ms}")
    with page_server(folder, "--simulate") as page:
        yield page


@pytest.fixture
def someone(page: PageServer) -> Visitor:
    """Return a visitor who has signed in."""
    return page.visitor()


@pytest.fixture(scope="module")
def slow_org() -> Iterator[StandIn]:
    """Start an org in which each call takes 200 ms."""
    with started("simulate", "--latency", "200ms", "--in-flight-cap", "none") as process:
        assert process.stdout is not None
        yield StandIn("http" + process.stdout.readline().split("http", 1)[1].split()[0])


@pytest.fixture(scope="module")
def slow_page(slow_org: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """Serve the page for the slow org, with two calls in flight."""
    folder = tmp_path_factory.mktemp("slow")
    configure_slow(slow_org, folder)
    with page_server(folder) as page:
        yield page
