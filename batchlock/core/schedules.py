"""A schedule: at which times something of an org is taken, and what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Misfire(StrEnum):
    """What becomes of times at which no worker could fire, or the schedule was paused."""

    ONCE = "once"
    """All of them together are caught up once."""
    SKIP = "skip"
    """They are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSchedule:
    """A schedule of an org, as the store has it."""

    schedule_id: str
    org: str
    cron: str
    """Five fields, or six with the seconds first."""
    time_zone: str
    """A name of the IANA database, such as `Europe/Berlin`."""
    source: str
    """What is taken: a pattern of files, a folder or a report of locks, as a person wrote it."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """How files are read, by the names of `batchlock.fleet.sources.SOURCE_OPTIONS`."""
    misfire: Misfire = Misfire.ONCE
    next_at: datetime | None = None
    """When it is due next, UTC; None: never again."""
    paused_by: str | None = None
    """None: it is not paused."""
    added_by: str = ""
    added_at: datetime | None = None
    last_due: datetime | None = None
    """The due time that was fired last, UTC."""
    last_result: str = ""
    """What that has led to, in sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """The right of one worker to fire one due time of a schedule."""

    schedule: StoredSchedule
    due: datetime
    claim: int
    """The number of the claim. A later claim has a higher one, and ends this one."""
    claimed_at: datetime
    """By the clock of the database."""
    was_begun: bool = False
    """Whether an earlier worker had begun this due time and was killed."""


class FiringLost(Exception):
    """Another worker fires the due time now, or the schedule was removed."""
