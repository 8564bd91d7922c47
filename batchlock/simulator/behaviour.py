"""The settings of the simulator: its org and the org's limits, its delays and its faults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from batchlock.simulator.editions import LIMITS, Edition
from batchlock.simulator.scopes import DEFAULT_SCOPES

# All ids of the simulator begin with 990000, so that nobody takes them for real ones.
ORGANIZATION_ID = "990000000"


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


class OrgType(StrEnum):
    """The kind of an org, as Zoho names it."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"
    DEVELOPER = "developer"
    BIGIN = "bigin"


class Composite(StrEnum):
    """Which sub-requests a composite call executes."""

    ALL = "all"
    NO_LOCKS = "no_locks"
    """Calls on locks are refused."""
    NO_POST = "no_post"
    """POST on locks is refused."""
    MIXED = "mixed"
    """Every second sub-request is refused."""


class Unlisted(StrEnum):
    """The first state of the records that the inventory does not name."""

    LOCKED = "locked"
    UNLOCKED = "unlocked"
    EITHER = "either"
    """Not locked for a POST, locked for every other call: files of all actions can be rehearsed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The settings of a simulator; the defaults are a healthy org that answers at once.

    Raises ValueError, with a sentence for the user, if a value is out of range.
    """

    latency: float = 0.0
    """Seconds until a call is answered. A 429 is answered at once."""
    jitter: float = 0.0
    """Seconds by which the latency varies, up or down."""
    edition: Edition = Edition.ULTIMATE
    """The edition of the org."""
    users: int = 25
    """The users that the org has licenses for."""
    org_type: OrgType = OrgType.PRODUCTION
    org_id: str = ORGANIZATION_ID
    """The `zgid` of the org."""
    company_name: str = "Rehearsal Ltd"
    time_zone: str = "Etc/UTC"
    unlisted: Unlisted = Unlisted.LOCKED
    in_flight_cap: int | Literal["edition"] | None = "edition"
    """With so many calls in flight, one more is answered 429; None: no cap."""
    credits: int | Literal["edition"] | None = None
    """The credits of the org; accepted calls use them up, then 429; None: no limit."""
    scopes: frozenset[str] = DEFAULT_SCOPES
    """What the tokens that are issued from now on may do."""
    api_host: str | None = None
    """The only host name for API calls, without its port; others get INVALID_HOST; None: any."""
    coql_locked: bool = True
    """Whether COQL knows the field `Locked__s`."""
    locked_view: bool = True
    """Whether each module has the stock view of locked records."""
    composite: Composite = Composite.NO_LOCKS
    composite_lost_after: int | None = None
    """After so many sub-requests of a composite call the connection closes; None: never."""
    composite_lost_at: frozenset[int] = frozenset()
    """To which composite calls, counted from 1, that happens; empty: to all of them."""
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
        for name in ("in_flight_cap", "fail_from", "fail_calls", "users"):
            value = getattr(self, name)
            if value not in (None, "edition") and value < 1:
                raise ValueError(f"{name} counts from 1: {value}")
        for name in ("credits", "composite_lost_after"):
            value = getattr(self, name)
            if value not in (None, "edition") and value < 0:
                raise ValueError(f"{name} cannot be less than 0: {value}")
        for name in ("throttle_at", "composite_lost_at"):
            if any(number < 1 for number in getattr(self, name)):
                raise ValueError(f"{name} counts calls from 1: {sorted(getattr(self, name))}")
        for fault, share in self.faults.items():
            if not 0 <= share <= 1:
                raise ValueError(f"the share of {fault} is not between 0 and 1: {share}")
        # With a tolerance: the sum of several floats may be a little more than 1.
        if (total := sum(self.faults.values())) > 1 + 1e-9:
            raise ValueError(f"the shares of the faults add up to {total:g}, more than 1")

    @property
    def most_in_flight(self) -> int | None:
        """The cap in calls; None: no cap."""
        if self.in_flight_cap == "edition":
            return LIMITS[self.edition].in_flight
        return self.in_flight_cap

    @property
    def credit_limit(self) -> int | None:
        """The credits that the org may spend; None: no limit."""
        if self.credits == "edition":
            return LIMITS[self.edition].credits_of(self.users)
        return self.credits
