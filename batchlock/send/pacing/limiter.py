"""The one place that every call goes through, in its turn."""

import asyncio
import logging
from collections.abc import Callable
from random import random as random_from_0_to_1
from typing import NamedTuple

from batchlock.core.errors import Stopped
from batchlock.core.observer import LimiterSnapshot
from batchlock.core.reply import Reply, Verdict
from batchlock.send.pacing.breaker import CircuitBreaker
from batchlock.send.pacing.budget import Budget
from batchlock.send.pacing.clock import Clock, SystemClock
from batchlock.send.pacing.rate import Rate
from batchlock.send.pacing.settings import Limits, Retry
from batchlock.send.pacing.window import Ceiling, Window

_log = logging.getLogger(__name__)

_DECAY = 0.99
"""What the slowest call counts for after each further one."""


class Permit(NamedTuple):
    """A call's leave to start."""

    started: float
    in_flight: int
    """Calls under way then, this one included."""
    unreported: int
    """Credits spent by then of which no answer has told."""


class CallLimiter:
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
        random: Callable[[], float] = random_from_0_to_1,
    ) -> None:
        self.clock = clock or SystemClock()
        self.deadline = deadline
        self.in_flight = 0
        self.peak = 0
        self._window = Window(limits, ceiling, now=self.clock.today())
        self._rate = Rate(limits.per_second)
        self._budget = Budget(limits, spent=spent)
        self._breaker = CircuitBreaker(retry, random)
        self._retry = retry
        self._random = random
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
    def snapshot(self) -> LimiterSnapshot:
        """How the gate stands now."""
        wait = max(0.0, self._breaker.until - self.clock.now())
        reason = self._breaker.reason if wait else ""
        return LimiterSnapshot(self.in_flight, self.window, reason, wait, self._budget.left)

    async def acquire(self) -> Permit | None:
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
                    return Permit(now, self.in_flight, self._budget.unreported)
                self._changed.clear()
                await self.clock.wait(self._changed, wait)
        return None

    def release(self, permit: Permit, reply: Reply, *, cost: int) -> None:
        """Count a call as over, which has cost so many credits.

        Raises Stopped when waiting for Zoho is over for good.
        """
        height = max(permit.in_flight, self.in_flight)
        self.abandon()
        now = self.clock.now()
        self._slowest = max(now - permit.started, self._slowest * _DECAY)
        self._budget.add(
            cost=cost,
            left=reply.credits_remaining,
            unreported=permit.unreported,
            started=permit.started,
            now=now,
        )
        match reply.verdict:
            case Verdict.THROTTLED | Verdict.UNREACHABLE:
                new = self._breaker.record_failure(reply, started=permit.started, now=now)
                if new and reply.verdict is Verdict.THROTTLED:
                    self._window.refused(concurrency=height, first=self._breaker.is_first)
            case Verdict.ACCEPTED | Verdict.REFUSED:
                self._good(permit)
            case Verdict.DENIED | Verdict.UNSUPPORTED:
                return  # the run ends by what is said
        self._breaker.honour_retry_after(reply, now=now)
        if (over := self._breaker.give_up_reason(now, deadline=self.deadline)) is not None:
            raise Stopped(f"Stopped: {over}")

    def _good(self, permit: Permit) -> None:
        at_once, today = self._breaker.is_first, self.clock.today()
        if self._breaker.record_success(started=permit.started):
            before = self.ceiling
            self._window.recovered(at_once=at_once, now=today)
            if self.ceiling is not None and self.ceiling is not before:
                _log.info(
                    "Zoho refused %s calls in flight; going on with fewer.", self.ceiling.refused
                )
        if self._window.good(full=self._full_at >= permit.started, now=today):
            self._full_at = float("-inf")

    def abandon(self) -> None:
        """Count a call as over that brought no reply at all."""
        self.in_flight -= 1
        self._changed.set()

    async def back_off(self, failures: int) -> None:
        """Wait before a row is tried again that has failed so often, or until the gate closes."""
        await self.clock.wait(self._closed, self._retry.back_off(failures, self._random))

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
        room = self._budget.available(self.in_flight)
        if room is not None and room <= 0:
            if not self.in_flight:
                raise Stopped(f"Stopped: {self._budget.exhausted_reason()}")
            return None
        if self.in_flight >= (1 if self._breaker.half_open else self.window):
            return None
        return max(0.0, self._breaker.until - now, self._rate.wait(now))
