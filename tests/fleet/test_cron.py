"""The times of a schedule, also where the clocks change."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from batchlock.core.errors import UsageError
from batchlock.fleet import cron
from batchlock.fleet.cron import check_times, next_time, next_times, system_time_zone

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def texts(expression: str, zone: str, after: datetime, count: int = 3) -> list[str]:
    return [time.isoformat() for time in next_times(expression, zone, after, count)]


def test_the_times_are_those_of_the_time_zone() -> None:
    assert texts("30 22 * * 1-5", "Europe/Berlin", NOW) == [
        "2026-03-02T22:30:00+01:00",
        "2026-03-03T22:30:00+01:00",
        "2026-03-04T22:30:00+01:00",
    ]
    assert next_time("*/20 * * * * *", "UTC", NOW) == NOW.replace(second=20)


@pytest.mark.parametrize(
    ("zone", "eve", "times"),
    [
        (
            "Europe/Berlin",
            datetime(2026, 3, 28, 12, tzinfo=UTC),
            ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"],
        ),
        (
            "America/New_York",
            datetime(2026, 3, 7, 18, tzinfo=UTC),
            ["2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"],
        ),
    ],
)
def test_a_time_that_does_not_exist_comes_once(zone: str, eve: datetime, times: list[str]) -> None:
    assert texts("30 2 * * *", zone, eve, 2) == times
    # From one to the next, as the schedule goes on after each firing.
    first = next_time("30 2 * * *", zone, eve)
    assert first is not None
    assert texts("30 2 * * *", zone, first, 1) == times[1:]


@pytest.mark.parametrize(
    ("zone", "eve", "times"),
    [
        (
            "Europe/Berlin",
            datetime(2026, 10, 24, 12, tzinfo=UTC),
            ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"],
        ),
        (
            "America/New_York",
            datetime(2026, 10, 31, 18, tzinfo=UTC),
            ["2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"],
        ),
    ],
)
def test_a_time_that_exists_twice_comes_once(zone: str, eve: datetime, times: list[str]) -> None:
    expression = "30 2 * * *" if zone == "Europe/Berlin" else "30 1 * * *"
    assert texts(expression, zone, eve, 2) == times
    # From any moment after it, also from the second pass of the hour.
    for after in (times[0], times[0].replace(":30:00", ":59:00")):
        moment = datetime.fromisoformat(after)
        assert texts(expression, zone, moment, 1) == times[1:]
    second_pass = datetime.fromisoformat(times[0]).astimezone(UTC).replace(minute=10)
    second_pass = second_pass.replace(hour=second_pass.hour + 1)
    assert texts(expression, zone, second_pass, 1) == times[1:]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("61 * * * *", "the minute is wrong"),
        ("* * * * MOO", "the day-of-week is wrong"),
        ("* * *", "it does not have five fields"),
        ("0 0 30 2 *", "the day-of-month is wrong"),
        ("", "it does not have five fields"),
    ],
)
def test_a_wrong_expression_is_refused(expression: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_times(expression, "UTC", NOW)


def test_an_expression_that_never_comes_is_refused() -> None:
    with pytest.raises(UsageError, match="names no time that ever comes"):
        check_times("0 0 */31 2 1#5", "UTC", NOW)


@pytest.mark.parametrize("zone", ["Europe/Berlinn", "Europe", "../etc/passwd", "", "/etc/hosts"])
def test_an_unknown_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(UsageError, match="There is no time zone"):
        check_times("* * * * *", zone, NOW)


def test_the_time_zone_of_the_system_has_a_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TZ", ":Asia/Tokyo")
    assert system_time_zone() == "Asia/Tokyo"
    monkeypatch.delenv("TZ")
    link = tmp_path / "localtime"
    link.symlink_to("/usr/share/zoneinfo/America/New_York")
    monkeypatch.setattr(cron, "_LOCAL_ZONE", link)
    assert system_time_zone() in ("America/New_York", "UTC")
    monkeypatch.setattr(cron, "_LOCAL_ZONE", tmp_path / "none")
    assert system_time_zone() == "UTC"
