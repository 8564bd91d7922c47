"""The settings of the simulator: the limits of its org, its delays and its faults."""

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
    """The settings of a simulator; the defaults are a healthy org that answers at once.

    Raises ValueError, with a sentence for the user, if a value is out of range.
    """

    latency: float = 0.0
    """Seconds until a call is answered. A 429 is answered at once."""
    jitter: float = 0.0
    """Seconds by which the latency varies, up or down."""
    # The concurrency limit of Zoho's largest edition (Ultimate, CRM Plus).
    in_flight_cap: int | None = 25
    """With so many calls in flight, one more is answered 429; None: no cap."""
    credits: int | None = None
    """The credits of the org: each accepted call uses one, then 429; None: no limit."""
    # An hour, which Zoho documents for its access tokens.
    token_lifetime: float = 3600.0
    """Seconds for which an access token is valid."""
    retry_after: float | None = None
    """Seconds in the Retry-After header of every 429; None: no such header."""
    throttle_at: frozenset[int] = frozenset()
    """Which API calls, counted from 1, are answered 429."""
    faults: Mapping[Fault, float] = field(default_factory=dict)
    """The share of the calls that has each fault, from 0 to 1; the sum is at most 1."""
    fail_from: int | None = None
    """From this PUT on, counted from 1, an outage: every call is answered 500."""
    fail_calls: int | None = None
    """How many calls the outage lasts; None: for ever."""
    seed: int | None = None
    """The same seed and the same calls in the same order give the same faults."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("latency", "jitter", "token_lifetime", "retry_after"):
            if (getattr(self, name) or 0) < 0:
                raise ValueError(f"{name} cannot be less than 0 seconds: {getattr(self, name)}")
        for name in ("in_flight_cap", "fail_from", "fail_calls"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} counts from 1: {value}")
        if self.credits is not None and self.credits < 0:
            raise ValueError(f"credits cannot be less than 0: {self.credits}")
        if any(number < 1 for number in self.throttle_at):
            raise ValueError(f"throttle_at counts calls from 1: {sorted(self.throttle_at)}")
        for fault, share in self.faults.items():
            if not 0 <= share <= 1:
                raise ValueError(f"the share of {fault} is not between 0 and 1: {share}")
        # With a tolerance: the sum of several floats may be a little more than 1.
        if (total := sum(self.faults.values())) > 1 + 1e-9:
            raise ValueError(f"the shares of the faults add up to {total:g}, more than 1")
