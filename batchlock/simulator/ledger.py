"""The counts of one org: calls by kind and answer, calls in flight, credits and changes."""

from collections import Counter
from collections.abc import Mapping

from batchlock.simulator.call_log import REFUSED, CallLog, Kind, Timeline


class Ledger:
    """The calls that one org received, with their counts."""

    def __init__(self, timeline: Timeline | None = None) -> None:
        timeline = timeline or Timeline()
        self.started_at = timeline.started_at
        """Wall clock, seconds since 1970. Arrivals are seconds after this moment."""
        self.log = CallLog(timeline)
        """Each call by itself."""
        self.answers: Counter[str] = Counter()
        """Answers by HTTP status; `dropped`, `cut` and `hung` are calls without a whole answer."""
        self.in_flight = 0
        """Places of API calls that are not yet answered, whether or not the client waits."""
        self.in_flight_peak = 0
        self.heavy_in_flight = 0
        """The calls among them that have the lower limit."""
        self.over_cap = 0
        """Calls answered 429 because too many were in flight."""
        self.api_calls = 0
        """Calls other than token requests, including refused ones."""
        self.credits: Counter[Kind] = Counter()
        """Credits by the kind of the call that used them."""
        self.sub_requests: Counter[Kind] = Counter()
        """Executed sub-requests of composite calls; they are no calls of their own."""
        self.changes: Counter[Kind] = Counter()
        """Calls that changed a lock, whether or not the answer reached the client."""
        self._timeline = timeline
        self._counts: Counter[Kind] = Counter()
        self._first_call: float | None = None
        self.last_call: float | None = None
        """When the last API call arrived, in seconds from the start; None: there was none."""

    def record_arrival(
        self, kind: Kind, record: tuple[str, str] = ("", ""), *, token: str = "", port: int = 0
    ) -> int:
        """Record the arrival of a call; return its position in the log.

        `record` is the module and the record id, `token` the access token, and `port` the port of
        the client's end of the connection.
        """
        self._counts[kind] += 1
        if kind is not Kind.TOKEN:
            self.api_calls += 1
            self.last_call = self._timeline.elapsed()
            if self._first_call is None:
                self._first_call = self.last_call
        return self.log.add(kind, record, token=token, port=port)

    def record_sub_request(self, kind: Kind, record: tuple[str, str], *, token: str) -> int:
        """Record a sub-request that is executed; return its position in the log."""
        self.sub_requests[kind] += 1
        return self.log.add(kind, record, token=token, in_composite=True)

    def record_answer(self, position: int, answer: str) -> None:
        """Record what an API call was answered: an HTTP status, `dropped`, `cut` or `hung`."""
        self.answers[answer] += 1
        self.log.set_answer(position, answer)

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

    @property
    def throttled(self) -> int:
        """API calls that were answered 429."""
        return self.answers[REFUSED]

    def count(self, kind: Kind) -> int:
        """Return the number of calls of this kind."""
        return self._counts[kind]

    def calls(self, kind: Kind) -> Mapping[str, object]:
        """Return when each call of this kind arrived, and whether it was answered 429."""
        arrivals, throttled = self.log.arrivals(kind)
        return {
            "kind": kind,
            "started_at": self.started_at,
            "arrivals": arrivals,
            "throttled": throttled,
        }

    def state(self) -> Mapping[str, object]:
        """Return every count; `first_call` and `last_call` are arrivals of API calls."""
        return {
            "started_at": self.started_at,
            "calls": {kind.value: self.count(kind) for kind in Kind},
            "sub_requests": {kind.value: count for kind, count in self.sub_requests.items()},
            "updates": self.updates,
            "locked": self.changes[Kind.POST],
            "unlocked": self.changes[Kind.DELETE],
            "throttled": self.throttled,
            "over_cap": self.over_cap,
            "answers": dict(self.answers),
            "in_flight": self.in_flight,
            "in_flight_peak": self.in_flight_peak,
            "credits_used": self.credits_used,
            "credits_by_kind": {kind.value: count for kind, count in self.credits.items()},
            "token_requests": self.count(Kind.TOKEN),
            "first_call": self._first_call,
            "last_call": self.last_call,
        }
