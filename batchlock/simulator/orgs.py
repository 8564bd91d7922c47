"""The orgs of one stand-in, and what they share: the address, the clock and the order of calls.

All else belongs to one org and is in its `Simulator`: sign-in, tokens, cap, credits, faults,
records, locks and the record of calls. As at Zoho, the access token of a call decides its org.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from batchlock.simulator.behaviour import Behaviour
from batchlock.simulator.call_log import Timeline
from batchlock.simulator.identity import MOST_ORGS, Identity, token_digits_of
from batchlock.simulator.records import Inventory
from batchlock.simulator.simulator import Simulator, now_utc


class Orgs:
    """The orgs of a stand-in by their numbers, from 1."""

    def __init__(self, simulators: list[Simulator]) -> None:
        self.by_number: Mapping[int, Simulator] = {
            simulator.identity.number: simulator for simulator in simulators
        }
        self.url = ""
        """The address of all orgs, for both the API and the accounts URL."""
        self.unknown_tokens = 0
        """API calls without an access token of any org."""
        self.unknown_clients = 0
        """Token requests without the client id of any org."""
        self._only = simulators[0] if simulators[0].identity.is_only else None
        self._by_token_digits = {one.identity.token_digits: one for one in simulators}
        self._by_client = {one.identity.client_id: one for one in simulators}

    def of_call(self, token: str) -> Simulator | None:
        """Return the org of a call with this access token; None: no org has issued it."""
        if self._only is not None:
            return self._only
        return self._by_token_digits.get(token_digits_of(token))

    def of_sign_in(self, client_id: str) -> Simulator | None:
        """Return the org of a token request; None: no org has this client id."""
        return self._only or self._by_client.get(client_id)

    def of_token(self, token: str) -> Simulator | None:
        """Return the org of a request to revoke a token; None: it is a token of no org."""
        by_name = {one.identity.refresh_token: one for one in self}
        return self._only or self.of_call(token) or by_name.get(token)

    def set_url(self, url: str) -> None:
        """Set the address of all orgs."""
        self.url = url
        for simulator in self:
            simulator.url = url

    @property
    def only(self) -> Simulator | None:
        """The only org; None: there are several."""
        return self._only

    def __iter__(self) -> Iterator[Simulator]:
        return iter(self.by_number.values())

    def __len__(self) -> int:
        return len(self.by_number)


def behaviour_of(identity: Identity, behaviour: Behaviour) -> Behaviour:
    """Return the behaviour of one org, made from that of all orgs.

    The number is added to the organization id and to the seed, and stands after the name.
    Raises ValueError if an organization id is no number.
    """
    if identity.is_only:
        return behaviour
    if not (behaviour.org_id.isascii() and behaviour.org_id.isdecimal()):
        raise ValueError(f"with several orgs, the org_id is a number: {behaviour.org_id}")
    seed = behaviour.seed
    return replace(
        behaviour,
        org_id=str(int(behaviour.org_id) + identity.offset),
        company_name=f"{behaviour.company_name} {identity.label}",
        seed=None if seed is None else seed + identity.offset,
    )


def make_orgs(
    count: int,
    behaviour: Behaviour | None = None,
    *,
    inventory_of: Callable[[Identity], Inventory | None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime] = now_utc,
) -> Orgs:
    """Make the orgs of a stand-in, numbered from 1. One org alone takes every sign-in.

    `inventory_of` makes the records of an org; None: every record is locked. `clock` is monotonic
    and returns seconds; `now` returns the time that new locks get.
    Raises ValueError if there are more than MOST_ORGS, or an organization id is no number.
    """
    if not 1 <= count <= MOST_ORGS:
        raise ValueError(f"the orgs are 1 to {MOST_ORGS}: {count}")
    timeline = Timeline(clock)
    simulators = []
    for number in range(1, count + 1):
        identity = Identity(number, is_only=count == 1)
        own = behaviour_of(identity, behaviour or Behaviour())
        simulators.append(
            Simulator(own, inventory_of(identity), identity=identity, timeline=timeline, now=now)
        )
    return Orgs(simulators)
