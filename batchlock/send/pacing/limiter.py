"""The call limiter: every call acquires a permit before it starts, and releases it at its end."""

import asyncio
import logging
from collections.abc import Callable
from random import random as random_from_0_to_1
from typing import NamedTuple

from batchlock.core.errors import Stopped
from batchlock.core.observer import LimiterSnapshot
from batchlock.core.reply import Reply, Verdict
from batchlock.core.stop import TIME_IS_OVER, Cancelled
from batchlock.send.pacing.breaker import CircuitBreaker
from batchlock.send.pacing.budget import Budget
from batchlock.send.pacing.clock import Clock
from batchlock.send.pacing.rate import Rate
from batchlock.send.pacing.settings import Limits, Retry
from batchlock.send.pacing.window import Ceiling, Window

_log = logging.getLogger(__name__)

# Weight of the slowest call's duration after each further call. After 100 faster calls it counts
# for a third, so that one slow call does not shorten a long run much.
_DECAY = 0.99


class Permit(NamedTuple):
    """The permission for one call to start."""

    started: float
    """Monotonic seconds."""
    in_flight: int
    """Calls in flight at the start, this one included."""
    unreported: int
    """`Budget.unreported` at the start."""


class CallLimiter:
    """Issues the permits for calls, in the order in which they are requested.

    One task at a time decides whether its call may start. The others wait for the same lock,
    which is fair, so no call starves. `ceiling` and `known_good` are an earlier run's,
    `credits_used` are those of this run's earlier sessions, and all calls must be over at
    `deadline_monotonic`.
    """

    def __init__(
        self,
        limits: Limits,
        retry: Retry,
        *,
        ceiling: Ceiling | None = None,
        known_good: int = 0,
        credits_used: int = 0,
        deadline_monotonic: float | None = None,
        clock: Clock | None = None,
        random: Callable[[], float] = random_from_0_to_1,
    ) -> None:
        self.clock = clock or Clock()
        self.deadline_monotonic = deadline_monotonic
        self.in_flight = 0
        self.peak = 0
        self._throttled = 0
        now = self.clock.now_utc()
        self._window = Window(limits, ceiling, now=now, known_good=known_good)
        self._rate = Rate(limits.per_second)
        self._budget = Budget(limits, credits_used=credits_used)
        self._breaker = CircuitBreaker(retry, random)
        self._retry = retry
        self._random = random
        self._slowest_seconds = 0.0
        self._last_full = float("-inf")
        """When the window was last full."""
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._closed = asyncio.Event()

    @property
    def window(self) -> int:
        """How many calls may be in flight."""
        return self._window.size

    @property
    def ceiling(self) -> Ceiling | None:
        """The concurrency at which Zoho answers 429; None if this is not known."""
        return self._window.ceiling

    @property
    def highest_ok(self) -> int:
        """The largest window that was full of good answers in this run; 0 if none was."""
        return self._window.highest_ok

    def begin_at_cap(self, cap: int) -> None:
        """Begin with `cap` calls in flight, the limit of the edition; before the first call."""
        self._window.begin_at_cap(cap, now=self.clock.now_utc())

    def charge(self, credits_used: int) -> None:
        """Count credits that the run has used for calls without a permit."""
        self._budget.charge(credits_used)

    @property
    def snapshot(self) -> LimiterSnapshot:
        """The state at this moment."""
        wait = max(0.0, self._breaker.open_until - self.clock.monotonic())
        reason = self._breaker.reason if wait else ""
        return LimiterSnapshot(
            self.in_flight, self.window, reason, wait, self._budget.remaining, self._throttled
        )

    async def acquire(self) -> Permit | None:
        """Wait until a call may start; None when the limiter is closed.

        Raises Stopped when no call may start any more: credits or time are used up.
        """
        async with self._turn:
            while not self._closed.is_set():
                now = self.clock.monotonic()
                wait = self._wait(now)
                if wait == 0.0:
                    self._rate.start(now)
                    self.in_flight += 1
                    self.peak = max(self.peak, self.in_flight)
                    if self.in_flight >= self.window:
                        self._last_full = now
                    return Permit(now, self.in_flight, self._budget.unreported)
                self._changed.clear()
                await self.clock.wait(self._changed, wait)
        return None

    def release(self, permit: Permit, reply: Reply, *, cost: int) -> None:
        """Record the end of a call that used `cost` credits.

        Raises Stopped when further waiting for Zoho is useless.
        """
        # Zoho may have refused the call when it came in or when its answer went out.
        concurrency = max(permit.in_flight, self.in_flight)
        self.abandon()
        now = self.clock.monotonic()
        self._slowest_seconds = max(now - permit.started, self._slowest_seconds * _DECAY)
        self._budget.add(
            cost=cost,
            remaining=reply.credits_remaining,
            unreported=permit.unreported,
            started=permit.started,
            now=now,
        )
        self._throttled += reply.verdict is Verdict.THROTTLED
        match reply.verdict:
            case Verdict.THROTTLED | Verdict.UNREACHABLE:
                is_new = self._breaker.record_failure(reply, started=permit.started, now=now)
                if is_new and reply.verdict is Verdict.THROTTLED:
                    self._window.record_throttled(
                        concurrency=concurrency, first=self._breaker.is_first_hold
                    )
            case Verdict.ACCEPTED | Verdict.REFUSED:
                self._record_success(permit)
            case Verdict.DENIED | Verdict.UNSUPPORTED | Verdict.MISCONFIGURED:
                return  # the verdict ends the run, with a better reason than a long wait
        self._breaker.honour_retry_after(reply, now=now)
        reason = self._breaker.give_up_reason(now, deadline_monotonic=self.deadline_monotonic)
        if reason is not None:
            raise Stopped(f"Stopped: {reason}")

    def _record_success(self, permit: Permit) -> None:
        first_probe_ok, now_utc = self._breaker.is_first_hold, self.clock.now_utc()
        if self._breaker.record_success(started=permit.started):
            before = self.ceiling
            self._window.record_recovery(first_probe_ok=first_probe_ok, now=now_utc)
            if self.ceiling is not None and self.ceiling is not before:
                _log.info(
                    "Zoho refused %s calls in flight; going on with fewer.", self.ceiling.refused
                )
        was_full = self._last_full >= permit.started
        if self._window.record_success(full=was_full, now=now_utc):
            self._last_full = float("-inf")  # the larger window has not been full yet

    def abandon(self) -> None:
        """Record the end of a call that brought no reply, such as a cancelled one."""
        self.in_flight -= 1
        self._changed.set()

    async def back_off(self, failures: int) -> None:
        """Wait before the next attempt of a row that failed `failures` times.

        Returns early when the limiter is closed.
        """
        await self.clock.wait(self._closed, self._retry.back_off(failures, self._random))

    def close(self) -> None:
        """Issue no more permits, and end all waiting."""
        self._closed.set()
        self._changed.set()

    def _wait(self, now: float) -> float | None:
        """Return the seconds until a call may start, or None until a call ends.

        Raises Stopped when no call may start any more.
        """
        if self.deadline_monotonic is not None:
            # A call that is aborted at the deadline leaves its row in doubt, so the last twice
            # the slowest recent call is kept free.
            reserve = min(2 * self._slowest_seconds, self._retry.timeout)
            if now >= self.deadline_monotonic - reserve:
                raise Cancelled(TIME_IS_OVER)
        available = self._budget.available(self.in_flight)
        if available is not None and available <= 0:
            # A call in flight may turn out to cost nothing, so only the last one decides.
            if not self.in_flight:
                raise Stopped(f"Stopped: {self._budget.exhausted_reason()}")
            return None
        if self.in_flight >= (1 if self._breaker.half_open else self.window):
            return None
        return max(0.0, self._breaker.open_until - now, self._rate.wait(now))
