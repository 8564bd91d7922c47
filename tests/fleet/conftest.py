"""The fixtures of the tests of many orgs."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from support.fleet import Fleet, fleet_of
from support.schedules import Workers, open_workers
from support.zoho import Start

MakeFleet = Callable[..., Fleet]


@pytest.fixture
def make_fleet(stand_in: Start, database_url: str) -> Iterator[MakeFleet]:
    """Return a function that adds orgs of a stand-in with some options to a shared database."""
    with ExitStack() as stack:

        def make(*options: object, orgs: int = 1, **more: str) -> Fleet:
            numbers = range(1, orgs + 1)
            # Two orgs at least: the only org of a stand-in takes any sign-in.
            zoho = stand_in("--orgs", max(orgs, 2), *options)
            fleet: AbstractContextManager[Fleet] = fleet_of(zoho, database_url, *numbers, **more)
            return stack.enter_context(fleet)

        yield make


@pytest.fixture
def workers(database_url: str, tmp_path: Path) -> Iterator[Workers]:
    """Open a database for the schedules of an org, with an empty folder for its files."""
    with open_workers(database_url, tmp_path) as workers:
        yield workers
