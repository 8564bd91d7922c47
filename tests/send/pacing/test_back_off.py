import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clocks import run_simulated
from support.pacing import (
    limiter_of,
)

from batchlock.send.pacing.limiter import Permit
from batchlock.send.pacing.settings import Limits, Retry


@given(
    failures=st.integers(1, 10**6),
    jitter=st.floats(0, 1),
    first_wait=st.floats(0.01, 10),
    longest_wait=st.floats(0.01, 100),
)
def test_a_back_off_is_never_longer_than_its_bound(
    failures: int, jitter: float, first_wait: float, longest_wait: float
) -> None:
    retry = Retry(first_wait=first_wait, longest_wait=longest_wait)
    assert 0 <= retry.back_off(failures, lambda: jitter) <= longest_wait
    assert retry.back_off(1, lambda: jitter) <= first_wait


def test_the_bound_of_the_back_off_doubles_up_to_the_longest_wait() -> None:
    retry = Retry(first_wait=0.5, longest_wait=5.0)
    assert [retry.back_off(failures, lambda: 1.0) for failures in (1, 2, 3, 4, 5, 6, 10**9)] == [
        0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0,
    ]  # fmt: skip


@pytest.mark.parametrize(("jitter", "wait"), [(0.0, 0.0), (0.25, 2.0), (1.0, 8.0)])
def test_the_back_off_has_full_jitter(jitter: float, wait: float) -> None:
    assert Retry(first_wait=8.0).back_off(1, lambda: jitter) == wait


def test_a_row_that_backs_off_does_not_block_other_calls() -> None:
    async def main() -> tuple[float, Permit | None]:
        limiter = limiter_of(Limits(in_flight=1), Retry(first_wait=9.0))
        back_off = asyncio.create_task(limiter.back_off(1))
        await asyncio.sleep(1)
        permit = await limiter.acquire()
        await back_off
        return limiter.clock.monotonic(), permit

    assert run_simulated(main()) == (9.0, (1.0, 1, 0))
