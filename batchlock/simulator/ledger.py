"""The stand-in's own book of the calls it got."""

import time
from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum


class Kind(StrEnum):
    """Kinds of calls: the four on locks, other API calls, token requests."""

    PUT = "put"
    GET = "get"
    POST = "post"
    DELETE = "delete"
    OTHER = "other"
    TOKEN = "token"  # noqa: S105 - a kind of call, no secret


class Ledger:
    """The calls the stand-in got, in nine bytes each."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.started_at = time.time()
        """When the stand-in started, as a POSIX time; arrivals count from here, in seconds."""
        self.answers: Counter[str] = Counter()
        """Answers by HTTP status, and `dropped`, `cut`, `hung` for the lack of one."""
        self.in_flight = 0
        """API calls that have arrived and are neither answered nor given up by their caller."""
        self.in_flight_peak = 0
        self.credits_used = 0
        self.updates = 0
        """PUTs that changed a lock, whether or not their caller was told."""
        self._clock = clock
        self._start = clock()
        self._arrivals = {kind: array("d") for kind in Kind}
        self._throttled = {kind: bytearray() for kind in Kind}
        self._api_calls = 0

    def arrive(self, kind: Kind) -> None:
        """Note that a call of this kind is here."""
        self._arrivals[kind].append(self._clock() - self._start)
        self._throttled[kind].append(0)
        if kind is not Kind.TOKEN:
            self._api_calls += 1

    def throttle(self, kind: Kind, number: int) -> None:
        """Note that the `number`th call of this kind, from 1, was answered 429."""
        self._throttled[kind][number - 1] = 1

    def enter(self) -> None:
        """Note that an API call is in flight."""
        self.in_flight += 1
        self.in_flight_peak = max(self.in_flight_peak, self.in_flight)

    @property
    def api_calls(self) -> int:
        """How many API calls came, refused ones included."""
        return self._api_calls

    def count(self, kind: Kind) -> int:
        """Return how many calls of this kind came."""
        return len(self._arrivals[kind])

    def calls(self, kind: Kind) -> Mapping[str, object]:
        """Return the arrival of every call of this kind, and which were answered 429."""
        return {
            "kind": kind,
            "started_at": self.started_at,
            "arrivals": self._arrivals[kind].tolist(),
            "throttled": list(self._throttled[kind]),
        }

    def state(self) -> Mapping[str, object]:
        """Return every count; `first_call` and `last_call` are of API calls."""
        times = [
            arrivals
            for kind, arrivals in self._arrivals.items()
            if arrivals and kind is not Kind.TOKEN
        ]
        return {
            "started_at": self.started_at,
            "calls": {kind.value: self.count(kind) for kind in Kind},
            "updates": self.updates,
            "throttled": sum(sum(marks) for marks in self._throttled.values()),
            "answers": dict(self.answers),
            "in_flight": self.in_flight,
            "in_flight_peak": self.in_flight_peak,
            "credits_used": self.credits_used,
            "token_requests": self.count(Kind.TOKEN),
            "first_call": min((arrivals[0] for arrivals in times), default=None),
            "last_call": max((arrivals[-1] for arrivals in times), default=None),
        }
