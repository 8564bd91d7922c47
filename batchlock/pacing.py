"""When the next call may go: calls in flight, rate, hold, back-off.

A `Gate` stands before every call. What it decides from is pure and has no clock of its own:
`Rate` says when the next call may start, `Trouble` for how long everyone waits and when waiting
is over for good. One task at a time stands in the gate and the others queue up behind it, first
come, first served, so nobody starves.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from annotated_types import Ge, Gt

from batchlock.model import Reply, Verdict

_START = 5
"""Calls in flight when nobody has said how many: what the smallest edition allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of the org's limits a run may use."""

    in_flight: Literal["auto"] | Annotated[int, Ge(1)] = "auto"
    """Calls under way at once."""
    max_in_flight: Annotated[int, Ge(1)] = 25
    """The most that `auto` goes up to."""
    per_second: Annotated[float, Gt(0)] | None = None
    """Calls started in any second; None for as many as come."""

    @property
    def window(self) -> int:
        """Calls that may be in flight."""
        return _START if self.in_flight == "auto" else self.in_flight


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

    def back_off(self, failures: int, draw: Callable[[], float]) -> float:
        """Return how long to wait after `failures` in a row: full jitter under a doubling bound.

        `draw` gives a number from 0 to 1.
        """
        bound = min(self.longest_wait, self.first_wait * 2.0 ** min(failures - 1, 60))
        return bound * draw()


class Clock(Protocol):
    """Time, as everything that waits is given it."""

    def now(self) -> float:
        """Return seconds since some fixed moment."""

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Return when the event is set, or after so many seconds."""


class SystemClock:
    """The time of this machine."""

    def now(self) -> float:
        """Return seconds since some fixed moment."""
        return time.monotonic()

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Return when the event is set, or after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass


class Rate:
    """At most so many starts in any second, evenly spaced, without bursts to catch up."""

    def __init__(self, per_second: float | None) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._next = float("-inf")

    def wait(self, now: float) -> float:
        """Return the seconds until the next call may start."""
        return max(0.0, self._next - now)

    def start(self, now: float) -> None:
        """Count a call that starts now."""
        self._next = max(self._next, now) + self._interval


class Trouble:
    """Everyone waits together: after a 429, or while Zoho cannot be reached.

    An episode begins with the first bad reply and ends with the first good one. While it lasts,
    each hold is longer than the one before, and after each hold a single call probes.
    """

    def __init__(self, retry: Retry, draw: Callable[[], float]) -> None:
        self._retry = retry
        self._draw = draw
        self._holds = 0
        self._began = 0.0
        self.until = float("-inf")
        """When the present hold ends."""
        self.reason = ""
        """Why everyone waits, for people."""

    @property
    def probing(self) -> bool:
        """Whether only a single call may be under way."""
        return self._holds > 0

    def bad(self, reply: Reply, *, started: float, now: float) -> str | None:
        """Take in a reply that makes everyone wait, to a call that started at `started`.

        Returns why waiting is over for good, or None. A call that was already under way when the
        hold began tells nothing new, unless Zoho asks for a longer wait.
        """
        if not self._holds:
            self._began = now
        if not self._holds or started >= self.until:
            self._holds += 1
            pause = self._retry.back_off(self._holds, self._draw)
            self.until = max(self.until, now + pause)
        if reply.retry_after is not None:
            self.until = max(self.until, now + reply.retry_after)
        self.reason = reply.message or reply.verdict.value
        if self.until - self._began > self._retry.give_up_after:
            return self._over(now)
        return None

    def good(self) -> None:
        """Take in a reply that shows Zoho at work."""
        self._holds = 0

    def _over(self, now: float) -> str:
        if self.until - now > self._retry.give_up_after:
            return f"Zoho asks to wait {self.until - now:,.0f} seconds ({self.reason})"
        waited = max(now - self._began, 0.0)
        return f"No good answer for {waited:,.0f} seconds ({self.reason})"


class Gate:
    """The one place that every call goes through."""

    def __init__(
        self,
        limits: Limits,
        retry: Retry,
        *,
        clock: Clock | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.clock = clock or SystemClock()
        self.window = limits.window
        self.in_flight = 0
        self.peak = 0
        self._rate = Rate(limits.per_second)
        self._trouble = Trouble(retry, draw)
        self._retry = retry
        self._draw = draw
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._closed = asyncio.Event()

    @property
    def waiting(self) -> tuple[str, float]:
        """Why everyone waits, and for how many more seconds; 0 when nobody does."""
        return self._trouble.reason, max(0.0, self._trouble.until - self.clock.now())

    async def enter(self) -> float | None:
        """Wait for this call's turn; return when it starts, or None when the gate has closed."""
        async with self._turn:
            while not self._closed.is_set():
                now = self.clock.now()
                room = 1 if self._trouble.probing else self.window
                if self.in_flight >= room:
                    wait = None
                else:
                    wait = max(self._trouble.until - now, self._rate.wait(now))
                    if wait <= 0:
                        self._rate.start(now)
                        self.in_flight += 1
                        self.peak = max(self.peak, self.in_flight)
                        return now
                self._changed.clear()
                await self.clock.wait(self._changed, wait)
        return None

    def leave(self, reply: Reply, started: float) -> str | None:
        """Count a call as over; return why waiting for Zoho is over for good, or None."""
        self.cancel()
        match reply.verdict:
            case Verdict.THROTTLED | Verdict.UNREACHABLE:
                return self._trouble.bad(reply, started=started, now=self.clock.now())
            case Verdict.ACCEPTED | Verdict.REFUSED:
                self._trouble.good()
        return None

    def cancel(self) -> None:
        """Count a call as over that brought no reply at all."""
        self.in_flight -= 1
        self._changed.set()

    async def back_off(self, failures: int) -> None:
        """Wait before a row is tried again that has failed so often, or until the gate closes."""
        await self.clock.wait(self._closed, self._retry.back_off(failures, self._draw))

    def close(self) -> None:
        """Let no further call through, and nobody wait any longer."""
        self._closed.set()
        self._changed.set()
