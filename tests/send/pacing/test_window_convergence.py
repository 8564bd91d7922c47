import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import pytest
from support.clocks import START_UTC, run_simulated
from support.pacing import (
    ACCEPTED,
    THROTTLED,
    call_all,
    limiter_of,
)

from batchlock.core.errors import Stopped
from batchlock.core.reply import Reply
from batchlock.send.pacing.limiter import CallLimiter
from batchlock.send.pacing.settings import Limits
from batchlock.send.pacing.window import Ceiling


@dataclass(slots=True)
class Org:
    """A simulated Zoho: 429 to more than `cap` calls in flight, and to calls beyond its credits."""

    cap: int
    credits: int = 10**9
    latency: Callable[[], float] = lambda: 0.1
    is_refused_without_cause: Callable[[], bool] = lambda: False
    """Returns whether the next call gets a 429 that has no visible reason."""
    in_flight: int = 0
    calls: int = 0
    throttled_at: list[float] = field(default_factory=list)

    async def answer(self) -> Reply:
        self.calls += 1
        if self.in_flight >= self.cap or not self.credits or self.is_refused_without_cause():
            self.throttled_at.append(asyncio.get_running_loop().time())
            await asyncio.sleep(self.latency() / 10)
            return THROTTLED
        self.credits -= 1
        self.in_flight += 1
        await asyncio.sleep(self.latency())
        self.in_flight -= 1
        return ACCEPTED


async def deliver(limiter: CallLimiter, org: Org, rows: int) -> None:
    """Call for every row until it has a good answer, or until the limiter gives up."""

    async def deliver_row() -> None:
        while (permit := await limiter.acquire()) is not None:
            reply = await org.answer()
            try:
                limiter.release(permit, reply, cost=int(reply is ACCEPTED))
            except Stopped:
                limiter.close()
            if reply is ACCEPTED:
                return

    async with asyncio.TaskGroup() as tasks:
        for _ in range(rows):
            tasks.create_task(deliver_row())


LATENCIES: dict[str, Callable[[Random], float]] = {
    "steady": lambda _: 0.1,
    "varied": lambda rng: 0.05 + 0.1 * rng.random(),
    "wild": lambda rng: 0.02 + rng.expovariate(1 / 0.08),
}


@pytest.mark.parametrize("cap", [5, 10, 15, 20])
@pytest.mark.parametrize("kind", LATENCIES)
@pytest.mark.parametrize("seed", range(3))
def test_the_window_converges_below_the_limit_of_the_org(cap: int, kind: str, seed: int) -> None:
    rng = Random(seed)

    async def main() -> tuple[CallLimiter, Org, float]:
        org = Org(cap, latency=lambda: LATENCIES[kind](rng))
        limiter = limiter_of(Limits(), random=rng.random)
        await deliver(limiter, org, 1500)
        return limiter, org, limiter.clock.monotonic()

    limiter, org, seconds = run_simulated(main())
    assert cap - 1 <= limiter.window <= cap
    assert len(org.throttled_at) <= 0.02 * 1500
    assert org.throttled_at[-1] < seconds / 2
    if kind == "steady" and cap <= 10:
        assert seconds <= 1500 * 0.1 / cap / 0.9


def test_without_a_429_the_window_reaches_its_maximum() -> None:
    async def main() -> CallLimiter:
        limiter = limiter_of(Limits())
        await deliver(limiter, Org(100), 1500)
        return limiter

    limiter = run_simulated(main())
    assert (limiter.window, limiter.peak, limiter.ceiling) == (25, 25, None)


def test_the_window_follows_a_limit_that_falls() -> None:
    async def main() -> tuple[CallLimiter, Org]:
        org = Org(25)
        limiter = limiter_of(Limits())
        await deliver(limiter, org, 1500)
        assert limiter.window == 25
        org.cap = 6
        await deliver(limiter, org, 1500)
        return limiter, org

    limiter, org = run_simulated(main())
    assert 5 <= limiter.window <= 6
    assert len(org.throttled_at) <= 0.03 * 1500


def test_a_burst_of_429s_counts_as_one(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def main() -> CallLimiter:
        limiter = limiter_of(Limits(max_in_flight=20), ceiling=None)
        limiter._window.size = 20
        log = await call_all(limiter, [(THROTTLED, 1.0)] * 20 + [(ACCEPTED, 1.0)])
        assert log.starts[-1] == pytest.approx(1.5)
        assert (limiter.window, limiter.ceiling) == (10, None)
        limiter._window.size = 20
        await call_all(limiter, [(THROTTLED, 1.0)] * 20 + [(ACCEPTED, 1.0)])
        return limiter

    limiter = run_simulated(main())
    assert limiter.ceiling == Ceiling(20, START_UTC + timedelta(seconds=5))
    assert caplog.messages == ["Zoho refused 20 calls in flight; going on with fewer."]


def test_used_up_credits_end_the_run_after_few_calls_and_record_no_ceiling() -> None:
    async def main() -> tuple[CallLimiter, Org]:
        org = Org(25, credits=500)
        limiter = limiter_of(Limits(), random=Random(7).random)
        await deliver(limiter, org, 1500)
        return limiter, org

    limiter, org = run_simulated(main())
    assert org.credits == 0
    assert limiter.ceiling is None
    assert len(org.throttled_at) <= 25 + 60


def test_rare_429s_without_a_cause_do_not_lower_the_ceiling() -> None:
    """One call in a hundred is refused, whatever is in flight."""

    async def main(rng: Random) -> tuple[CallLimiter, float]:
        org = Org(25, is_refused_without_cause=lambda: rng.random() < 0.01)
        limiter = limiter_of(Limits(), random=rng.random)
        await deliver(limiter, org, 1500)
        return limiter, limiter.clock.monotonic()

    limiters, seconds = zip(*(run_simulated(main(Random(seed))) for seed in range(5)), strict=True)
    assert not [
        limiter
        for limiter in limiters
        if limiter.ceiling is not None and limiter.ceiling.refused < 15
    ]
    assert max(seconds) < 4 * 1500 * 0.1 / 25  # each 429 halves the window and holds all calls
