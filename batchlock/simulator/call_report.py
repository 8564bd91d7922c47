"""What tests and measurements ask about several orgs: a summary, and the calls in their order."""

import heapq
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from batchlock.simulator.call_log import Kind
from batchlock.simulator.inventory_json import ContentError
from batchlock.simulator.orgs import Orgs
from batchlock.simulator.simulator import Simulator

MOST_CALLS = 10_000
"""The most calls in one answer, some 3 MB of JSON."""
_TOTALS = (
    "calls",
    "puts",
    "puts_again",
    "over_cap",
    "throttled",
    "credits_used",
    "token_requests",
    "updates",
    "locks_changed",
    "locks_updated_again",
    "in_flight",
)


def summary(orgs: Orgs) -> Mapping[str, object]:
    """Return the counts of each org, and their sums, as JSON has them."""
    lines = [_line(simulator) for simulator in orgs]
    total: Counter[str] = Counter()
    for line in lines:
        total.update({name: line[name] for name in _TOTALS})
    return {
        "url": orgs.url,
        "unknown_tokens": orgs.unknown_tokens,
        "unknown_clients": orgs.unknown_clients,
        "total": {name: total[name] for name in _TOTALS},
        "orgs": lines,
    }


def page(simulators: Iterable[Simulator], query: Mapping[str, str]) -> Mapping[str, object]:
    """Return the calls to these orgs in the order of their arrival, as JSON has them.

    The query has `after`, the number of the last call that is known already, and `limit`, at most
    MOST_CALLS. `next` in the answer is the next `after`; None: there are no more calls.
    Raises ContentError if one of them is no such number.
    """
    after = _number(query, "after", 0, most=None)
    limit = _number(query, "limit", MOST_CALLS, most=MOST_CALLS)
    merged = heapq.merge(
        *(_entries(simulator, after) for simulator in simulators), key=lambda entry: entry[0]
    )
    # One more than the limit, to know whether there are more.
    entries = [entry for _, entry in itertools.islice(merged, limit + 1)]
    has_more = len(entries) > limit
    calls = entries[:limit]
    return {"calls": calls, "next": calls[-1]["number"] if has_more else None}


def _line(simulator: Simulator) -> dict[str, Any]:
    ledger, behaviour, identity = simulator.ledger, simulator.behaviour, simulator.identity
    locks = simulator.locks.by_record.values()
    limit = behaviour.credit_limit
    return {
        "org": identity.number,
        "client_id": identity.client_id,
        "organization_id": behaviour.org_id,
        "name": behaviour.company_name,
        "cap": behaviour.most_in_flight,
        "in_flight": ledger.in_flight,
        "in_flight_peak": ledger.in_flight_peak,
        "calls": ledger.api_calls,
        "puts": ledger.count(Kind.PUT),
        "puts_again": ledger.log.puts_again(),
        "over_cap": ledger.over_cap,
        "throttled": ledger.throttled,
        "credits_used": ledger.credits_used,
        "credits_left": None if limit is None else max(0, limit - ledger.credits_used),
        "token_requests": ledger.count(Kind.TOKEN),
        "updates": ledger.updates,
        "locks_changed": len(locks),
        "locks_updated_again": sum(lock.updates > 1 for lock in locks),
        "last_call": ledger.last_call,
    }


def _entries(simulator: Simulator, after: int) -> Iterator[tuple[int, Mapping[str, object]]]:
    org = simulator.identity.number
    for number, entry in simulator.ledger.log.entries(after):
        yield number, {"org": org, "number": number, **entry}


def _number(query: Mapping[str, str], name: str, default: int, *, most: int | None) -> int:
    text = query.get(name, str(default))
    least = 0 if most is None else 1
    is_number = text.isascii() and text.isdecimal() and len(text) <= 18
    if not is_number or int(text) < least or (most is not None and int(text) > most):
        expected = "a number from 0" if most is None else f"a number from 1 to {most}"
        raise ContentError(f"{name}: {expected} is expected, not {text!r}")
    return int(text)
