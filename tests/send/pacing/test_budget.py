import asyncio
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from support.clocks import run_simulated
from support.pacing import (
    ACCEPTED,
    limiter_of,
)

from batchlock.core.errors import Stopped
from batchlock.core.reply import Reply, Verdict
from batchlock.send.pacing.budget import Budget
from batchlock.send.pacing.settings import Limits


def add_answer(
    budget: Budget,
    cost: int,
    remaining: int | None,
    *,
    unreported: int = 0,
    started: float,
    now: float,
) -> None:
    budget.add(cost=cost, remaining=remaining, unreported=unreported, started=started, now=now)


def test_without_bounds_credits_are_not_limited() -> None:
    budget = Budget(Limits(), credits_used=10**9)
    add_answer(budget, 1, 0, started=0.0, now=1.0)
    assert budget.available(10**6) is None


def test_max_credits_includes_the_calls_in_flight() -> None:
    budget = Budget(Limits(max_credits=10), credits_used=3)
    assert budget.available(0) == 7
    assert budget.available(5) == 2
    add_answer(budget, 1, None, started=0.0, now=1.0)
    add_answer(budget, 0, None, started=0.0, now=1.0)
    assert budget.available(6) == 0
    budget = Budget(Limits(max_credits=10), credits_used=10)
    assert budget.available(0) == 0
    assert (
        budget.exhausted_reason()
        == "This run has spent the 10 credits it may (limits.max_credits)."
    )


def test_keep_credits_are_not_used() -> None:
    budget = Budget(Limits(keep_credits=400), credits_used=0)
    assert budget.available(0) == 1  # the first answer may report an empty account
    assert budget.available(1) == 0
    add_answer(budget, 1, None, started=0.0, now=1.0)
    assert budget.available(99) is None  # more than half of the day's credits are left
    add_answer(budget, 1, 500, started=1.0, now=2.0)
    assert budget.available(30) == 70
    add_answer(budget, 1, 400, started=2.0, now=3.0)
    assert budget.available(0) == 0
    assert budget.exhausted_reason().startswith(
        "The org has 400 credits left today, and 400 are kept"
    )


def test_of_overlapping_answers_the_lowest_balance_counts() -> None:
    budget = Budget(Limits(keep_credits=1), credits_used=0)
    add_answer(budget, 1, 50, started=0.0, now=1.0)
    add_answer(budget, 1, 51, started=0.5, now=2.0)
    assert budget.available(0) == 49
    add_answer(budget, 1, 48, started=0.5, now=2.0)
    assert budget.available(0) == 47


def test_an_answer_without_a_balance_lowers_the_last_one() -> None:
    budget = Budget(Limits(keep_credits=1), credits_used=0)
    add_answer(budget, 1, 50, started=0.0, now=1.0)
    add_answer(budget, 1, None, started=1.0, now=2.0)
    add_answer(budget, 0, None, started=1.0, now=2.0)
    assert budget.available(0) == 48
    add_answer(budget, 1, 49, started=1.0, now=3.0)  # it may not include the one before
    assert budget.available(0) == 47
    add_answer(budget, 1, 46, unreported=1, started=2.5, now=4.0)
    assert budget.available(0) == 45


def test_a_higher_balance_is_believed_only_from_a_call_without_overlap() -> None:
    budget = Budget(Limits(keep_credits=1), credits_used=0)
    add_answer(budget, 1, 2, started=0.0, now=1.0)
    add_answer(budget, 1, 500, started=0.9, now=2.0)
    assert budget.available(0) == 1
    add_answer(budget, 1, 500, started=2.1, now=3.0)
    assert budget.available(0) == 499


@given(
    rng=st.randoms(use_true_random=False),
    balance=st.integers(1, 80),
    keep=st.integers(1, 60),
    in_flight=st.integers(1, 9),
    report_rate=st.floats(0, 1),
    charge_rate=st.floats(0, 1),
)
def test_keep_credits_are_not_used_in_any_order_of_replies(
    rng: Random, balance: int, keep: int, in_flight: int, report_rate: float, charge_rate: float
) -> None:
    remaining = balance

    async def main() -> int:
        limiter = limiter_of(Limits(in_flight=in_flight, keep_credits=keep))
        calls = 0

        async def make_call() -> None:
            nonlocal remaining, calls
            try:
                permit = await limiter.acquire()
            except Stopped:
                limiter.close()
                return
            if permit is None:
                return
            calls += 1
            await asyncio.sleep(rng.random())
            if calls > 1 and rng.random() >= charge_rate:
                reply = Reply(
                    verdict=Verdict.LOST
                )  # Zoho did not get the call, and charged nothing
            else:
                remaining -= 1
                reported = remaining if calls == 1 or rng.random() < report_rate else None
                reply = Reply(verdict=Verdict.ACCEPTED, credits_remaining=reported)
            await asyncio.sleep(rng.random())
            limiter.release(permit, reply, cost=1)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(200):
                tasks.create_task(make_call())
        return calls

    calls = run_simulated(main())
    assert remaining >= min(keep, balance - 1)  # the balance is unknown before the first answer
    if report_rate == charge_rate == 1:
        assert remaining == min(keep, balance - 1)
    assert calls >= 1


def test_a_run_stops_for_lack_of_credits_only_when_no_call_is_in_flight() -> None:
    async def main() -> tuple[list[str], float]:
        limiter = limiter_of(Limits(in_flight=9, max_credits=3))
        ends: list[str] = []

        async def make_call(reply: Reply, cost: int) -> None:
            try:
                permit = await limiter.acquire()
            except Stopped as reason:
                ends.append(str(reason))
                limiter.close()
                return
            if permit is not None:
                await asyncio.sleep(2)
                limiter.release(permit, reply, cost=cost)
                ends.append("good")

        async with asyncio.TaskGroup() as tasks:
            for cost in (1, 0, 1, 1, 1, 1):  # the second was throttled, and cost nothing
                tasks.create_task(make_call(ACCEPTED, cost))
        return ends, limiter.clock.monotonic()

    ends, end_seconds = run_simulated(main())
    assert ends == [
        *["good"] * 4,
        "Stopped: This run has spent the 3 credits it may (limits.max_credits).",
    ]
    assert end_seconds == 4.0
