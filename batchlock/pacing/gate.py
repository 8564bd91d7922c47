"""The one place that every call goes through, in its turn."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import NamedTuple

from batchlock.errors import Stopped
from batchlock.model import Reply, Verdict
from batchlock.pacing.clock import Clock, SystemClock
from batchlock.pacing.rules import Budget, Ceiling, Rate, Trouble, Window
from batchlock.pacing.settings import Limits, Retry

_log = logging.getLogger(__name__)

_FADES = 0.99
"""What the slowest call counts for after each further one."""


class Ticket(NamedTuple):
    """A call's leave to start."""

    started: float
    in_flight: int
    """Calls under way then, this one included."""
    untold: int
    """Credits spent by then of which no answer has told."""


class Pulse(NamedTuple):
    """How the gate stands."""

    in_flight: int
    window: int
    reason: str
    """Why everyone waits; empty when nobody does."""
    seconds: float
    """For how much longer."""
    credits_left: int | None = None
    """Of the day, as far as Zoho has told."""


class Gate:
    """Lets calls through: one task at a time stands in it, the others queue up, so none starves.

    `ceiling` is what an earlier run has found, `spent` what this run has spent before, `deadline`
    when all calls must be over.
    """

    def __init__(
        self,
        limits: Limits,
        retry: Retry,
        *,
        ceiling: Ceiling | None = None,
        spent: int = 0,
        deadline: float | None = None,
        clock: Clock | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.clock = clock or SystemClock()
        self.deadline = deadline
        self.in_flight = 0
        self.peak = 0
        self._window = Window(limits, ceiling, now=self.clock.today())
        self._rate = Rate(limits.per_second)
        self._budget = Budget(limits, spent=spent)
        self._trouble = Trouble(retry, draw)
        self._retry = retry
        self._draw = draw
        self._slowest = 0.0
        self._full_at = float("-inf")
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._closed = asyncio.Event()

    @property
    def window(self) -> int:
        """How many calls may be in flight."""
        return self._window.size

    @property
    def ceiling(self) -> Ceiling | None:
        """The number of calls in flight at which Zoho refused last."""
        return self._window.ceiling

    @property
    def pulse(self) -> Pulse:
        """How the gate stands now."""
        wait = max(0.0, self._trouble.until - self.clock.now())
        reason = self._trouble.reason if wait else ""
        return Pulse(self.in_flight, self.window, reason, wait, self._budget.left)

    async def enter(self) -> Ticket | None:
        """Wait for this call's turn; None when the gate has closed.

        Raises Stopped when no call may start any more: credits or time are used up.
        """
        async with self._turn:
            while not self._closed.is_set():
                now = self.clock.now()
                wait = self._wait(now)
                if wait == 0.0:
                    self._rate.start(now)
                    self.in_flight += 1
                    self.peak = max(self.peak, self.in_flight)
                    if self.in_flight >= self.window:
                        self._full_at = now
                    return Ticket(now, self.in_flight, self._budget.untold)
                self._changed.clear()
                await self.clock.wait(self._changed, wait)
        return None

    def leave(self, ticket: Ticket, reply: Reply, *, cost: int) -> None:
        """Count a call as over, which has cost so many credits.

        Raises Stopped when waiting for Zoho is over for good.
        """
        height = max(ticket.in_flight, self.in_flight)
        self.cancel()
        now = self.clock.now()
        self._slowest = max(now - ticket.started, self._slowest * _FADES)
        self._budget.add(
            cost=cost,
            left=reply.credits_remaining,
            untold=ticket.untold,
            started=ticket.started,
            now=now,
        )
        match reply.verdict:
            case Verdict.THROTTLED | Verdict.UNREACHABLE:
                new = self._trouble.bad(reply, started=ticket.started, now=now)
                if new and reply.verdict is Verdict.THROTTLED:
                    self._window.refused(height=height, first=self._trouble.is_first)
            case Verdict.ACCEPTED | Verdict.REFUSED:
                self._good(ticket)
            case Verdict.DENIED | Verdict.UNSUPPORTED:
                return  # the run ends by what is said
        self._trouble.heed(reply, now=now)
        if (over := self._trouble.over(now, deadline=self.deadline)) is not None:
            raise Stopped(f"Stopped: {over}")

    def _good(self, ticket: Ticket) -> None:
        at_once, today = self._trouble.is_first, self.clock.today()
        if self._trouble.good(started=ticket.started):
            before = self.ceiling
            self._window.recovered(at_once=at_once, now=today)
            if self.ceiling is not None and self.ceiling is not before:
                _log.info(
                    "Zoho refused %s calls in flight; going on with fewer.", self.ceiling.refused
                )
        if self._window.good(full=self._full_at >= ticket.started, now=today):
            self._full_at = float("-inf")

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

    def _wait(self, now: float) -> float | None:
        """Return for how long no call may start, or None until something changes."""
        if self.deadline is not None:
            last_start = self.deadline - min(2 * self._slowest, self._retry.timeout)
            if now >= last_start:
                raise Stopped("Stopped: the time for this run is over.")
        room = self._budget.room(self.in_flight)
        if room is not None and room <= 0:
            if not self.in_flight:
                raise Stopped(f"Stopped: {self._budget.over()}")
            return None
        if self.in_flight >= (1 if self._trouble.probing else self.window):
            return None
        return max(0.0, self._trouble.until - now, self._rate.wait(now))
