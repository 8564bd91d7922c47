"""The record of all calls that the simulator received."""

import time
from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum


class Kind(StrEnum):
    """Kinds of calls: four on locks, three that read or do a lot, other API calls, token requests.

    `LIST` is `GET /{module}`.
    """

    PUT = "put"
    GET = "get"
    POST = "post"
    DELETE = "delete"
    LIST = "list"
    COQL = "coql"
    COMPOSITE = "composite"
    OTHER = "other"
    TOKEN = "token"  # noqa: S105 - a kind of call, no secret


class Ledger:
    """The calls that the simulator received, in nine bytes each: runs of a million rows fit."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.started_at = time.time()
        """Wall clock, seconds since 1970. Arrivals are seconds after this moment."""
        self.answers: Counter[str] = Counter()
        """Answers by HTTP status; `dropped`, `cut` and `hung` are calls without a whole answer."""
        self.in_flight = 0
        """Places of API calls that are not yet answered, and whose connection is still open."""
        self.in_flight_peak = 0
        self.heavy_in_flight = 0
        """The calls among them that have the lower limit."""
        self.api_calls = 0
        """Calls other than token requests, including refused ones."""
        self.credits: Counter[Kind] = Counter()
        """Credits by the kind of the call that used them."""
        self.sub_requests: Counter[Kind] = Counter()
        """Executed sub-requests of composite calls; they are no calls of their own."""
        self.changes: Counter[Kind] = Counter()
        """Calls that changed a lock, whether or not the answer reached the client."""
        self._clock = clock
        self._start = clock()
        # An array and a bytearray, because a list of floats would take 32 bytes for each call.
        self._arrivals = {kind: array("d") for kind in Kind}
        self._throttled = {kind: bytearray() for kind in Kind}

    def record_arrival(self, kind: Kind) -> None:
        """Record the arrival of a call."""
        self._arrivals[kind].append(self._clock() - self._start)
        self._throttled[kind].append(0)
        if kind is not Kind.TOKEN:
            self.api_calls += 1

    def mark_throttled(self, kind: Kind, number: int) -> None:
        """Record that call `number` of this kind, counted from 1, was answered 429."""
        self._throttled[kind][number - 1] = 1

    def start_call(self, places: int = 1) -> None:
        """Record that an API call is in flight."""
        self.in_flight += places
        self.in_flight_peak = max(self.in_flight_peak, self.in_flight)

    @property
    def credits_used(self) -> int:
        """Credits that were used so far."""
        return self.credits.total()

    @property
    def updates(self) -> int:
        """PUTs that changed a lock."""
        return self.changes[Kind.PUT]

    def count(self, kind: Kind) -> int:
        """Return the number of calls of this kind."""
        return len(self._arrivals[kind])

    def calls(self, kind: Kind) -> Mapping[str, object]:
        """Return when each call of this kind arrived, and whether it was answered 429."""
        return {
            "kind": kind,
            "started_at": self.started_at,
            "arrivals": self._arrivals[kind].tolist(),
            "throttled": list(self._throttled[kind]),
        }

    def state(self) -> Mapping[str, object]:
        """Return every count; `first_call` and `last_call` are arrivals of API calls."""
        times = [
            arrivals
            for kind, arrivals in self._arrivals.items()
            if arrivals and kind is not Kind.TOKEN
        ]
        return {
            "started_at": self.started_at,
            "calls": {kind.value: self.count(kind) for kind in Kind},
            "sub_requests": {kind.value: count for kind, count in self.sub_requests.items()},
            "updates": self.updates,
            "locked": self.changes[Kind.POST],
            "unlocked": self.changes[Kind.DELETE],
            "throttled": sum(sum(marks) for marks in self._throttled.values()),
            "answers": dict(self.answers),
            "in_flight": self.in_flight,
            "in_flight_peak": self.in_flight_peak,
            "credits_used": self.credits_used,
            "credits_by_kind": {kind.value: count for kind, count in self.credits.items()},
            "token_requests": self.count(Kind.TOKEN),
            "first_call": min((arrivals[0] for arrivals in times), default=None),
            "last_call": max((arrivals[-1] for arrivals in times), default=None),
        }
