"""How the stand-in shall behave: the limits of its org, its delays and its faults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """What can go wrong with a call."""

    SERVER_ERROR = "server_error"
    """500 with Zoho's envelope; nothing is changed."""
    BAD_GATEWAY = "bad_gateway"
    """502 with a page of HTML; nothing is changed."""
    PROXY_PAGE = "proxy_page"
    """403 with a page of HTML from a proxy, not Zoho; nothing is changed."""
    THROTTLED = "throttled"
    """429; nothing is changed."""
    DROPPED_BEFORE = "dropped_before"
    """The connection closes before an answer; nothing is changed."""
    DROPPED_AFTER = "dropped_after"
    """The connection closes before an answer, but the change was made."""
    CUT_BODY = "cut_body"
    """200 with half of its JSON, but the change was made."""
    CUT_CONNECTION = "cut_connection"
    """200, and the connection closes in the middle of the body; the change was made."""
    HANG = "hang"
    """No answer ever, but the change was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How the stand-in behaves; the defaults are a healthy org that answers at once.

    Raises ValueError, with a sentence for the person who asked, for what makes no sense.
    """

    latency: float = 0.0
    """Seconds until a call is answered. A 429 is answered at once."""
    jitter: float = 0.0
    """Seconds that the latency varies by, up or down."""
    in_flight_cap: int | None = 25
    """A call beyond so many in flight is answered 429; None: no cap."""
    credits: int | None = None
    """What the org may spend: one for each call that is let in, 429 past them; None: no end."""
    token_lifetime: float = 3600.0
    """Seconds that an access token is good for."""
    retry_after: float | None = None
    """Seconds in the Retry-After header of every 429; None: no such header."""
    throttle_at: frozenset[int] = frozenset()
    """Which API calls, counted from 1, are answered 429."""
    faults: Mapping[Fault, float] = field(default_factory=dict)
    """The share of the calls that meets each fault, between 0 and 1; together 1 at most."""
    fail_from: int | None = None
    """From this PUT on, counted from 1, an outage: every call is answered 500."""
    fail_calls: int | None = None
    """How many calls the outage lasts; None: for ever."""
    seed: int | None = None
    """The same seed and the same calls in the same order meet the same faults."""

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        for name in ("latency", "jitter", "token_lifetime", "retry_after"):
            if (getattr(self, name) or 0) < 0:
                raise ValueError(f"{name} cannot be less than 0 seconds: {getattr(self, name)}")
        for name in ("in_flight_cap", "fail_from", "fail_calls"):
            if (given := getattr(self, name)) is not None and given < 1:
                raise ValueError(f"{name} counts from 1: {given}")
        if self.credits is not None and self.credits < 0:
            raise ValueError(f"credits cannot be less than 0: {self.credits}")
        if any(number < 1 for number in self.throttle_at):
            raise ValueError(f"throttle_at counts calls from 1: {sorted(self.throttle_at)}")
        for fault, share in self.faults.items():
            if not 0 <= share <= 1:
                raise ValueError(f"the share of {fault} is not between 0 and 1: {share}")
        if (together := sum(self.faults.values())) > 1 + 1e-9:
            raise ValueError(f"the shares of the faults add up to {together:g}, more than 1")
