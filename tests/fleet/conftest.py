"""The fixtures of the tests of many orgs."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest
from support.fleet import Fleet, fleet_of
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
