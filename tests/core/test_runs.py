import re
from datetime import UTC, datetime, timedelta, timezone

from support.run_info import figures_of, run_info, run_record

from batchlock.core.runs import RunState, Totals, new_run_id, superseded_by
from batchlock.core.stop import StopCode

NOW = datetime(2026, 3, 14, 2, 3, 4, tzinfo=UTC)


def test_a_run_id_is_the_utc_time_and_random_digits() -> None:
    alaska = NOW.astimezone(timezone(timedelta(hours=-9)))
    assert re.fullmatch(r"20260314-020304-[0-9a-f]{4}", new_run_id(alaska))
    assert len({new_run_id(NOW) for _ in range(50)}) > 1
    assert new_run_id(NOW) < new_run_id(NOW + timedelta(milliseconds=4))
    assert new_run_id(NOW + timedelta(milliseconds=999)) < new_run_id(NOW + timedelta(seconds=1))


def test_costs_add_up_and_the_highest_peak_counts() -> None:
    first = Totals(requests=3, credits_used=2, in_flight_peak=7, seconds=1.5)
    second = Totals(requests=1, credits_used=1, in_flight_peak=4, seconds=0.25)
    expected = Totals(requests=4, credits_used=3, in_flight_peak=7, seconds=1.75)
    assert first + second == second + first == expected


def test_rows_in_doubt_are_rows_that_remain() -> None:
    figures = figures_of(updated=5, left=2, in_doubt=1)
    assert (figures.rows, figures.remaining) == (8, 3)


def test_a_run_is_alive_while_its_process_writes_heartbeats() -> None:
    now = datetime.now(UTC)
    assert run_record(state=RunState.RUNNING, heartbeat_at=now).is_alive
    assert not run_record(state=RunState.RUNNING, heartbeat_at=now - timedelta(days=1)).is_alive
    # The clock was put back since the heartbeat.
    assert not run_record(state=RunState.RUNNING, heartbeat_at=now + timedelta(hours=1)).is_alive
    assert not run_record(state=RunState.RUNNING).is_alive
    assert not run_record(state=RunState.STOPPED, heartbeat_at=now).is_alive


def test_the_run_that_takes_the_place_of_others_is_named() -> None:
    new = superseded_by(run_info(run_id="20260315-020304-aaaa"))
    assert new.sentence == "A new run of the file was started: 20260315-020304-aaaa."
    retry = superseded_by(run_info(run_id="20260315-020304-aaaa", retry_of="20260314"))
    assert retry.sentence == "The remaining rows were moved to run 20260315-020304-aaaa."
    assert {new.code, retry.code} == {StopCode.SUPERSEDED}
