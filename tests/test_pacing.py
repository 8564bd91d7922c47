import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeVar, TypeVarTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchlock.model import Reply, Verdict
from batchlock.pacing import Gate, Limits, Rate, Retry, SystemClock, Trouble

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

GOOD = Reply(verdict=Verdict.ACCEPTED)
BUSY = Reply(verdict=Verdict.THROTTLED, message="too many calls")
AWAY = Reply(verdict=Verdict.UNREACHABLE, message="no connection")
A_HAIR = 1e-6
"""Seconds that the arithmetic of times may be off by."""


class Jumping(selectors.SelectSelector):
    """Waits for nothing: time jumps to the next thing that is to happen."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("Everybody waits, and nothing is left to happen.")
        self.now += timeout
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps, and whose threads are over at once."""

    def __init__(self) -> None:
        self._jumping = Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class LoopClock(SystemClock):
    """The time of the running loop."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()


def jump_through(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` with no real waiting; everybody waiting for ever is an error."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)


def longest(retry: Retry) -> Trouble:
    """Return a trouble whose every wait is as long as it may be."""
    return Trouble(retry, lambda: 1.0)


def gate_of(
    limits: Limits, retry: Retry | None = None, *, draw: Callable[[], float] = lambda: 1.0
) -> Gate:
    return Gate(limits, retry or Retry(), clock=LoopClock(), draw=draw)


@dataclass(slots=True)
class Seen:
    """What calls through a gate have shown."""

    order: list[int] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    under_way: list[int] = field(default_factory=list)
    """Calls under way at each start, this one included."""
    over: list[tuple[float, str]] = field(default_factory=list)


async def call(gate: Gate, seen: Seen, number: int, reply: Reply, seconds: float) -> None:
    started = await gate.enter()
    if started is None:
        return
    seen.order.append(number)
    seen.starts.append(started)
    seen.under_way.append(gate.in_flight)
    await asyncio.sleep(seconds)
    if (why := gate.leave(reply, started)) is not None:
        seen.over.append((gate.clock.now(), why))


async def call_all(gate: Gate, calls: Sequence[tuple[Reply, float]]) -> Seen:
    """Make all the calls, each of which wants to start at once."""
    seen = Seen()
    async with asyncio.TaskGroup() as tasks:
        for number, (reply, seconds) in enumerate(calls):
            tasks.create_task(call(gate, seen, number, reply, seconds))
    return seen


def most_in_a_second(starts: Sequence[float]) -> int:
    """Count the most starts in any second, its end excluded."""
    return max(
        sum(first <= other < first + 1 - A_HAIR for other in starts[position:])
        for position, first in enumerate(starts)
    )


# -- the window and the rate -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "window"),
    [
        (Limits(), 5),
        (Limits(in_flight="auto"), 5),
        (Limits(in_flight=1), 1),
        (Limits(in_flight=40), 40),
    ],
)
def test_the_window_is_what_was_asked_for_or_what_the_smallest_edition_allows(
    limits: Limits, window: int
) -> None:
    assert gate_of(limits).window == window


@given(
    per_second=st.floats(min_value=0.2, max_value=200),
    gaps=st.lists(st.floats(min_value=0, max_value=3), min_size=1, max_size=60),
)
def test_no_second_holds_more_starts_than_the_rate(per_second: float, gaps: list[float]) -> None:
    rate, now = Rate(per_second), 0.0
    starts = []
    for gap in gaps:
        now += gap
        now += rate.wait(now)
        rate.start(now)
        starts.append(now)
    assert most_in_a_second(starts) <= math.ceil(per_second)
    assert all(later - earlier >= 1 / per_second - A_HAIR for earlier, later in pairwise(starts))


@given(per_second=st.floats(min_value=0.2, max_value=200), moments=st.lists(st.floats(0, 100)))
def test_nobody_waits_for_the_rate_longer_than_one_interval(
    per_second: float, moments: list[float]
) -> None:
    rate = Rate(per_second)
    for now in sorted(moments):
        wait = rate.wait(now)
        assert 0 <= wait <= 1 / per_second + A_HAIR
        if wait == 0:
            rate.start(now)


def test_without_a_rate_nobody_waits() -> None:
    rate = Rate(None)
    rate.start(7.0)
    assert rate.wait(7.0) == 0


def test_a_pause_is_not_caught_up_with_a_burst() -> None:
    rate = Rate(10)
    rate.start(0.0)
    assert rate.wait(60.0) == 0
    rate.start(60.0)
    assert rate.wait(60.0) == pytest.approx(0.1)


@given(
    in_flight=st.integers(1, 8),
    per_second=st.none() | st.floats(0.5, 100),
    durations=st.lists(st.floats(0, 5), min_size=1, max_size=40),
)
def test_calls_start_in_order_within_the_window_and_the_rate(
    in_flight: int, per_second: float | None, durations: list[float]
) -> None:
    gate = gate_of(Limits(in_flight=in_flight, per_second=per_second))
    seen = jump_through(call_all(gate, [(GOOD, seconds) for seconds in durations]))
    assert seen.order == list(range(len(durations)))
    assert max(seen.under_way) <= in_flight
    assert gate.peak == max(seen.under_way)
    assert gate.in_flight == 0
    if per_second is not None:
        assert most_in_a_second(seen.starts) <= math.ceil(per_second)


def test_the_window_is_filled() -> None:
    gate = gate_of(Limits(in_flight=3))
    seen = jump_through(call_all(gate, [(GOOD, 1.0)] * 9))
    assert seen.starts == pytest.approx([0, 0, 0, 1, 1, 1, 2, 2, 2])


def test_a_call_starts_as_soon_as_one_is_over() -> None:
    gate = gate_of(Limits(in_flight=2))
    seen = jump_through(call_all(gate, [(GOOD, 10.0), (GOOD, 1.0), (GOOD, 1.0), (GOOD, 1.0)]))
    assert seen.starts == pytest.approx([0, 0, 1, 2])


def test_the_rate_holds_while_there_is_room() -> None:
    gate = gate_of(Limits(in_flight=10, per_second=4))
    seen = jump_through(call_all(gate, [(GOOD, 0.0)] * 5))
    assert seen.starts == pytest.approx([0, 0.25, 0.5, 0.75, 1.0])


# -- back-off --------------------------------------------------------------------------------


@given(
    failures=st.integers(1, 10**6),
    drawn=st.floats(0, 1),
    first_wait=st.floats(0.01, 10),
    longest_wait=st.floats(0.01, 100),
)
def test_a_back_off_is_never_longer_than_its_bound(
    failures: int, drawn: float, first_wait: float, longest_wait: float
) -> None:
    retry = Retry(first_wait=first_wait, longest_wait=longest_wait)
    assert 0 <= retry.back_off(failures, lambda: drawn) <= longest_wait
    assert retry.back_off(1, lambda: drawn) <= first_wait


def test_the_bound_of_the_back_off_doubles_up_to_the_longest_wait() -> None:
    retry = Retry(first_wait=0.5, longest_wait=5.0)
    assert [retry.back_off(failures, lambda: 1.0) for failures in (1, 2, 3, 4, 5, 6, 10**9)] == [
        0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0,
    ]  # fmt: skip


@pytest.mark.parametrize(("drawn", "wait"), [(0.0, 0.0), (0.25, 2.0), (1.0, 8.0)])
def test_the_whole_back_off_is_left_to_chance(drawn: float, wait: float) -> None:
    assert Retry(first_wait=8.0).back_off(1, lambda: drawn) == wait


def test_a_row_that_backs_off_keeps_nobody_else() -> None:
    async def main() -> tuple[float, float | None]:
        gate = gate_of(Limits(in_flight=1), Retry(first_wait=9.0))
        waiting = asyncio.create_task(gate.back_off(1))
        await asyncio.sleep(1)
        started = await gate.enter()
        await waiting
        return gate.clock.now(), started

    assert jump_through(main()) == (9.0, 1.0)


# -- everyone waits --------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [BUSY, AWAY])
def test_after_a_bad_reply_everyone_waits_and_a_single_call_probes(reply: Reply) -> None:
    gate = gate_of(Limits(in_flight=4), Retry(first_wait=8.0))
    seen = jump_through(call_all(gate, [(reply, 1.0), *[(GOOD, 5.0)] * 7]))
    # Four start at once; the first brings the trouble at 1, the others end well at 5 before the
    # hold is over at 9, so trouble is over by then but the hold is kept.
    assert seen.starts == pytest.approx([0, 0, 0, 0, 9, 9, 9, 9])


def test_the_probe_is_alone_until_its_answer() -> None:
    gate = gate_of(Limits(in_flight=4), Retry(first_wait=8.0))
    seen = jump_through(call_all(gate, [(BUSY, 1.0)] * 4 + [(GOOD, 5.0)] * 4))
    assert seen.starts == pytest.approx([0, 0, 0, 0, 9, 14, 14, 14])
    assert seen.under_way[4] == 1


def test_calls_that_were_under_way_when_the_hold_began_do_not_make_it_longer() -> None:
    trouble = longest(Retry(first_wait=8.0))
    trouble.bad(BUSY, started=0.0, now=1.0)
    trouble.bad(BUSY, started=0.5, now=6.0)
    assert trouble.until == 9.0


def test_each_probe_that_fails_makes_the_next_hold_longer() -> None:
    gate = gate_of(Limits(in_flight=4), Retry(first_wait=1.0, longest_wait=4.0))
    seen = jump_through(call_all(gate, [(AWAY, 0.0)] * 7 + [(GOOD, 0.0)]))
    assert seen.starts == pytest.approx([0, 0, 0, 0, 1, 3, 7, 11])


def test_a_good_reply_ends_the_episode_and_the_next_begins_small() -> None:
    trouble = longest(Retry(first_wait=1.0))
    trouble.bad(BUSY, started=0.0, now=0.0)
    trouble.bad(BUSY, started=1.0, now=1.0)
    assert trouble.until == 3.0
    trouble.good()
    assert not trouble.probing
    trouble.bad(BUSY, started=100.0, now=100.0)
    assert trouble.until == 101.0


@pytest.mark.parametrize(
    ("asked", "until"), [(None, 0.5), (0.0, 0.5), (0.2, 0.5), (30.0, 30.0), (899.0, 899.0)]
)
def test_a_wait_that_zoho_asks_for_is_kept_and_never_shortens_ours(
    asked: float | None, until: float
) -> None:
    gate = gate_of(Limits(in_flight=1), Retry(first_wait=0.5))
    reply = Reply(verdict=Verdict.THROTTLED, retry_after=asked)
    seen = jump_through(call_all(gate, [(reply, 0.0), (GOOD, 0.0)]))
    assert seen.starts == [0, until]
    assert seen.over == []


def test_a_longer_wait_counts_even_from_a_call_that_was_already_under_way() -> None:
    trouble = longest(Retry(first_wait=8.0))
    trouble.bad(BUSY, started=0.0, now=1.0)
    trouble.bad(Reply(verdict=Verdict.THROTTLED, retry_after=60.0), started=0.0, now=2.0)
    assert trouble.until == 62.0


@pytest.mark.parametrize(
    "verdict",
    [Verdict.BROKEN, Verdict.LOST, Verdict.EXPIRED, Verdict.DENIED, Verdict.UNSUPPORTED],
)
def test_other_replies_neither_begin_an_episode_nor_end_one(verdict: Verdict) -> None:
    other = Reply(verdict=verdict, retry_after=50.0)
    gate = gate_of(Limits(in_flight=2))
    assert jump_through(call_all(gate, [(other, 1.0)] * 4)).starts == pytest.approx([0, 0, 1, 1])
    gate = gate_of(Limits(in_flight=2), Retry(first_wait=4.0))
    calls = [(BUSY, 0.0), (other, 1.0), (other, 1.0), (GOOD, 1.0), (GOOD, 1.0), (GOOD, 1.0)]
    assert jump_through(call_all(gate, calls)).starts == pytest.approx([0, 0, 4, 5, 6, 6])


@pytest.mark.parametrize("verdict", [Verdict.ACCEPTED, Verdict.REFUSED])
def test_a_refusal_shows_zoho_at_work_as_well_as_a_success(verdict: Verdict) -> None:
    gate = gate_of(Limits(in_flight=3), Retry(first_wait=2.0))
    calls = [(BUSY, 0.0)] * 3 + [(Reply(verdict=verdict), 1.0)] * 4
    assert jump_through(call_all(gate, calls)).starts == pytest.approx([0, 0, 0, 2, 3, 3, 3])


def test_why_and_how_long_everyone_waits_can_be_asked() -> None:
    async def main() -> list[tuple[str, float]]:
        gate = gate_of(Limits(in_flight=2), Retry(first_wait=8.0))
        told = [gate.waiting]
        await call(gate, Seen(), 0, BUSY, 0.0)
        told.append(gate.waiting)
        await asyncio.sleep(3)
        told.append(gate.waiting)
        await asyncio.sleep(30)
        return [*told, gate.waiting]

    assert jump_through(main()) == [
        ("", 0.0), ("too many calls", 8.0), ("too many calls", 5.0), ("too many calls", 0.0),
    ]  # fmt: skip


def test_a_reason_without_words_is_named_by_its_verdict() -> None:
    trouble = longest(Retry())
    trouble.bad(Reply(verdict=Verdict.UNREACHABLE), started=0.0, now=0.0)
    assert trouble.reason == "unreachable"


@given(
    script=st.lists(
        st.tuples(st.sampled_from(list(Verdict)), st.floats(0, 3), st.none() | st.floats(0, 20)),
        min_size=1,
        max_size=40,
    ),
    in_flight=st.integers(1, 6),
    drawn=st.floats(0, 1),
)
def test_whatever_zoho_says_holds_are_kept_and_probes_are_alone(
    script: list[tuple[Verdict, float, float | None]], in_flight: int, drawn: float
) -> None:
    async def main() -> None:
        gate = gate_of(Limits(in_flight=in_flight), Retry(give_up_after=1e9), draw=lambda: drawn)
        order: list[int] = []
        asked_until = 0.0
        trouble = False

        async def one(number: int, reply: Reply, seconds: float) -> None:
            nonlocal asked_until, trouble
            started = await gate.enter()
            assert started is not None
            assert started >= asked_until - A_HAIR
            assert 1 <= gate.in_flight <= (1 if trouble else in_flight)
            order.append(number)
            await asyncio.sleep(seconds)
            assert gate.leave(reply, started) is None
            if reply.verdict in (Verdict.THROTTLED, Verdict.UNREACHABLE):
                trouble = True
                asked_until = max(asked_until, gate.clock.now() + (reply.retry_after or 0))
            elif reply.verdict in (Verdict.ACCEPTED, Verdict.REFUSED):
                trouble = False

        async with asyncio.TaskGroup() as tasks:
            for number, (verdict, seconds, retry_after) in enumerate(script):
                reply = Reply(verdict=verdict, retry_after=retry_after)
                tasks.create_task(one(number, reply, seconds))
        assert order == list(range(len(script)))
        assert gate.in_flight == 0

    jump_through(main())


# -- waiting is over for good ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (900.0, None),
        (901.0, "Zoho asks to wait 901 seconds (too many calls)"),
        (86_400.0, "Zoho asks to wait 86,400 seconds (too many calls)"),
    ],
)
def test_a_wait_beyond_the_patience_ends_the_run_at_once(asked: float, told: str | None) -> None:
    reply = Reply(verdict=Verdict.THROTTLED, message="too many calls", retry_after=asked)
    assert longest(Retry(give_up_after=900.0)).bad(reply, started=10.0, now=11.0) == told


@given(
    verdict=st.sampled_from([Verdict.THROTTLED, Verdict.UNREACHABLE]),
    give_up_after=st.floats(60, 2000),
    drawn=st.floats(0.2, 1),
    seconds=st.floats(0, 1),
)
def test_without_a_good_answer_waiting_ends_within_the_patience(
    verdict: Verdict, give_up_after: float, drawn: float, seconds: float
) -> None:
    async def main() -> float:
        retry = Retry(give_up_after=give_up_after)
        gate = gate_of(Limits(in_flight=3), retry, draw=lambda: drawn)
        reply = Reply(verdict=verdict, message="no connection")
        while (started := await gate.enter()) is not None:
            await asyncio.sleep(seconds)
            if (why := gate.leave(reply, started)) is not None:
                assert why.startswith("No good answer for ")
                assert why.endswith(" seconds (no connection)")
                break
        return gate.clock.now()

    ended = jump_through(main())
    # The next hold, at most the longest wait, and one call would have led past it.
    assert give_up_after - 60 - 1 - A_HAIR <= ended - seconds <= give_up_after + 1 + A_HAIR


def test_one_good_answer_renews_the_patience() -> None:
    trouble = longest(Retry(first_wait=1.0, longest_wait=1.0, give_up_after=10.0))
    for now in range(9):
        assert trouble.bad(AWAY, started=now, now=now) is None
    trouble.good()
    for now in range(9, 18):
        assert trouble.bad(AWAY, started=now, now=now) is None
    assert (
        trouble.bad(AWAY, started=19.0, now=19.0) == "No good answer for 10 seconds (no connection)"
    )


# -- leaving, cancelling, closing ------------------------------------------------------------


def test_a_call_that_brought_no_reply_gives_its_place_to_the_next() -> None:
    async def main() -> tuple[float | None, int]:
        gate = gate_of(Limits(in_flight=1))
        await gate.enter()
        following = asyncio.create_task(gate.enter())
        await asyncio.sleep(5)
        gate.cancel()
        return await following, gate.in_flight

    assert jump_through(main()) == (5.0, 1)


def test_one_that_no_longer_waits_keeps_nobody_behind_it() -> None:
    async def main() -> list[float | None]:
        gate = gate_of(Limits(in_flight=1))
        await gate.enter()
        waiting = [asyncio.create_task(gate.enter()) for _ in range(4)]
        await asyncio.sleep(1)
        waiting[0].cancel()  # the one that stands in the gate
        waiting[2].cancel()  # and one in the queue behind it
        await asyncio.sleep(1)
        assert gate.in_flight == 1
        gate.cancel()
        first = await waiting[1]
        gate.leave(GOOD, 0.0)
        return [first, await waiting[3]]

    assert jump_through(main()) == [2.0, 2.0]


@given(
    ends=st.lists(st.sampled_from(["reply", "cancel", "give up"]), min_size=1, max_size=30),
    in_flight=st.integers(1, 4),
)
def test_as_many_calls_leave_as_enter(ends: list[str], in_flight: int) -> None:
    async def main() -> int:
        gate = gate_of(Limits(in_flight=in_flight))

        async def one(end: str) -> None:
            started = await gate.enter()
            assert started is not None
            await asyncio.sleep(1)
            if end == "reply":
                gate.leave(GOOD, started)
            else:
                gate.cancel()

        tasks = [asyncio.create_task(one(end)) for end in ends]
        for task, end in zip(tasks, ends, strict=True):
            if end == "give up":
                task.cancel()  # before it has entered
        await asyncio.gather(*tasks, return_exceptions=True)
        return gate.in_flight

    assert jump_through(main()) == 0


def test_a_closed_gate_lets_nobody_in_and_keeps_nobody_waiting() -> None:
    async def main() -> tuple[list[float | None], float]:
        gate = gate_of(Limits(in_flight=2), Retry(first_wait=600.0, longest_wait=600.0))
        started = [await gate.enter(), await gate.enter()]
        waiting = [asyncio.create_task(gate.enter()) for _ in range(3)]
        backing_off = asyncio.create_task(gate.back_off(1))
        assert gate.leave(BUSY, 0.0) is None  # everyone waits for ten minutes
        await asyncio.sleep(4)
        gate.close()
        entered = await asyncio.gather(*waiting, gate.enter())
        await backing_off
        await gate.back_off(1)
        gate.leave(GOOD, 0.0)
        assert started == [0.0, 0.0]
        assert gate.in_flight == 0
        return entered, gate.clock.now()

    assert jump_through(main()) == ([None] * 4, 4.0)


# -- the real clock --------------------------------------------------------------------------


def test_the_clock_of_this_machine_wakes_for_the_event_or_for_the_time() -> None:
    async def main() -> None:
        clock = SystemClock()
        event = asyncio.Event()
        before = clock.now()
        await clock.wait(event, 0)
        asyncio.get_running_loop().call_soon(event.set)
        await clock.wait(event, None)
        await clock.wait(event, 3600)
        assert event.is_set()
        assert clock.now() >= before

    asyncio.run(main())


def test_a_gate_that_is_given_no_clock_takes_the_time_of_this_machine() -> None:
    async def main() -> None:
        gate = Gate(Limits(), Retry())
        assert await gate.enter() is not None
        assert isinstance(gate.clock, SystemClock)

    asyncio.run(main())
