import asyncio
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clocks import run_simulated
from support.pacing import (
    ACCEPTED,
    THROTTLED,
    CallLog,
    call_all,
    limiter_of,
    most_starts_in_a_second,
)

from batchlock.core.reply import Reply, Verdict
from batchlock.core.stop import TIME_IS_OVER, Cancelled, StopReason
from batchlock.send.pacing.clock import Clock
from batchlock.send.pacing.limiter import CallLimiter, Permit
from batchlock.send.pacing.settings import Limits, Retry


@pytest.mark.parametrize(
    ("limits", "window"),
    [
        (Limits(), 5),
        (Limits(in_flight="auto"), 5),
        (Limits(in_flight=1), 1),
        (Limits(in_flight=40), 40),
        (Limits(max_in_flight=3), 3),
        (Limits(in_flight=4, max_in_flight=2), 4),
    ],
)
def test_the_window_starts_as_set_or_at_the_limit_of_the_smallest_edition(
    limits: Limits, window: int
) -> None:
    assert limiter_of(limits).window == window


@given(
    in_flight=st.integers(1, 8),
    per_second=st.none() | st.floats(0.5, 100),
    durations=st.lists(st.floats(0, 5), min_size=1, max_size=40),
)
def test_calls_start_in_order_within_the_window_and_the_rate(
    in_flight: int, per_second: float | None, durations: list[float]
) -> None:
    limiter = limiter_of(Limits(in_flight=in_flight, per_second=per_second))
    log = run_simulated(call_all(limiter, [(ACCEPTED, seconds) for seconds in durations]))
    assert log.order == list(range(len(durations)))
    assert max(log.in_flight) <= in_flight
    assert limiter.peak == max(log.in_flight)
    assert limiter.in_flight == 0
    if per_second is not None:
        assert most_starts_in_a_second(log.starts) <= math.ceil(per_second)


def test_the_window_is_filled() -> None:
    limiter = limiter_of(Limits(in_flight=3))
    log = run_simulated(call_all(limiter, [(ACCEPTED, 1.0)] * 9))
    assert log.starts == pytest.approx([0, 0, 0, 1, 1, 1, 2, 2, 2])


def test_a_call_starts_as_soon_as_one_is_over() -> None:
    limiter = limiter_of(Limits(in_flight=2))
    log = run_simulated(
        call_all(limiter, [(ACCEPTED, 10.0), (ACCEPTED, 1.0), (ACCEPTED, 1.0), (ACCEPTED, 1.0)])
    )
    assert log.starts == pytest.approx([0, 0, 1, 2])


def test_the_rate_spaces_the_starts_within_the_window() -> None:
    limiter = limiter_of(Limits(in_flight=10, per_second=4))
    log = run_simulated(call_all(limiter, [(ACCEPTED, 0.0)] * 5))
    assert log.starts == pytest.approx([0, 0.25, 0.5, 0.75, 1.0])


def test_no_call_starts_that_may_not_end_before_the_deadline() -> None:
    async def main() -> tuple[list[float], StopReason]:
        limiter = limiter_of(Limits(in_flight=1), deadline_monotonic=10.0)
        starts: list[float] = []
        while True:
            try:
                permit = await limiter.acquire()
            except Cancelled as error:
                return starts, error.reason
            assert permit is not None
            starts.append(permit.started)
            await asyncio.sleep(1.5)
            limiter.release(permit, ACCEPTED, cost=1)

    starts, reason = run_simulated(main())
    assert starts == [0.0, 1.5, 3.0, 4.5, 6.0]  # twice the slowest call is reserved
    assert reason is TIME_IS_OVER


def test_the_time_reserved_before_the_deadline_is_at_most_one_timeout() -> None:
    async def main() -> float:
        limiter = limiter_of(Limits(in_flight=1), Retry(timeout=2.0), deadline_monotonic=100.0)
        for seconds in (50.0, 47.9):
            permit = await limiter.acquire()
            assert permit is not None
            await asyncio.sleep(seconds)
            limiter.release(permit, ACCEPTED, cost=1)
        permit = await limiter.acquire()
        assert permit is not None
        return permit.started

    assert run_simulated(main()) == 97.9


def test_a_wait_past_the_deadline_ends_the_run_at_once() -> None:
    reply = Reply(verdict=Verdict.THROTTLED, message="too many calls", retry_after=30.0)

    async def main() -> CallLog:
        return await call_all(
            limiter_of(Limits(in_flight=1), deadline_monotonic=20.0), [(reply, 1.0)]
        )

    assert run_simulated(main()).stops == [
        (1.0, "Stopped: Waiting would go past the end of this run: too many calls.")
    ]


def test_an_abandoned_call_lets_the_next_one_start() -> None:
    async def main() -> tuple[Permit | None, int]:
        limiter = limiter_of(Limits(in_flight=1))
        await limiter.acquire()
        following = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(5)
        limiter.abandon()
        return await following, limiter.in_flight

    assert run_simulated(main()) == ((5.0, 1, 0), 1)


def test_a_cancelled_waiter_does_not_block_those_behind_it() -> None:
    async def main() -> list[Permit | None]:
        limiter = limiter_of(Limits(in_flight=1))
        await limiter.acquire()
        waiting = [asyncio.create_task(limiter.acquire()) for _ in range(4)]
        await asyncio.sleep(1)
        waiting[0].cancel()  # it decides now whether its call may start
        waiting[2].cancel()  # it waits for its turn
        await asyncio.sleep(1)
        assert limiter.in_flight == 1
        limiter.abandon()
        first = await waiting[1]
        assert first is not None
        limiter.release(first, ACCEPTED, cost=1)
        return [first, await waiting[3]]

    assert run_simulated(main()) == [(2.0, 1, 0), (2.0, 1, 0)]


@given(
    ends=st.lists(st.sampled_from(["reply", "cancel", "give up"]), min_size=1, max_size=30),
    in_flight=st.integers(1, 4),
)
def test_every_permit_is_returned_however_its_call_ends(ends: list[str], in_flight: int) -> None:
    async def main() -> int:
        limiter = limiter_of(Limits(in_flight=in_flight))

        async def make_call(end: str) -> None:
            permit = await limiter.acquire()
            assert permit is not None
            await asyncio.sleep(1)
            if end == "reply":
                limiter.release(permit, ACCEPTED, cost=1)
            else:
                limiter.abandon()

        tasks = [asyncio.create_task(make_call(end)) for end in ends]
        for task, end in zip(tasks, ends, strict=True):
            if end == "give up":
                task.cancel()  # before it gets a permit
        await asyncio.gather(*tasks, return_exceptions=True)
        return limiter.in_flight

    assert run_simulated(main()) == 0


def test_a_closed_limiter_issues_no_permit_and_ends_all_waiting() -> None:
    async def main() -> tuple[list[Permit | None], float]:
        limiter = limiter_of(Limits(in_flight=2), Retry(first_wait=600.0, longest_wait=600.0))
        first, second = await limiter.acquire(), await limiter.acquire()
        assert first is not None
        assert second is not None
        waiting = [asyncio.create_task(limiter.acquire()) for _ in range(3)]
        backing_off = asyncio.create_task(limiter.back_off(1))
        limiter.release(first, THROTTLED, cost=0)  # all calls wait for ten minutes
        await asyncio.sleep(4)
        limiter.close()
        permits = await asyncio.gather(*waiting, limiter.acquire())
        await backing_off
        await limiter.back_off(1)
        limiter.release(second, ACCEPTED, cost=1)
        assert limiter.in_flight == 0
        return permits, limiter.clock.monotonic()

    assert run_simulated(main()) == ([None] * 4, 4.0)


def test_the_system_clock_waits_for_the_event_or_the_time() -> None:
    async def main() -> None:
        clock = Clock()
        event = asyncio.Event()
        before = clock.monotonic()
        await clock.wait(event, 0)
        asyncio.get_running_loop().call_soon(event.set)
        await clock.wait(event, None)
        await clock.wait(event, 3600)
        assert event.is_set()
        assert abs(clock.now_utc() - datetime.now(UTC)) < timedelta(minutes=1)
        assert clock.monotonic() >= before

    asyncio.run(main())


def test_a_limiter_without_a_clock_uses_the_system_clock() -> None:
    async def main() -> None:
        limiter = CallLimiter(Limits(), Retry())
        assert await limiter.acquire() is not None
        assert isinstance(limiter.clock, Clock)

    asyncio.run(main())
