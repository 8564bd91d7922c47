"""The times of a schedule: a cron expression in a time zone."""

import difflib
import os
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from batchlock.core.errors import UsageError

# The system's own zone is a link into its copy of the IANA database.
_LOCAL_ZONE = Path("/etc/localtime")
_ZONES_FOLDER = "zoneinfo"


def check_times(cron: str, time_zone: str, now: datetime) -> None:
    """Raise UsageError unless a cron expression and a time zone lead to times after `now`."""
    from cronsim import CronSimError

    zone = _zone(time_zone)
    try:
        first = next(_times(cron, zone, now), None)
    except CronSimError as error:
        raise UsageError(
            f'The cron expression "{cron}" does not fit: {_words(error)}. Write minute, hour, day, '
            'month and day of the week, such as "30 22 * * 1-5" for 22:30 from Monday to Friday.'
        ) from None
    if first is None:
        raise UsageError(
            f'The cron expression "{cron}" names no time that ever comes. Correct its day or month.'
        )


def next_times(cron: str, time_zone: str, after: datetime, count: int) -> list[datetime]:
    """Return the next times after a moment, in the time zone.

    A time that does not exist in the night of a change of the clocks comes right after the change.
    One that exists twice comes once. The arguments were checked by `check_times`.
    """
    return list(islice(_times(cron, _zone(time_zone), after), count))


def next_time(cron: str, time_zone: str, after: datetime) -> datetime | None:
    """Return the next time after a moment, UTC; None: there is none any more."""
    times = next_times(cron, time_zone, after, 1)
    return times[0].astimezone(UTC) if times else None


def system_time_zone() -> str:
    """Return the name of the time zone of this machine; UTC when it has none by name."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if not name:
        parts = _LOCAL_ZONE.resolve().parts
        if _ZONES_FOLDER in parts:
            name = "/".join(parts[parts.index(_ZONES_FOLDER) + 1 :])
    return name if name in zoneinfo.available_timezones() else "UTC"


def _times(cron: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    from cronsim import CronSim

    for time in CronSim(cron, after.astimezone(zone)):
        # From the second pass of an hour that exists twice, cronsim begins at the first one.
        if time > after:
            yield time


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    # The name of a folder of the database, or of a file outside of it.
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        nearest = difflib.get_close_matches(name, zoneinfo.available_timezones(), n=3, cutoff=0.0)
        raise UsageError(
            f'There is no time zone "{name}". Write it like Europe/Berlin; the nearest are '
            f"{', '.join(nearest)}."
        ) from None


def _words(error: Exception) -> str:
    """Return an error of cronsim as the end of a sentence."""
    text = str(error)
    if text.startswith("Bad "):
        return f"the {text.removeprefix('Bad ')} is wrong"
    return "it does not have five fields"
