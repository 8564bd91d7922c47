import asyncio
import json
import math
import stat
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clocks import THE_DAY, LoopClock, jump_through

from batchlock.core.errors import Stopped
from batchlock.core.observer import LimiterSnapshot
from batchlock.core.reply import Reply, Verdict
from batchlock.send.pacing.breaker import CircuitBreaker
from batchlock.send.pacing.budget import Budget
from batchlock.send.pacing.ceiling import load_ceiling, save_ceiling
from batchlock.send.pacing.clock import SystemClock
from batchlock.send.pacing.limiter import CallLimiter, Permit
from batchlock.send.pacing.rate import Rate
from batchlock.send.pacing.settings import Limits, Retry
from batchlock.send.pacing.window import _FIRST_TTL, _LONGEST_TTL, Ceiling, Window

GOOD = Reply(verdict=Verdict.ACCEPTED)
BUSY = Reply(verdict=Verdict.THROTTLED, message="too many calls")
AWAY = Reply(verdict=Verdict.UNREACHABLE, message="no connection")
A_HAIR = 1e-6
"""Seconds that the arithmetic of times may be off by."""


def longest(retry: Retry) -> CircuitBreaker:
    """Return a trouble whose every wait is as long as it may be."""
    return CircuitBreaker(retry, lambda: 1.0)


def limiter_of(
    limits: Limits,
    retry: Retry | None = None,
    *,
    ceiling: Ceiling | None = None,
    spent: int = 0,
    deadline: float | None = None,
    random: Callable[[], float] = lambda: 1.0,
) -> CallLimiter:
    return CallLimiter(
        limits,
        retry or Retry(),
        ceiling=ceiling,
        credits_used=spent,
        deadline_monotonic=deadline,
        clock=LoopClock(),
        random=random,
    )


@dataclass(slots=True)
class Seen:
    """What calls through a gate have shown."""

    order: list[int] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    under_way: list[int] = field(default_factory=list)
    """Calls under way at each start, this one included."""
    over: list[tuple[float, str]] = field(default_factory=list)


async def call(limiter: CallLimiter, seen: Seen, number: int, reply: Reply, seconds: float) -> None:
    permit = await limiter.acquire()
    if permit is None:
        return
    seen.order.append(number)
    seen.starts.append(permit.started)
    seen.under_way.append(limiter.in_flight)
    assert permit.in_flight == limiter.in_flight
    await asyncio.sleep(seconds)
    try:
        limiter.release(permit, reply, cost=1)
    except Stopped as why:
        seen.over.append((limiter.clock.monotonic(), str(why)))


async def call_all(limiter: CallLimiter, calls: Sequence[tuple[Reply, float]]) -> Seen:
    """Make all the calls, each of which wants to start at once."""
    seen = Seen()
    async with asyncio.TaskGroup() as tasks:
        for number, (reply, seconds) in enumerate(calls):
            tasks.create_task(call(limiter, seen, number, reply, seconds))
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
        (Limits(max_in_flight=3), 3),
        (Limits(in_flight=4, max_in_flight=2), 4),
    ],
)
def test_the_window_is_what_was_asked_for_or_what_the_smallest_edition_allows(
    limits: Limits, window: int
) -> None:
    assert limiter_of(limits).window == window


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
    # As many as fit evenly: over any time, never more than the rate and the one that begins it.
    for number in range(2, len(starts)):
        for first, last in zip(starts, starts[number:], strict=False):
            assert last - first >= number / per_second - A_HAIR
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
    limiter = limiter_of(Limits(in_flight=in_flight, per_second=per_second))
    seen = jump_through(call_all(limiter, [(GOOD, seconds) for seconds in durations]))
    assert seen.order == list(range(len(durations)))
    assert max(seen.under_way) <= in_flight
    assert limiter.peak == max(seen.under_way)
    assert limiter.in_flight == 0
    if per_second is not None:
        assert most_in_a_second(seen.starts) <= math.ceil(per_second)


def test_the_window_is_filled() -> None:
    limiter = limiter_of(Limits(in_flight=3))
    seen = jump_through(call_all(limiter, [(GOOD, 1.0)] * 9))
    assert seen.starts == pytest.approx([0, 0, 0, 1, 1, 1, 2, 2, 2])


def test_a_call_starts_as_soon_as_one_is_over() -> None:
    limiter = limiter_of(Limits(in_flight=2))
    seen = jump_through(call_all(limiter, [(GOOD, 10.0), (GOOD, 1.0), (GOOD, 1.0), (GOOD, 1.0)]))
    assert seen.starts == pytest.approx([0, 0, 1, 2])


def test_the_rate_holds_while_there_is_room() -> None:
    limiter = limiter_of(Limits(in_flight=10, per_second=4))
    seen = jump_through(call_all(limiter, [(GOOD, 0.0)] * 5))
    assert seen.starts == pytest.approx([0, 0.25, 0.5, 0.75, 1.0])


# -- how many in flight ----------------------------------------------------------------------


def window_of(limits: Limits | None = None, ceiling: Ceiling | None = None) -> Window:
    return Window(limits or Limits(), ceiling, now=THE_DAY)


def fill(window: Window, times: int, *, full: bool = True, now: datetime = THE_DAY) -> None:
    for _ in range(times):
        window.record_success(full=full, now=now)


def test_the_window_grows_by_one_for_each_full_window_of_good_answers() -> None:
    window = window_of()
    for size in range(5, 25):
        assert window.size == size
        fill(window, size - 1)
        assert window.size == size
        assert window.record_success(full=True, now=THE_DAY)
    assert window.size == 25


def test_the_window_never_grows_above_what_is_allowed() -> None:
    window = window_of(Limits(max_in_flight=7))
    fill(window, 1000)
    assert window.size == 7


def test_good_answers_show_nothing_while_the_window_is_not_full() -> None:
    window = window_of()
    fill(window, 1000, full=False)
    assert window.size == 5


def refuse(window: Window, height: int, *, now: datetime = THE_DAY) -> None:
    """Refuse one call, and let the one after it through."""
    window.record_throttled(concurrency=height, first=True)
    window.record_recovery(first_probe_ok=True, now=now)


def test_a_429_takes_half() -> None:
    window = window_of()
    fill(window, 1000)
    sizes = []
    for _ in range(5):
        refuse(window, window.size)
        sizes.append(window.size)
    assert sizes == [12, 6, 3, 1, 1]


def test_a_height_is_remembered_once_it_was_refused_twice_and_the_next_call_alone_is_good() -> None:
    window = window_of()
    for _ in range(2):
        fill(window, 5 + 6 + 7 + 8 + 9 + 10)
        assert (window.size, window.ceiling) == (11, None)
        refuse(window, 11)
        assert window.size == 5
    assert window.ceiling == Ceiling(11, THE_DAY)
    fill(window, 1000)
    assert window.size == 10


def test_a_refusal_that_lasts_is_of_the_days_credits_and_says_nothing_of_heights() -> None:
    window = window_of()
    window.record_throttled(concurrency=11, first=True)
    window.record_throttled(concurrency=1, first=False)
    window.record_recovery(first_probe_ok=False, now=THE_DAY)
    assert window.ceiling is None
    window.record_recovery(first_probe_ok=True, now=THE_DAY)  # of a later episode
    assert window.ceiling is None
    fill(window, 1000)
    assert window.size == 25


def test_a_call_refused_alone_says_nothing_of_heights() -> None:
    window = window_of()
    window.record_throttled(concurrency=1, first=True)
    window.record_recovery(first_probe_ok=True, now=THE_DAY)
    assert window.ceiling is None


def test_a_height_is_tried_again_after_a_while_that_grows_each_time() -> None:
    window, now, belief = window_of(ceiling=Ceiling(8, THE_DAY)), THE_DAY, _FIRST_TTL
    for _ in range(8):
        fill(window, 1000, now=now + 0.9 * belief)
        assert window.size == 7
        now += 1.1 * belief
        fill(window, 7, now=now)
        assert window.size == 8  # one more, and not all at once
        refuse(window, 8, now=now)
        belief = min(2 * belief, _LONGEST_TTL)
    fill(window, 1000, now=now + 1.1 * belief)
    assert (window.size, window.ceiling) == (25, None)


@pytest.mark.parametrize(
    ("refused", "age", "start"),
    [(11, 0.5, 5), (4, 0.5, 3), (2, 0.5, 1), (4, 1.1, 5), (4, -1, 5)],
)
def test_what_an_earlier_run_has_found_counts_from_the_start(
    refused: int, age: float, start: int
) -> None:
    ceiling = Ceiling(refused, THE_DAY - age * _FIRST_TTL)
    assert window_of(ceiling=ceiling).size == start


def test_a_window_that_is_given_never_changes() -> None:
    window = window_of(Limits(in_flight=12), Ceiling(4, THE_DAY))
    window.record_throttled(concurrency=12, first=True)
    window.record_recovery(first_probe_ok=True, now=THE_DAY)
    fill(window, 1000)
    assert window.size == 12
    assert window.ceiling == Ceiling(4, THE_DAY)


@dataclass(slots=True)
class Org:
    """A Zoho that refuses more than `cap` calls at once, and calls beyond its credits."""

    cap: int
    credits: int = 10**9
    latency: Callable[[], float] = lambda: 0.1
    unexpected_response: Callable[[], bool] = lambda: False
    """Whether a call is refused for no reason that can be seen."""
    under_way: int = 0
    calls: int = 0
    refused: list[float] = field(default_factory=list)

    async def answer(self) -> Reply:
        self.calls += 1
        if self.under_way >= self.cap or not self.credits or self.unexpected_response():
            self.refused.append(asyncio.get_running_loop().time())
            await asyncio.sleep(self.latency() / 10)
            return BUSY
        self.credits -= 1
        self.under_way += 1
        await asyncio.sleep(self.latency())
        self.under_way -= 1
        return GOOD


async def deliver(limiter: CallLimiter, org: Org, rows: int) -> None:
    """Send every row until it is answered, or waiting is over."""

    async def one() -> None:
        while (permit := await limiter.acquire()) is not None:
            reply = await org.answer()
            try:
                limiter.release(permit, reply, cost=int(reply is GOOD))
            except Stopped:
                limiter.close()
            if reply is GOOD:
                return

    async with asyncio.TaskGroup() as tasks:
        for _ in range(rows):
            tasks.create_task(one())


LATENCIES: dict[str, Callable[[Random], float]] = {
    "steady": lambda _: 0.1,
    "varied": lambda dice: 0.05 + 0.1 * dice.random(),
    "wild": lambda dice: 0.02 + dice.expovariate(1 / 0.08),
}


@pytest.mark.parametrize("cap", [5, 10, 15, 20])
@pytest.mark.parametrize("kind", LATENCIES)
@pytest.mark.parametrize("seed", range(3))
def test_the_window_settles_where_the_org_does_not_refuse(cap: int, kind: str, seed: int) -> None:
    dice = Random(seed)

    async def main() -> tuple[CallLimiter, Org, float]:
        org = Org(cap, latency=lambda: LATENCIES[kind](dice))
        limiter = limiter_of(Limits(), random=dice.random)
        await deliver(limiter, org, 1500)
        return limiter, org, limiter.clock.monotonic()

    limiter, org, seconds = jump_through(main())
    assert cap - 1 <= limiter.window <= cap
    assert len(org.refused) <= 0.02 * 1500
    assert org.refused[-1] < seconds / 2
    if kind == "steady" and cap <= 10:
        assert seconds <= 1500 * 0.1 / cap / 0.9


def test_the_window_is_the_largest_where_nothing_is_refused() -> None:
    async def main() -> CallLimiter:
        limiter = limiter_of(Limits())
        await deliver(limiter, Org(100), 1500)
        return limiter

    limiter = jump_through(main())
    assert (limiter.window, limiter.peak, limiter.ceiling) == (25, 25, None)


def test_a_cap_that_falls_is_found_again() -> None:
    async def main() -> tuple[CallLimiter, Org]:
        org = Org(25)
        limiter = limiter_of(Limits())
        await deliver(limiter, org, 1500)
        assert limiter.window == 25
        org.cap = 6
        await deliver(limiter, org, 1500)
        return limiter, org

    limiter, org = jump_through(main())
    assert 5 <= limiter.window <= 6
    assert len(org.refused) <= 0.03 * 1500


def test_many_refusals_at_once_are_one(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def main() -> CallLimiter:
        limiter = limiter_of(Limits(max_in_flight=20), ceiling=None)
        limiter._window.size = 20
        seen = await call_all(limiter, [(BUSY, 1.0)] * 20 + [(GOOD, 1.0)])
        assert seen.starts[-1] == pytest.approx(1.5)
        assert (limiter.window, limiter.ceiling) == (10, None)
        limiter._window.size = 20
        await call_all(limiter, [(BUSY, 1.0)] * 20 + [(GOOD, 1.0)])
        return limiter

    limiter = jump_through(main())
    assert limiter.ceiling == Ceiling(20, THE_DAY + timedelta(seconds=5))
    assert caplog.messages == ["Zoho refused 20 calls in flight; going on with fewer."]


def test_a_day_without_credits_ends_the_run_after_few_calls_and_teaches_no_height() -> None:
    async def main() -> tuple[CallLimiter, Org]:
        org = Org(25, credits=500)
        limiter = limiter_of(Limits(), random=Random(7).random)
        await deliver(limiter, org, 1500)
        return limiter, org

    limiter, org = jump_through(main())
    assert org.credits == 0
    assert limiter.ceiling is None
    assert len(org.refused) <= 25 + 60


# -- what an org has shown, between runs -----------------------------------------------------


def test_a_height_is_kept_between_runs(tmp_path: Path) -> None:
    path = tmp_path / "pace" / "acme.json"
    assert load_ceiling(path, THE_DAY) is None
    for ceiling in (Ceiling(11, THE_DAY), Ceiling(8, THE_DAY + timedelta(seconds=1.5))):
        save_ceiling(path, ceiling)
        assert load_ceiling(path, THE_DAY) == Ceiling(ceiling.refused, THE_DAY)
    assert [one.name for one in path.parent.iterdir()] == ["acme.json"]
    save_ceiling(path, None)
    save_ceiling(path, None)
    assert load_ceiling(path, THE_DAY) is None
    save_ceiling(path, Ceiling(11, THE_DAY))
    if sys.platform != "win32":
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"{}",
        b'{"refused": 11}',
        *(
            json.dumps({"refused": refused, "at": at}).encode()
            for refused, at in [
                ("11", "2026-01-01T00:00:00+00:00"),
                (1, "2026-01-01T00:00:00+00:00"),
                (5, "2026-01-01T00:00:00+00:00"),  # no run begins with fewer
                (-3, "2026-01-01T00:00:00+00:00"),
                (11.5, "2026-01-01T00:00:00+00:00"),
                (11, "2026-01-01T00:00:00"),
                (11, "yesterday"),
                (11, 5),
            ]
        ),
    ],
)
def test_a_file_that_is_damaged_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "acme.json").write_bytes(content)
    assert load_ceiling(tmp_path / "acme.json", THE_DAY) is None
    save_ceiling(tmp_path / "acme.json", Ceiling(11, THE_DAY))
    assert load_ceiling(tmp_path / "acme.json", THE_DAY) == Ceiling(11, THE_DAY)


@pytest.mark.parametrize(("days", "believed"), [(6, True), (8, False)])
def test_a_height_is_kept_for_a_week_and_then_counts_as_new(
    tmp_path: Path, days: int, believed: bool
) -> None:
    save_ceiling(tmp_path / "acme.json", Ceiling(11, THE_DAY - timedelta(days=days)))
    found = load_ceiling(tmp_path / "acme.json", THE_DAY)
    assert found == (Ceiling(11, THE_DAY) if believed else None)


def test_a_stray_429_is_not_believed() -> None:
    window = window_of()
    for height in range(8, 25, 4):
        while window.size < height:
            fill(window, window.size)
        refuse(window, height)
        assert window.size == height // 2
    fill(window, 1000)
    assert (window.size, window.ceiling) == (25, None)


def test_stray_429s_now_and_then_do_not_add_up() -> None:
    """One call in a hundred is refused, whatever is in flight."""

    async def main(dice: Random) -> tuple[CallLimiter, float]:
        org = Org(25, unexpected_response=lambda: dice.random() < 0.01)
        limiter = limiter_of(Limits(), random=dice.random)
        await deliver(limiter, org, 1500)
        return limiter, limiter.clock.monotonic()

    gates, seconds = zip(*(jump_through(main(Random(seed))) for seed in range(5)), strict=True)
    assert not [
        limiter for limiter in gates if limiter.ceiling is not None and limiter.ceiling.refused < 15
    ]
    assert max(seconds) < 4 * 1500 * 0.1 / 25  # each halves the window and holds everyone


def test_a_cap_that_has_come_down_is_believed_after_a_few_times() -> None:
    window = window_of()
    fill(window, 1000)
    for _ in range(6):
        refuse(window, 25)
    for _ in range(100):
        if window.size > 6:
            refuse(window, 7)
        window.record_success(full=True, now=THE_DAY)
    assert window.ceiling == Ceiling(7, THE_DAY)
    assert window.size == 6


def test_a_height_that_cannot_be_kept_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "pace").write_text("a file where the folder should be")
    save_ceiling(tmp_path / "pace" / "acme.json", Ceiling(11, THE_DAY))
    (tmp_path / "acme.json").mkdir()
    save_ceiling(tmp_path / "acme.json", Ceiling(11, THE_DAY))
    assert load_ceiling(tmp_path / "acme.json", THE_DAY) is None
    assert sorted(one.name for one in tmp_path.iterdir()) == ["acme.json", "pace"]


# -- credits ---------------------------------------------------------------------------------


def tell(
    budget: Budget, cost: int, left: int | None, *, untold: int = 0, started: float, now: float
) -> None:
    budget.add(cost=cost, remaining=left, unreported=untold, started=started, now=now)


def test_without_bounds_credits_do_not_count() -> None:
    budget = Budget(Limits(), credits_used=10**9)
    tell(budget, 1, 0, started=0.0, now=1.0)
    assert budget.available(10**6) is None


def test_a_run_may_spend_so_much_and_calls_under_way_count() -> None:
    budget = Budget(Limits(max_credits=10), credits_used=3)
    assert budget.available(0) == 7
    assert budget.available(5) == 2
    tell(budget, 1, None, started=0.0, now=1.0)
    tell(budget, 0, None, started=0.0, now=1.0)
    assert budget.available(6) == 0
    budget = Budget(Limits(max_credits=10), credits_used=10)
    assert budget.available(0) == 0
    assert (
        budget.exhausted_reason()
        == "This run has spent the 10 credits it may (limits.max_credits)."
    )


def test_what_is_kept_for_others_is_not_touched() -> None:
    budget = Budget(Limits(keep_credits=400), credits_used=0)
    assert budget.available(0) == 1  # the first answer may say that nothing is to spare
    assert budget.available(1) == 0
    tell(budget, 1, None, started=0.0, now=1.0)
    assert budget.available(99) is None  # more than half of the day's credits are left
    tell(budget, 1, 500, started=1.0, now=2.0)
    assert budget.available(30) == 70
    tell(budget, 1, 400, started=2.0, now=3.0)
    assert budget.available(0) == 0
    assert budget.exhausted_reason().startswith(
        "The org has 400 credits left today, and 400 are kept"
    )


def test_of_answers_that_overtake_each_other_the_lowest_number_counts() -> None:
    budget = Budget(Limits(keep_credits=1), credits_used=0)
    tell(budget, 1, 50, started=0.0, now=1.0)
    tell(budget, 1, 51, started=0.5, now=2.0)
    assert budget.available(0) == 49
    tell(budget, 1, 48, started=0.5, now=2.0)
    assert budget.available(0) == 47


def test_an_answer_that_tells_no_number_counts_from_the_last_one() -> None:
    budget = Budget(Limits(keep_credits=1), credits_used=0)
    tell(budget, 1, 50, started=0.0, now=1.0)
    tell(budget, 1, None, started=1.0, now=2.0)
    tell(budget, 0, None, started=1.0, now=2.0)
    assert budget.available(0) == 48
    tell(budget, 1, 49, started=1.0, now=3.0)  # it may not know of the call that told nothing
    assert budget.available(0) == 47
    tell(budget, 1, 46, untold=1, started=2.5, now=4.0)
    assert budget.available(0) == 45


def test_credits_that_come_back_are_seen_by_a_call_that_started_after_all_others() -> None:
    budget = Budget(Limits(keep_credits=1), credits_used=0)
    tell(budget, 1, 2, started=0.0, now=1.0)
    tell(budget, 1, 500, started=0.9, now=2.0)
    assert budget.available(0) == 1
    tell(budget, 1, 500, started=2.1, now=3.0)
    assert budget.available(0) == 499


@settings(deadline=None)  # a busy machine is no fault of the reserve
@given(
    seed=st.randoms(use_true_random=False),
    given=st.integers(1, 80),
    keep=st.integers(1, 60),
    in_flight=st.integers(1, 9),
    told=st.floats(0, 1),
    charged=st.floats(0, 1),
)
def test_the_reserve_is_never_touched_in_whatever_order_replies_come(
    seed: Random, given: int, keep: int, in_flight: int, told: float, charged: float
) -> None:
    left = given

    async def main() -> int:
        limiter = limiter_of(Limits(in_flight=in_flight, keep_credits=keep))
        calls = 0

        async def one() -> None:
            nonlocal left, calls
            try:
                permit = await limiter.acquire()
            except Stopped:
                limiter.close()
                return
            if permit is None:
                return
            calls += 1
            await asyncio.sleep(seed.random())
            if calls > 1 and seed.random() >= charged:
                reply = Reply(verdict=Verdict.LOST)  # it has not arrived
            else:
                left -= 1
                shown = left if calls == 1 or seed.random() < told else None
                reply = Reply(verdict=Verdict.ACCEPTED, credits_remaining=shown)
            await asyncio.sleep(seed.random())
            limiter.release(permit, reply, cost=1)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(200):
                tasks.create_task(one())
        return calls

    calls = jump_through(main())
    assert left >= min(keep, given - 1)  # what is left is told by the first answer, not before
    if told == charged == 1:
        assert left == min(keep, given - 1)
    assert calls >= 1


def test_a_run_stops_for_want_of_credits_only_when_no_call_is_under_way() -> None:
    async def main() -> tuple[list[str], float]:
        limiter = limiter_of(Limits(in_flight=9, max_credits=3))
        ends: list[str] = []

        async def one(reply: Reply, cost: int) -> None:
            try:
                permit = await limiter.acquire()
            except Stopped as why:
                ends.append(str(why))
                limiter.close()
                return
            if permit is not None:
                await asyncio.sleep(2)
                limiter.release(permit, reply, cost=cost)
                ends.append("good")

        async with asyncio.TaskGroup() as tasks:
            for cost in (1, 0, 1, 1, 1, 1):  # the second was refused, and spent nothing
                tasks.create_task(one(GOOD, cost))
        return ends, limiter.clock.monotonic()

    ends, ended = jump_through(main())
    assert ends == [
        *["good"] * 4,
        "Stopped: This run has spent the 3 credits it may (limits.max_credits).",
    ]
    assert ended == 4.0


# -- the end of the run's time ---------------------------------------------------------------


def test_no_call_starts_that_may_not_be_over_in_time() -> None:
    async def main() -> tuple[list[float], str]:
        limiter = limiter_of(Limits(in_flight=1), deadline=10.0)
        starts: list[float] = []
        while True:
            try:
                permit = await limiter.acquire()
            except Stopped as why:
                return starts, str(why)
            assert permit is not None
            starts.append(permit.started)
            await asyncio.sleep(1.5)
            limiter.release(permit, GOOD, cost=1)

    starts, why = jump_through(main())
    assert starts == [0.0, 1.5, 3.0, 4.5, 6.0]  # twice the slowest call is kept free
    assert why == "Stopped: the time for this run is over."


def test_no_more_time_is_kept_free_than_a_call_may_take() -> None:
    async def main() -> float:
        limiter = limiter_of(Limits(in_flight=1), Retry(timeout=2.0), deadline=100.0)
        for seconds in (50.0, 47.9):
            permit = await limiter.acquire()
            assert permit is not None
            await asyncio.sleep(seconds)
            limiter.release(permit, GOOD, cost=1)
        permit = await limiter.acquire()
        assert permit is not None
        return permit.started

    assert jump_through(main()) == 97.9


def test_a_wait_past_the_end_of_the_run_ends_it_at_once() -> None:
    gate_reply = Reply(verdict=Verdict.THROTTLED, message="too many calls", retry_after=30.0)

    async def main() -> Seen:
        return await call_all(limiter_of(Limits(in_flight=1), deadline=20.0), [(gate_reply, 1.0)])

    assert jump_through(main()).over == [
        (1.0, "Stopped: Waiting would go past the end of this run: too many calls.")
    ]


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
    async def main() -> tuple[float, Permit | None]:
        limiter = limiter_of(Limits(in_flight=1), Retry(first_wait=9.0))
        waiting = asyncio.create_task(limiter.back_off(1))
        await asyncio.sleep(1)
        started = await limiter.acquire()
        await waiting
        return limiter.clock.monotonic(), started

    assert jump_through(main()) == (9.0, (1.0, 1, 0))


# -- everyone waits --------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [BUSY, AWAY])
def test_after_a_bad_reply_everyone_waits_and_a_single_call_probes(reply: Reply) -> None:
    limiter = limiter_of(Limits(in_flight=4), Retry(first_wait=8.0))
    seen = jump_through(call_all(limiter, [(reply, 1.0), *[(GOOD, 5.0)] * 7]))
    # Four start at once; the first brings the trouble at 1. That the others end well at 5 says
    # nothing of the time after the hold, which is over at 9 and has a single call go ahead.
    assert seen.starts[:6] == pytest.approx([0, 0, 0, 0, 9, 14])
    assert seen.under_way[4] == 1


def test_the_probe_is_alone_until_its_answer() -> None:
    limiter = limiter_of(Limits(in_flight=4), Retry(first_wait=8.0))
    seen = jump_through(call_all(limiter, [(BUSY, 1.0)] * 4 + [(GOOD, 5.0)] * 4))
    assert seen.starts == pytest.approx([0, 0, 0, 0, 9, 14, 14, 14])
    assert seen.under_way[4] == 1


def test_calls_that_were_under_way_when_the_hold_began_do_not_make_it_longer() -> None:
    breaker = longest(Retry(first_wait=8.0))
    breaker.record_failure(BUSY, started=0.0, now=1.0)
    breaker.record_failure(BUSY, started=0.5, now=6.0)
    assert breaker.open_until == 9.0


def test_each_probe_that_fails_makes_the_next_hold_longer() -> None:
    limiter = limiter_of(Limits(in_flight=4), Retry(first_wait=1.0, longest_wait=4.0))
    seen = jump_through(call_all(limiter, [(AWAY, 0.0)] * 7 + [(GOOD, 0.0)]))
    assert seen.starts == pytest.approx([0, 0, 0, 0, 1, 3, 7, 11])


def test_a_good_reply_ends_the_episode_and_the_next_begins_small() -> None:
    breaker = longest(Retry(first_wait=1.0))
    breaker.record_failure(BUSY, started=0.0, now=0.0)
    breaker.record_failure(BUSY, started=1.0, now=1.0)
    assert breaker.open_until == 3.0
    assert [breaker.record_success(started=started) for started in (2.9, 3.0)] == [False, True]
    assert not breaker.half_open
    breaker.record_failure(BUSY, started=100.0, now=100.0)
    assert breaker.open_until == 101.0


@pytest.mark.parametrize(
    ("asked", "until"), [(None, 0.5), (0.0, 0.5), (0.2, 0.5), (30.0, 30.0), (899.0, 899.0)]
)
def test_a_wait_that_zoho_asks_for_is_kept_and_never_shortens_ours(
    asked: float | None, until: float
) -> None:
    limiter = limiter_of(Limits(in_flight=1), Retry(first_wait=0.5))
    reply = Reply(verdict=Verdict.THROTTLED, retry_after=asked)
    seen = jump_through(call_all(limiter, [(reply, 0.0), (GOOD, 0.0)]))
    assert seen.starts == [0, until]
    assert seen.over == []


@pytest.mark.parametrize("verdict", [Verdict.BROKEN, Verdict.LOST, Verdict.REFUSED])
def test_a_wait_that_zoho_asks_for_holds_everyone_whatever_the_reply_means(
    verdict: Verdict,
) -> None:
    reply = Reply(verdict=verdict, message="maintenance", retry_after=30.0)

    async def main() -> CallLimiter:
        limiter = limiter_of(Limits())
        seen = await call_all(limiter, [(reply, 1.0)] * 5 + [(GOOD, 1.0)] * 5)
        assert seen.starts == [0.0] * 5 + [31.0] * 5
        assert seen.over == []
        return limiter

    limiter = jump_through(main())
    assert (limiter.window, limiter.ceiling) == (6, None)


def test_a_reply_that_asks_to_wait_beyond_the_patience_ends_the_run() -> None:
    reply = Reply(verdict=Verdict.BROKEN, message="maintenance", retry_after=3600.0)

    async def main() -> Seen:
        return await call_all(limiter_of(Limits()), [(reply, 1.0)])

    seen = jump_through(main())
    assert seen.over == [(1.0, "Stopped: Zoho asks to wait 3,600 seconds: maintenance.")]


def test_a_longer_wait_counts_even_from_a_call_that_was_already_under_way() -> None:
    breaker = longest(Retry(first_wait=8.0))
    breaker.record_failure(BUSY, started=0.0, now=1.0)
    breaker.record_failure(Reply(verdict=Verdict.THROTTLED, retry_after=60.0), started=0.0, now=2.0)
    assert breaker.open_until == 62.0


@pytest.mark.parametrize(
    "verdict",
    [Verdict.BROKEN, Verdict.LOST, Verdict.EXPIRED, Verdict.DENIED, Verdict.UNSUPPORTED],
)
def test_other_replies_neither_begin_an_episode_nor_end_one(verdict: Verdict) -> None:
    other = Reply(verdict=verdict)
    limiter = limiter_of(Limits(in_flight=2))
    assert jump_through(call_all(limiter, [(other, 1.0)] * 4)).starts == pytest.approx([0, 0, 1, 1])
    limiter = limiter_of(Limits(in_flight=2), Retry(first_wait=4.0))
    calls = [(BUSY, 0.0), (other, 1.0), (other, 1.0), (GOOD, 1.0), (GOOD, 1.0), (GOOD, 1.0)]
    assert jump_through(call_all(limiter, calls)).starts == pytest.approx([0, 0, 4, 5, 6, 6])


@pytest.mark.parametrize("verdict", [Verdict.ACCEPTED, Verdict.REFUSED])
def test_a_refusal_shows_zoho_at_work_as_well_as_a_success(verdict: Verdict) -> None:
    limiter = limiter_of(Limits(in_flight=3), Retry(first_wait=2.0))
    calls = [(BUSY, 0.0)] * 3 + [(Reply(verdict=verdict), 1.0)] * 4
    assert jump_through(call_all(limiter, calls)).starts == pytest.approx([0, 0, 0, 2, 3, 3, 3])


def test_why_and_how_long_everyone_waits_can_be_asked() -> None:
    async def main() -> list[LimiterSnapshot]:
        limiter = limiter_of(Limits(in_flight=2), Retry(first_wait=8.0))
        told = [limiter.snapshot]
        await call(limiter, Seen(), 0, BUSY, 0.0)
        told.append(limiter.snapshot)
        await asyncio.sleep(3)
        told.append(limiter.snapshot)
        await asyncio.sleep(30)
        await limiter.acquire()
        return [*told, limiter.snapshot]

    assert jump_through(main()) == [
        (0, 2, "", 0.0, None), (0, 2, "too many calls", 8.0, None),
        (0, 2, "too many calls", 5.0, None), (1, 2, "", 0.0, None),
    ]  # fmt: skip


def test_a_reason_without_words_is_named_by_its_verdict() -> None:
    breaker = longest(Retry())
    breaker.record_failure(Reply(verdict=Verdict.UNREACHABLE), started=0.0, now=0.0)
    assert breaker.reason == "unreachable"


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
        limiter = limiter_of(
            Limits(in_flight=in_flight), Retry(give_up_after=1e9), random=lambda: drawn
        )
        order: list[int] = []
        asked_until = 0.0
        breaker = False

        async def one(number: int, reply: Reply, seconds: float) -> None:
            nonlocal asked_until, breaker
            permit = await limiter.acquire()
            assert permit is not None
            started = permit.started
            assert started >= asked_until - A_HAIR
            assert 1 <= limiter.in_flight <= (1 if breaker else in_flight)
            order.append(number)
            await asyncio.sleep(seconds)
            limiter.release(permit, reply, cost=1)
            if reply.verdict in (Verdict.THROTTLED, Verdict.UNREACHABLE):
                breaker = True
                asked_until = max(asked_until, limiter.clock.monotonic() + (reply.retry_after or 0))
            elif reply.verdict in (Verdict.ACCEPTED, Verdict.REFUSED):
                breaker = breaker and limiter._breaker.half_open

        async with asyncio.TaskGroup() as tasks:
            for number, (verdict, seconds, retry_after) in enumerate(script):
                reply = Reply(verdict=verdict, retry_after=retry_after)
                tasks.create_task(one(number, reply, seconds))
        assert order == list(range(len(script)))
        assert limiter.in_flight == 0

    jump_through(main())


# -- waiting is over for good ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "deadline", "told"),
    [
        (900.0, None, None),
        (901.0, None, "Zoho asks to wait 901 seconds: too many calls."),
        (86_400.0, None, "Zoho asks to wait 86,400 seconds: too many calls."),
        (86_400.0, 50.0, "Zoho asks to wait 86,400 seconds: too many calls."),
        (38.0, 50.0, None),
        (39.0, 50.0, "Waiting would go past the end of this run: too many calls."),
    ],
)
def test_a_wait_beyond_the_patience_or_the_end_of_the_run_ends_it_at_once(
    asked: float, deadline: float | None, told: str | None
) -> None:
    breaker = longest(Retry(give_up_after=900.0))
    assert breaker.give_up_reason(11.0, deadline_monotonic=deadline) is None
    reply = Reply(verdict=Verdict.THROTTLED, message="too many calls.", retry_after=asked)
    assert breaker.record_failure(reply, started=10.0, now=11.0)
    assert breaker.give_up_reason(11.0, deadline_monotonic=deadline) == told


@given(
    verdict=st.sampled_from([Verdict.THROTTLED, Verdict.UNREACHABLE]),
    give_up_after=st.floats(60, 2000),
    drawn=st.floats(0.2, 1),
    seconds=st.floats(0, 1),
)
def test_without_a_good_answer_waiting_ends_within_the_patience_and_few_calls(
    verdict: Verdict, give_up_after: float, drawn: float, seconds: float
) -> None:
    async def main() -> tuple[float, int]:
        limiter = limiter_of(
            Limits(in_flight=3), Retry(give_up_after=give_up_after), random=lambda: drawn
        )
        reply = Reply(verdict=verdict, message="no connection")
        seen = Seen()
        while not seen.over:
            await call(limiter, seen, 0, reply, seconds)
        told = seen.over[0][1]
        assert told.startswith("Stopped: No good answer came for ")
        assert told.endswith(" seconds: no connection.")
        return limiter.clock.monotonic(), len(seen.starts)

    ended, calls = jump_through(main())
    # The next hold, at most the longest wait, and one call would have led past it.
    assert give_up_after - 60 - 1 - A_HAIR <= ended - seconds <= give_up_after + 1 + A_HAIR
    assert calls <= 12 + give_up_after / (60 * drawn)


def test_one_good_answer_renews_the_patience() -> None:
    breaker = longest(Retry(first_wait=1.0, longest_wait=1.0, give_up_after=10.0))
    for now in range(9):
        breaker.record_failure(AWAY, started=now, now=now)
        assert breaker.give_up_reason(now, deadline_monotonic=None) is None
    assert breaker.record_success(started=9.0)
    for now in range(9, 19):
        breaker.record_failure(AWAY, started=now, now=now)
        assert breaker.give_up_reason(now, deadline_monotonic=None) is None
    breaker.record_failure(AWAY, started=19.0, now=19.0)
    assert (
        breaker.give_up_reason(19.0, deadline_monotonic=None)
        == "No good answer came for 10 seconds: no connection."
    )


# -- leaving, cancelling, closing ------------------------------------------------------------


def test_a_call_that_brought_no_reply_gives_its_place_to_the_next() -> None:
    async def main() -> tuple[Permit | None, int]:
        limiter = limiter_of(Limits(in_flight=1))
        await limiter.acquire()
        following = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(5)
        limiter.abandon()
        return await following, limiter.in_flight

    assert jump_through(main()) == ((5.0, 1, 0), 1)


def test_one_that_no_longer_waits_keeps_nobody_behind_it() -> None:
    async def main() -> list[Permit | None]:
        limiter = limiter_of(Limits(in_flight=1))
        await limiter.acquire()
        waiting = [asyncio.create_task(limiter.acquire()) for _ in range(4)]
        await asyncio.sleep(1)
        waiting[0].cancel()  # the one that stands in the gate
        waiting[2].cancel()  # and one in the queue behind it
        await asyncio.sleep(1)
        assert limiter.in_flight == 1
        limiter.abandon()
        first = await waiting[1]
        assert first is not None
        limiter.release(first, GOOD, cost=1)
        return [first, await waiting[3]]

    assert jump_through(main()) == [(2.0, 1, 0), (2.0, 1, 0)]


@given(
    ends=st.lists(st.sampled_from(["reply", "cancel", "give up"]), min_size=1, max_size=30),
    in_flight=st.integers(1, 4),
)
def test_as_many_calls_leave_as_enter(ends: list[str], in_flight: int) -> None:
    async def main() -> int:
        limiter = limiter_of(Limits(in_flight=in_flight))

        async def one(end: str) -> None:
            permit = await limiter.acquire()
            assert permit is not None
            await asyncio.sleep(1)
            if end == "reply":
                limiter.release(permit, GOOD, cost=1)
            else:
                limiter.abandon()

        tasks = [asyncio.create_task(one(end)) for end in ends]
        for task, end in zip(tasks, ends, strict=True):
            if end == "give up":
                task.cancel()  # before it has entered
        await asyncio.gather(*tasks, return_exceptions=True)
        return limiter.in_flight

    assert jump_through(main()) == 0


def test_a_closed_gate_lets_nobody_in_and_keeps_nobody_waiting() -> None:
    async def main() -> tuple[list[Permit | None], float]:
        limiter = limiter_of(Limits(in_flight=2), Retry(first_wait=600.0, longest_wait=600.0))
        first, second = await limiter.acquire(), await limiter.acquire()
        assert first is not None
        assert second is not None
        waiting = [asyncio.create_task(limiter.acquire()) for _ in range(3)]
        backing_off = asyncio.create_task(limiter.back_off(1))
        limiter.release(first, BUSY, cost=0)  # everyone waits for ten minutes
        await asyncio.sleep(4)
        limiter.close()
        entered = await asyncio.gather(*waiting, limiter.acquire())
        await backing_off
        await limiter.back_off(1)
        limiter.release(second, GOOD, cost=1)
        assert limiter.in_flight == 0
        return entered, limiter.clock.monotonic()

    assert jump_through(main()) == ([None] * 4, 4.0)


# -- the real clock --------------------------------------------------------------------------


def test_the_clock_of_this_machine_wakes_for_the_event_or_for_the_time() -> None:
    async def main() -> None:
        clock = SystemClock()
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


def test_a_gate_that_is_given_no_clock_takes_the_time_of_this_machine() -> None:
    async def main() -> None:
        limiter = CallLimiter(Limits(), Retry())
        assert await limiter.acquire() is not None
        assert isinstance(limiter.clock, SystemClock)

    asyncio.run(main())
