"""How much of an org's limits a run may use, and how it waits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of the org's limits a run may use."""

    in_flight: Literal["auto"] | Annotated[int, Ge(1)] = "auto"
    """Calls under way at once; `auto` finds out how many the org takes."""
    max_in_flight: Annotated[int, Ge(1)] = 25
    """The most that `auto` goes up to."""
    per_second: Annotated[float, Gt(0)] | None = None
    """Calls started in any second; None for as many as come."""
    keep_credits: Annotated[int, Ge(0)] = 0
    """Credits of the day that are left to other integrations."""
    max_credits: Annotated[int, Ge(1)] | None = None
    """The most that one run may spend, over all its sessions; None for no bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How trouble is waited for. Times are in seconds."""

    attempts: Annotated[int, Ge(1)] = 6
    """Calls for one row that end in no usable answer, before it has failed."""
    first_wait: Annotated[float, Gt(0)] = 0.5
    longest_wait: Annotated[float, Gt(0)] = 60.0
    give_up_after: Annotated[float, Gt(0)] = 900.0
    """Time without a single good answer, after which the run stops."""
    timeout: Annotated[float, Gt(0)] = 60.0
    """For one call."""

    def back_off(self, failures: int, random: Callable[[], float]) -> float:
        """Return how long to wait after `failures` in a row: full jitter under a doubling bound.

        `draw` gives a number from 0 to 1.
        """
        bound = min(self.longest_wait, self.first_wait * 2.0 ** min(failures - 1, 60))
        return bound * random()
