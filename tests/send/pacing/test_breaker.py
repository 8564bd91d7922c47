import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clocks import run_simulated
from support.pacing import (
    ACCEPTED,
    ROUNDING_ERROR,
    THROTTLED,
    UNREACHABLE,
    CallLog,
    call,
    call_all,
    limiter_of,
)

from batchlock.core.observer import LimiterSnapshot
from batchlock.core.reply import Reply, Verdict
from batchlock.send.pacing.breaker import CircuitBreaker
from batchlock.send.pacing.limiter import CallLimiter
from batchlock.send.pacing.settings import Limits, Retry


def breaker_of(retry: Retry) -> CircuitBreaker:
    """Return a breaker whose every hold is as long as the jitter allows."""
    return CircuitBreaker(retry, lambda: 1.0)


@pytest.mark.parametrize("reply", [THROTTLED, UNREACHABLE])
def test_after_a_failure_all_calls_wait_and_a_single_probe_starts(reply: Reply) -> None:
    limiter = limiter_of(Limits(in_flight=4), Retry(first_wait=8.0))
    log = run_simulated(call_all(limiter, [(reply, 1.0), *[(ACCEPTED, 5.0)] * 7]))
    # Four start at once, and the first opens the breaker at 1. The others end well at 5, but they
    # began before the hold, so they do not close it. The hold ends at 9, and one probe starts.
    assert log.starts[:6] == pytest.approx([0, 0, 0, 0, 9, 14])
    assert log.in_flight[4] == 1


def test_no_call_starts_beside_the_probe() -> None:
    limiter = limiter_of(Limits(in_flight=4), Retry(first_wait=8.0))
    log = run_simulated(call_all(limiter, [(THROTTLED, 1.0)] * 4 + [(ACCEPTED, 5.0)] * 4))
    assert log.starts == pytest.approx([0, 0, 0, 0, 9, 14, 14, 14])
    assert log.in_flight[4] == 1


def test_a_failure_of_a_call_that_began_before_the_hold_does_not_lengthen_it() -> None:
    breaker = breaker_of(Retry(first_wait=8.0))
    breaker.record_failure(THROTTLED, started=0.0, now=1.0)
    breaker.record_failure(THROTTLED, started=0.5, now=6.0)
    assert breaker.open_until == 9.0


def test_each_probe_that_fails_makes_the_next_hold_longer() -> None:
    limiter = limiter_of(Limits(in_flight=4), Retry(first_wait=1.0, longest_wait=4.0))
    log = run_simulated(call_all(limiter, [(UNREACHABLE, 0.0)] * 7 + [(ACCEPTED, 0.0)]))
    assert log.starts == pytest.approx([0, 0, 0, 0, 1, 3, 7, 11])


def test_a_good_reply_closes_the_breaker_and_resets_the_back_off() -> None:
    breaker = breaker_of(Retry(first_wait=1.0))
    breaker.record_failure(THROTTLED, started=0.0, now=0.0)
    breaker.record_failure(THROTTLED, started=1.0, now=1.0)
    assert breaker.open_until == 3.0
    assert [breaker.record_success(started=started) for started in (2.9, 3.0)] == [False, True]
    assert not breaker.half_open
    breaker.record_failure(THROTTLED, started=100.0, now=100.0)
    assert breaker.open_until == 101.0


@pytest.mark.parametrize(
    ("retry_after", "next_start"),
    [(None, 0.5), (0.0, 0.5), (0.2, 0.5), (30.0, 30.0), (899.0, 899.0)],
)
def test_a_retry_after_is_honoured_and_never_shortens_the_back_off(
    retry_after: float | None, next_start: float
) -> None:
    limiter = limiter_of(Limits(in_flight=1), Retry(first_wait=0.5))
    reply = Reply(verdict=Verdict.THROTTLED, retry_after=retry_after)
    log = run_simulated(call_all(limiter, [(reply, 0.0), (ACCEPTED, 0.0)]))
    assert log.starts == [0, next_start]
    assert log.stops == []


@pytest.mark.parametrize("verdict", [Verdict.BROKEN, Verdict.LOST, Verdict.REFUSED])
def test_a_retry_after_holds_all_calls_for_every_verdict(
    verdict: Verdict,
) -> None:
    reply = Reply(verdict=verdict, message="maintenance", retry_after=30.0)

    async def main() -> CallLimiter:
        limiter = limiter_of(Limits())
        log = await call_all(limiter, [(reply, 1.0)] * 5 + [(ACCEPTED, 1.0)] * 5)
        assert log.starts == [0.0] * 5 + [31.0] * 5
        assert log.stops == []
        return limiter

    limiter = run_simulated(main())
    assert (limiter.window, limiter.ceiling) == (6, None)


def test_a_retry_after_beyond_give_up_after_ends_the_run() -> None:
    reply = Reply(verdict=Verdict.BROKEN, message="maintenance", retry_after=3600.0)

    async def main() -> CallLog:
        return await call_all(limiter_of(Limits()), [(reply, 1.0)])

    log = run_simulated(main())
    assert log.stops == [(1.0, "Stopped: Zoho asks to wait 3,600 seconds: maintenance.")]


def test_a_longer_retry_after_counts_even_from_a_call_that_began_before_the_hold() -> None:
    breaker = breaker_of(Retry(first_wait=8.0))
    breaker.record_failure(THROTTLED, started=0.0, now=1.0)
    breaker.record_failure(Reply(verdict=Verdict.THROTTLED, retry_after=60.0), started=0.0, now=2.0)
    assert breaker.open_until == 62.0


@pytest.mark.parametrize(
    "verdict",
    [Verdict.BROKEN, Verdict.LOST, Verdict.EXPIRED, Verdict.DENIED, Verdict.UNSUPPORTED],
)
def test_other_verdicts_neither_open_nor_close_the_breaker(verdict: Verdict) -> None:
    other = Reply(verdict=verdict)
    limiter = limiter_of(Limits(in_flight=2))
    assert run_simulated(call_all(limiter, [(other, 1.0)] * 4)).starts == pytest.approx(
        [0, 0, 1, 1]
    )
    limiter = limiter_of(Limits(in_flight=2), Retry(first_wait=4.0))
    calls = [
        (THROTTLED, 0.0),
        (other, 1.0),
        (other, 1.0),
        (ACCEPTED, 1.0),
        (ACCEPTED, 1.0),
        (ACCEPTED, 1.0),
    ]
    assert run_simulated(call_all(limiter, calls)).starts == pytest.approx([0, 0, 4, 5, 6, 6])


@pytest.mark.parametrize("verdict", [Verdict.ACCEPTED, Verdict.REFUSED])
def test_a_refusal_closes_the_breaker_as_a_success_does(verdict: Verdict) -> None:
    limiter = limiter_of(Limits(in_flight=3), Retry(first_wait=2.0))
    calls = [(THROTTLED, 0.0)] * 3 + [(Reply(verdict=verdict), 1.0)] * 4
    assert run_simulated(call_all(limiter, calls)).starts == pytest.approx([0, 0, 0, 2, 3, 3, 3])


def test_the_snapshot_shows_why_and_how_long_all_calls_wait() -> None:
    async def main() -> list[LimiterSnapshot]:
        limiter = limiter_of(Limits(in_flight=2), Retry(first_wait=8.0))
        snapshots = [limiter.snapshot]
        await call(limiter, CallLog(), 0, THROTTLED, 0.0)
        snapshots.append(limiter.snapshot)
        await asyncio.sleep(3)
        snapshots.append(limiter.snapshot)
        await asyncio.sleep(30)
        await limiter.acquire()
        return [*snapshots, limiter.snapshot]

    assert run_simulated(main()) == [
        (0, 2, "", 0.0, None, 0), (0, 2, "too many calls", 8.0, None, 1),
        (0, 2, "too many calls", 5.0, None, 1), (1, 2, "", 0.0, None, 1),
    ]  # fmt: skip


def test_a_reply_without_a_message_is_described_by_its_verdict() -> None:
    breaker = breaker_of(Retry())
    breaker.record_failure(Reply(verdict=Verdict.UNREACHABLE), started=0.0, now=0.0)
    assert breaker.reason == "unreachable"


@given(
    script=st.lists(
        st.tuples(st.sampled_from(list(Verdict)), st.floats(0, 3), st.none() | st.floats(0, 20)),
        min_size=1,
        max_size=40,
    ),
    in_flight=st.integers(1, 6),
    jitter=st.floats(0, 1),
)
def test_holds_are_kept_and_probes_are_alone_for_any_replies(
    script: list[tuple[Verdict, float, float | None]], in_flight: int, jitter: float
) -> None:
    async def main() -> None:
        limiter = limiter_of(
            Limits(in_flight=in_flight), Retry(give_up_after=1e9), random=lambda: jitter
        )
        order: list[int] = []
        retry_after_until = 0.0
        half_open = False

        async def make_call(number: int, reply: Reply, seconds: float) -> None:
            nonlocal retry_after_until, half_open
            permit = await limiter.acquire()
            assert permit is not None
            started = permit.started
            assert started >= retry_after_until - ROUNDING_ERROR
            assert 1 <= limiter.in_flight <= (1 if half_open else in_flight)
            order.append(number)
            await asyncio.sleep(seconds)
            limiter.release(permit, reply, cost=1)
            if reply.verdict in (Verdict.THROTTLED, Verdict.UNREACHABLE):
                half_open = True
                retry_after_until = max(
                    retry_after_until, limiter.clock.monotonic() + (reply.retry_after or 0)
                )
            elif reply.verdict in (Verdict.ACCEPTED, Verdict.REFUSED):
                half_open = half_open and limiter._breaker.half_open

        async with asyncio.TaskGroup() as tasks:
            for number, (verdict, seconds, retry_after) in enumerate(script):
                reply = Reply(verdict=verdict, retry_after=retry_after)
                tasks.create_task(make_call(number, reply, seconds))
        assert order == list(range(len(script)))
        assert limiter.in_flight == 0

    run_simulated(main())


@pytest.mark.parametrize(
    ("retry_after", "deadline_monotonic", "reason"),
    [
        (900.0, None, None),
        (901.0, None, "Zoho asks to wait 901 seconds: too many calls."),
        (86_400.0, None, "Zoho asks to wait 86,400 seconds: too many calls."),
        (86_400.0, 50.0, "Zoho asks to wait 86,400 seconds: too many calls."),
        (38.0, 50.0, None),
        (39.0, 50.0, "Waiting would go past the end of this run: too many calls."),
    ],
)
def test_the_breaker_gives_up_on_a_wait_beyond_give_up_after_or_the_deadline(
    retry_after: float, deadline_monotonic: float | None, reason: str | None
) -> None:
    breaker = breaker_of(Retry(give_up_after=900.0))
    assert breaker.give_up_reason(11.0, deadline_monotonic=deadline_monotonic) is None
    reply = Reply(verdict=Verdict.THROTTLED, message="too many calls.", retry_after=retry_after)
    assert breaker.record_failure(reply, started=10.0, now=11.0)
    assert breaker.give_up_reason(11.0, deadline_monotonic=deadline_monotonic) == reason


@given(
    verdict=st.sampled_from([Verdict.THROTTLED, Verdict.UNREACHABLE]),
    give_up_after=st.floats(60, 2000),
    jitter=st.floats(0.2, 1),
    seconds=st.floats(0, 1),
)
def test_without_a_good_answer_waiting_ends_by_give_up_after_with_few_calls(
    verdict: Verdict, give_up_after: float, jitter: float, seconds: float
) -> None:
    async def main() -> tuple[float, int]:
        limiter = limiter_of(
            Limits(in_flight=3), Retry(give_up_after=give_up_after), random=lambda: jitter
        )
        reply = Reply(verdict=verdict, message="no connection")
        log = CallLog()
        while not log.stops:
            await call(limiter, log, 0, reply, seconds)
        reason = log.stops[0][1]
        assert reason.startswith("Stopped: No good answer came for ")
        assert reason.endswith(" seconds: no connection.")
        return limiter.clock.monotonic(), len(log.starts)

    end_seconds, calls = run_simulated(main())
    # The next hold, at most longest_wait of 60 seconds, and one call would have passed the limit.
    assert (
        give_up_after - 60 - 1 - ROUNDING_ERROR
        <= end_seconds - seconds
        <= give_up_after + 1 + ROUNDING_ERROR
    )
    assert calls <= 12 + give_up_after / (60 * jitter)


def test_a_good_answer_restarts_give_up_after() -> None:
    breaker = breaker_of(Retry(first_wait=1.0, longest_wait=1.0, give_up_after=10.0))
    for now in range(9):
        breaker.record_failure(UNREACHABLE, started=now, now=now)
        assert breaker.give_up_reason(now, deadline_monotonic=None) is None
    assert breaker.record_success(started=9.0)
    for now in range(9, 19):
        breaker.record_failure(UNREACHABLE, started=now, now=now)
        assert breaker.give_up_reason(now, deadline_monotonic=None) is None
    breaker.record_failure(UNREACHABLE, started=19.0, now=19.0)
    assert (
        breaker.give_up_reason(19.0, deadline_monotonic=None)
        == "No good answer came for 10 seconds: no connection."
    )
