import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pacing import (
    ROUNDING_ERROR,
    most_starts_in_a_second,
)

from batchlock.send.pacing.rate import Rate


@given(
    per_second=st.floats(min_value=0.2, max_value=200),
    gaps=st.lists(st.floats(min_value=0, max_value=3), min_size=1, max_size=60),
)
def test_no_second_has_more_starts_than_the_rate_allows(
    per_second: float, gaps: list[float]
) -> None:
    rate, now = Rate(per_second), 0.0
    starts = []
    for gap in gaps:
        now += gap
        now += rate.wait(now)
        rate.start(now)
        starts.append(now)
    assert most_starts_in_a_second(starts) <= math.ceil(per_second)
    # Any span of time has at most the starts that the rate allows, and the one that begins it.
    for number in range(2, len(starts)):
        for first, last in zip(starts, starts[number:], strict=False):
            assert last - first >= number / per_second - ROUNDING_ERROR
    assert all(
        later - earlier >= 1 / per_second - ROUNDING_ERROR for earlier, later in pairwise(starts)
    )


@given(per_second=st.floats(min_value=0.2, max_value=200), moments=st.lists(st.floats(0, 100)))
def test_no_call_waits_for_the_rate_longer_than_one_interval(
    per_second: float, moments: list[float]
) -> None:
    rate = Rate(per_second)
    for now in sorted(moments):
        wait = rate.wait(now)
        assert 0 <= wait <= 1 / per_second + ROUNDING_ERROR
        if wait == 0:
            rate.start(now)


def test_without_a_rate_no_call_waits() -> None:
    rate = Rate(None)
    rate.start(7.0)
    assert rate.wait(7.0) == 0


def test_a_pause_is_not_followed_by_a_burst() -> None:
    rate = Rate(10)
    rate.start(0.0)
    assert rate.wait(60.0) == 0
    rate.start(60.0)
    assert rate.wait(60.0) == pytest.approx(0.1)
