"""The local end of a lease: no call starts after it, whatever the database says.

The database ends a lease by its own clock. This process cannot know when that is, because an
answer may be on its way for a while, or the process may have been suspended. So it counts from the
moment before it asked, and stops a margin earlier.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from batchlock.core.errors import LeaseLost
from batchlock.store.leases import Lease

# The part of a lease that is not used: a call that has passed the check still has to open a
# connection, and to reach Zoho.
_MARGIN = 0.15


def boot_seconds() -> float:
    """Return the seconds since the machine was started, those included in which it was suspended.

    `time.monotonic` stands still on Linux while the machine is suspended.
    """
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


@dataclass(slots=True)
class LeaseGuard:
    """Says whether a call may start under a lease."""

    lease: Lease
    seconds: float
    """The length of the lease."""
    asked_at: float
    """When the lease was taken or renewed last, in seconds of the clock: before the request."""
    is_lost: bool = False
    has_cut_call: bool = False
    """Whether Zoho may still be at work on a call that nobody awaits any more."""
    clock: Callable[[], float] = boot_seconds

    @property
    def is_over(self) -> bool:
        """Whether no call may start any more."""
        end = self.asked_at + self.seconds * (1 - _MARGIN)
        return self.is_lost or self.clock() >= end

    def check(self) -> None:
        """Raise LeaseLost when no call may start any more."""
        if self.is_over:
            self.is_lost = True  # for good: a renewal that comes too late does not revive it
            raise LeaseLost(f"The lease of {self.lease.org} has ended.")

    def note_cut_call(self) -> None:
        """Note that a call was cancelled; the lease must then end by itself.

        Zoho counts a call until it has answered, so calls of the next holder would come on top.
        """
        self.has_cut_call = True

    @property
    def can_be_released(self) -> bool:
        """Whether the lease can be given back: it is held, and all calls were awaited."""
        return not self.is_lost and not self.has_cut_call

    def renewed(self, asked_at: float) -> None:
        """Count from a later renewal on."""
        self.asked_at = asked_at
