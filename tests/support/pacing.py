"""Calls through a limiter in simulated time."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from batchlock.core.errors import Stopped
from batchlock.core.reply import Reply, Verdict
from batchlock.send.pacing.limiter import CallLimiter
from batchlock.send.pacing.settings import Limits, Retry
from batchlock.send.pacing.window import Ceiling
from support.clocks import LoopClock

ACCEPTED = Reply(verdict=Verdict.ACCEPTED)
THROTTLED = Reply(verdict=Verdict.THROTTLED, message="too many calls")
UNREACHABLE = Reply(verdict=Verdict.UNREACHABLE, message="no connection")
ROUNDING_ERROR = 1e-6
"""Seconds by which sums of floating-point times may be off."""


def limiter_of(
    limits: Limits,
    retry: Retry | None = None,
    *,
    ceiling: Ceiling | None = None,
    credits_used: int = 0,
    deadline_monotonic: float | None = None,
    random: Callable[[], float] = lambda: 1.0,
) -> CallLimiter:
    """Return a limiter in simulated time whose back-offs are as long as they may be."""
    return CallLimiter(
        limits,
        retry or Retry(),
        ceiling=ceiling,
        credits_used=credits_used,
        deadline_monotonic=deadline_monotonic,
        clock=LoopClock(),
        random=random,
    )


@dataclass(slots=True)
class CallLog:
    """What calls through a limiter have shown."""

    order: list[int] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    in_flight: list[int] = field(default_factory=list)
    """Calls in flight at each start, this one included."""
    stops: list[tuple[float, str]] = field(default_factory=list)
    """When the limiter gave up, and why."""


async def call(
    limiter: CallLimiter, log: CallLog, number: int, reply: Reply, seconds: float
) -> None:
    permit = await limiter.acquire()
    if permit is None:
        return
    log.order.append(number)
    log.starts.append(permit.started)
    log.in_flight.append(limiter.in_flight)
    assert permit.in_flight == limiter.in_flight
    await asyncio.sleep(seconds)
    try:
        limiter.release(permit, reply, cost=1)
    except Stopped as reason:
        log.stops.append((limiter.clock.monotonic(), str(reason)))


async def call_all(limiter: CallLimiter, calls: Sequence[tuple[Reply, float]]) -> CallLog:
    """Make all the calls, of which each wants to start at once: replies and their seconds."""
    log = CallLog()
    async with asyncio.TaskGroup() as tasks:
        for number, (reply, seconds) in enumerate(calls):
            tasks.create_task(call(limiter, log, number, reply, seconds))
    return log


def most_starts_in_a_second(starts: Sequence[float]) -> int:
    """Return the most starts in any second, its end excluded."""
    return max(
        sum(first <= other < first + 1 - ROUNDING_ERROR for other in starts[position:])
        for position, first in enumerate(starts)
    )
