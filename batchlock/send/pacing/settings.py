"""How much of an org's limits a run may use, and how it waits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt

# Beyond this exponent every bound exceeds any longest_wait; 2.0 ** 1024 would overflow.
_MAX_DOUBLINGS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of the org's limits a run may use."""

    in_flight: Literal["auto"] | Annotated[int, Ge(1)] = "auto"
    """Calls in flight; `auto` finds out how many the org allows."""
    # 25 is the limit of the largest edition (Ultimate, CRM Plus), see Zoho's page on API limits.
    max_in_flight: Annotated[int, Ge(1)] = 25
    """The upper bound of `auto`."""
    composite: Literal["auto", "off"] = "auto"
    """Whether five rows share one call, and one credit, where Zoho takes that."""
    per_second: Annotated[float, Gt(0)] | None = None
    """Calls started in any second; None for no limit."""
    keep_credits: Annotated[int, Ge(0)] = 0
    """Credits of the day that are reserved for other integrations."""
    max_credits: Annotated[int, Ge(1)] | None = None
    """The most that one run may use, over all its sessions; None for no bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often and how long a run waits for Zoho. Times are in seconds."""

    attempts: Annotated[int, Ge(1)] = 6
    """Calls without a usable answer for one row, after which the row has failed."""
    first_wait: Annotated[float, Gt(0)] = 0.5
    longest_wait: Annotated[float, Gt(0)] = 60.0
    give_up_after: Annotated[float, Gt(0)] = 900.0
    """Time without a single good answer, after which the run stops."""
    timeout: Annotated[float, Gt(0)] = 60.0
    """For one call."""

    def back_off(self, failures: int, random: Callable[[], float]) -> float:
        """Return the seconds to wait after `failures` in a row: full jitter, doubling bound.

        `random` returns a number from 0 to 1. Full jitter spreads the retries of many rows over
        the whole interval, so that they do not all come back at once.
        """
        bound = min(self.longest_wait, self.first_wait * 2.0 ** min(failures - 1, _MAX_DOUBLINGS))
        return bound * random()
