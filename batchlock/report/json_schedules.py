"""The object that `batchlock schedules … --json` prints for a schedule."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict

from batchlock.core.schedules import StoredSchedule


class ScheduleJson(TypedDict):
    """A schedule. Times are ISO 8601, those of `next` in its time zone, the others in UTC."""

    id: str
    org: str
    cron: str
    time_zone: str
    source: str
    options: dict[str, Any]
    misfire: str
    paused_by: str | None
    added_by: str
    next: list[str]
    last_due: str | None
    last_result: str


def schedule_json(schedule: StoredSchedule, times: Sequence[datetime]) -> ScheduleJson:
    """Return a schedule with its next times as JSON."""
    return ScheduleJson(
        id=schedule.schedule_id,
        org=schedule.org,
        cron=schedule.cron,
        time_zone=schedule.time_zone,
        source=schedule.source,
        options=dict(schedule.options),
        misfire=schedule.misfire.value,
        paused_by=schedule.paused_by,
        added_by=schedule.added_by,
        next=[time.isoformat() for time in times],
        last_due=None if schedule.last_due is None else schedule.last_due.isoformat(),
        last_result=schedule.last_result,
    )
