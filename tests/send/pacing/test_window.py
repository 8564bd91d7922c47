from datetime import datetime

import pytest
from support.clocks import START_UTC

from batchlock.send.pacing.settings import Limits
from batchlock.send.pacing.window import _FIRST_TTL, _LONGEST_TTL, Ceiling, Window


def window_of(limits: Limits | None = None, ceiling: Ceiling | None = None) -> Window:
    return Window(limits or Limits(), ceiling, now=START_UTC)


def fill(window: Window, times: int, *, full: bool = True, now: datetime = START_UTC) -> None:
    for _ in range(times):
        window.record_success(full=full, now=now)


def test_the_window_grows_by_one_for_each_full_window_of_good_answers() -> None:
    window = window_of()
    for size in range(5, 25):
        assert window.size == size
        fill(window, size - 1)
        assert window.size == size
        assert window.record_success(full=True, now=START_UTC)
    assert window.size == 25


def test_the_window_never_grows_above_max_in_flight() -> None:
    window = window_of(Limits(max_in_flight=7))
    fill(window, 1000)
    assert window.size == 7


def test_good_answers_do_not_count_while_the_window_is_not_full() -> None:
    window = window_of()
    fill(window, 1000, full=False)
    assert window.size == 5


def throttle(window: Window, concurrency: int, *, now: datetime = START_UTC) -> None:
    """Record an episode: a 429, and a good answer to the first probe."""
    window.record_throttled(concurrency=concurrency, first=True)
    window.record_recovery(first_probe_ok=True, now=now)


def test_a_429_halves_the_window() -> None:
    window = window_of()
    fill(window, 1000)
    sizes = []
    for _ in range(5):
        throttle(window, window.size)
        sizes.append(window.size)
    assert sizes == [12, 6, 3, 1, 1]


def test_two_episodes_with_good_probes_at_one_concurrency_record_a_ceiling() -> None:
    window = window_of()
    for _ in range(2):
        fill(window, 5 + 6 + 7 + 8 + 9 + 10)
        assert (window.size, window.ceiling) == (11, None)
        throttle(window, 11)
        assert window.size == 5
    assert window.ceiling == Ceiling(11, START_UTC)
    fill(window, 1000)
    assert window.size == 10


def test_a_429_whose_probe_is_refused_too_records_no_ceiling() -> None:
    window = window_of()
    window.record_throttled(concurrency=11, first=True)
    window.record_throttled(concurrency=1, first=False)
    window.record_recovery(first_probe_ok=False, now=START_UTC)
    assert window.ceiling is None
    window.record_recovery(first_probe_ok=True, now=START_UTC)  # of a later episode
    assert window.ceiling is None
    fill(window, 1000)
    assert window.size == 25


def test_a_429_to_a_single_call_records_no_ceiling() -> None:
    window = window_of()
    window.record_throttled(concurrency=1, first=True)
    window.record_recovery(first_probe_ok=True, now=START_UTC)
    assert window.ceiling is None


def test_a_ceiling_expires_after_a_time_that_doubles_with_each_confirmation() -> None:
    window, now, ttl = window_of(ceiling=Ceiling(8, START_UTC)), START_UTC, _FIRST_TTL
    for _ in range(8):
        fill(window, 1000, now=now + 0.9 * ttl)
        assert window.size == 7
        now += 1.1 * ttl
        fill(window, 7, now=now)
        assert window.size == 8  # one more, and not all at once
        throttle(window, 8, now=now)
        ttl = min(2 * ttl, _LONGEST_TTL)
    fill(window, 1000, now=now + 1.1 * ttl)
    assert (window.size, window.ceiling) == (25, None)


@pytest.mark.parametrize(
    ("refused", "age", "start"),
    [(11, 0.5, 5), (4, 0.5, 3), (2, 0.5, 1), (4, 1.1, 5), (4, -1, 5)],
)
def test_the_ceiling_of_an_earlier_run_limits_the_first_window(
    refused: int, age: float, start: int
) -> None:
    ceiling = Ceiling(refused, START_UTC - age * _FIRST_TTL)
    assert window_of(ceiling=ceiling).size == start


@pytest.mark.parametrize(("good", "start"), [(0, 5), (3, 5), (18, 18), (40, 25)])
def test_the_highest_good_concurrency_of_an_earlier_run_is_the_first_window(
    good: int, start: int
) -> None:
    window = Window(Limits(), None, now=START_UTC, known_good=good)
    assert (window.size, window.highest_ok) == (start, 0)
    assert Window(Limits(), Ceiling(9, START_UTC), now=START_UTC, known_good=good).size <= 8


@pytest.mark.parametrize(
    ("limits", "cap", "size"),
    [
        (Limits(), 20, 20),
        (Limits(), 5, 5),
        (Limits(max_in_flight=12), 20, 12),
        (Limits(in_flight=25), 20, 25),  # a number of the user's own
        (Limits(in_flight=3), 20, 3),
    ],
)
def test_the_window_begins_at_the_cap_of_the_edition_and_stays_below_it(
    limits: Limits, cap: int, size: int
) -> None:
    window = window_of(limits)
    window.begin_at_cap(cap, now=START_UTC)
    assert window.size == size
    fill(window, 1000)
    assert window.size == size


def test_a_ceiling_of_an_earlier_run_is_respected_below_the_cap_of_the_edition() -> None:
    window = window_of(ceiling=Ceiling(11, START_UTC))
    window.begin_at_cap(20, now=START_UTC)
    assert window.size == 10
    fill(window, 1000, now=START_UTC + 1.1 * _FIRST_TTL)
    assert (window.size, window.ceiling) == (20, None)


def test_a_fixed_window_never_changes() -> None:
    window = window_of(Limits(in_flight=12), Ceiling(4, START_UTC))
    window.record_throttled(concurrency=12, first=True)
    window.record_recovery(first_probe_ok=True, now=START_UTC)
    fill(window, 1000)
    assert window.size == 12
    assert window.ceiling == Ceiling(4, START_UTC)


def test_single_429s_at_different_concurrencies_record_no_ceiling() -> None:
    window = window_of()
    for concurrency in range(8, 25, 4):
        while window.size < concurrency:
            fill(window, window.size)
        throttle(window, concurrency)
        assert window.size == concurrency // 2
    fill(window, 1000)
    assert (window.size, window.ceiling) == (25, None)


def test_a_limit_that_has_fallen_is_recorded_after_a_few_429s() -> None:
    window = window_of()
    fill(window, 1000)
    for _ in range(6):
        throttle(window, 25)
    for _ in range(100):
        if window.size > 6:
            throttle(window, 7)
        window.record_success(full=True, now=START_UTC)
    assert window.ceiling == Ceiling(7, START_UTC)
    assert window.size == 6
