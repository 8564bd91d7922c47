"""The search for locked records: its pages, how far it has come, and what is kept of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, Self

from batchlock.core.rows import RecordId
from batchlock.core.words import counted

FIND_KIND = "locks"
"""The kind of a run that finds locked records (`RunInfo.kind`)."""


class Way(StrEnum):
    """How the locked records of a module are found."""

    COQL = "coql"
    """A query for records whose field `Locked__s` is true."""
    VIEW = "view"
    """The stock view of locked records, or the view that the user named."""
    RECORDS = "records"
    """A list of all records, of which those stay whose field `Locked__s` is true."""
    FILE = "file"
    """A file that the user named."""


WAY_NAMES: Mapping[Way | None, str] = {
    Way.COQL: "a query (COQL)",
    Way.VIEW: "a view of locked records",
    Way.RECORDS: "a list of all records",
    Way.FILE: "a file",
    None: "",
}


@dataclass(frozen=True, slots=True)
class RecordPage:
    """One page of a search."""

    record_ids: tuple[RecordId, ...]
    """The locked records of the page."""
    cursor: str | None
    """What the next call continues from; None after the last page."""


@dataclass(frozen=True, slots=True)
class View:
    """A custom view of a module."""

    view_id: str
    name: str
    """In the language of the user."""
    system_name: str
    """Zoho's own name; empty for a view that a person made."""

    @property
    def is_of_locked_records(self) -> bool:
        """Whether it is the stock view of locked records.

        Zoho does not document its system name, so any name with LOCKED in it counts.
        """
        name = self.system_name.upper()
        return "LOCKED" in name and "UNLOCKED" not in name


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How far the search in one module has come."""

    module: str
    way: Way | None = None
    """None before it is known which way Zoho accepts."""
    view_id: str | None = None
    """The view of Way.VIEW."""
    cursor: str | None = None
    """What the next page continues from; None: the first page is next."""
    records: int = 0
    """Records found so far."""
    is_complete: bool = False
    refusal: str = ""
    """Why no way was accepted; empty unless the search has failed."""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the search that a journal holds. Raises TypeError for an unknown field."""
        way = values["way"]
        return cls(**{**values, "way": None if way is None else Way(way)})


class FoundLock(NamedTuple):
    """A locked record, as the cells of its line; None is blank."""

    module: str
    record_id: str
    lock_id: str | None = None
    """None before the lock was looked at, and when the record is not locked any more."""
    reason: str | None = None
    record_name: str | None = None
    source: str | None = None
    locked_by: str | None = None
    locked_by_id: str | None = None
    locked_at: str | None = None
    """ISO 8601, UTC."""
    rule: str | None = None
    """The id of the rule that holds the lock, alone or together with a person."""

    @property
    def is_automatic(self) -> bool:
        """Whether only a rule holds the lock: its reason cannot be changed by hand."""
        return self.source == "Automatic"


LOCK_TITLES = (
    "Module",
    "Record Id",
    "Lock Id",
    "Reason",
    "Record name",
    "Source",
    "Locked by",
    "Locked by id",
    "Locked at",
    "Rule id",
)
"""The titles of the cells of FoundLock. The first four are those that `batchlock run` reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFilter:
    """Which of the locks are reported. An empty value lets every lock pass."""

    locked_by: str = ""
    """The name or the id of a user, in any case."""
    since: datetime | None = None
    """With a time zone."""
    until: datetime | None = None
    """With a time zone; a lock of this moment passes."""
    reason_contains: str = ""
    """A part of the reason, in any case."""
    sources: tuple[str, ...] = ()
    """`manual`, `automatic` and `both`, as far as they pass."""

    def passes(self, lock: FoundLock) -> bool:
        """Return whether a lock is reported. What Zoho does not say does not pass."""
        people = (lock.locked_by or "", lock.locked_by_id or "")
        if self.locked_by and self.locked_by.casefold() not in map(str.casefold, people):
            return False
        if self.sources and (lock.source or "").casefold() not in self.sources:
            return False
        if self.reason_contains.casefold() not in (lock.reason or "").casefold():
            return False
        if self.since is None and self.until is None:
            return True
        if lock.locked_at is None:
            return False
        at = datetime.fromisoformat(lock.locked_at)
        return (self.since is None or at >= self.since) and (self.until is None or at <= self.until)

    def to_json(self) -> dict[str, Any]:
        """Return the filter as the journal stores it."""
        return {**asdict(self), "since": _iso(self.since), "until": _iso(self.until)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the filter that a journal holds. Raises KeyError or TypeError for a wrong one."""
        moments = {
            name: None if values[name] is None else datetime.fromisoformat(values[name])
            for name in ("since", "until")
        }
        return cls(**{**values, **moments, "sources": tuple(values["sources"])})

    @property
    def words(self) -> dict[str, str]:
        """The filter in words, by the name of each part; empty when every lock passes."""
        parts = {
            "locked by": self.locked_by,
            "locked since": _iso(self.since) or "",
            "locked until": _iso(self.until) or "",
            "reason contains": self.reason_contains,
            "source": ", ".join(self.sources),
        }
        return {name: text for name, text in parts.items() if text}


@dataclass(frozen=True, slots=True, kw_only=True)
class FindPlan:
    """What a run of kind FIND_KIND searches, and what it reports."""

    searches: Sequence[Search] = ()
    lock_filter: LockFilter = LockFilter()
    view: str | None = None
    """The name of the one view that is searched; None: every way."""
    file: str | None = None
    """The path of the file that the records come from, the first if there are several."""

    def to_json(self) -> dict[str, Any]:
        """Return the plan as the journal stores it."""
        return {
            "searches": [asdict(search) for search in self.searches],
            "filter": self.lock_filter.to_json(),
            "view": self.view,
            "file": self.file,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the plan that a journal holds. Raises KeyError or TypeError for a wrong one."""
        return cls(
            searches=tuple(map(Search.from_json, values["searches"])),
            lock_filter=LockFilter.from_json(values["filter"]),
            view=values["view"],
            file=values["file"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FindRequest:
    """What a person asks for: the locks of some modules, or of the records in some files."""

    modules: tuple[str, ...] = ()
    """In any spelling; empty with `files`: those that the files name."""
    all_modules: bool = False
    """Whether every module of the org is meant that can be locked; `modules` is empty then."""
    files: tuple[Path, ...] = ()
    view: str | None = None
    lock_filter: LockFilter = LockFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleLocks:
    """What was found in one module."""

    module: str
    way: Way | None
    """None when the search has not begun, or failed."""
    records: int = 0
    """Records that the search has found."""
    locked: int = 0
    """Locks that are reported, automatic ones included."""
    automatic: int = 0
    filtered: int = 0
    """Locks that the filter leaves out."""
    not_locked: int = 0
    """Records that were not locked any more when they were looked at."""
    not_looked_at: int = 0
    """Records whose lock is not known, because Zoho gave no answer or the run has ended."""
    is_complete: bool = False


def locks_in_words(modules: Sequence[ModuleLocks]) -> str:
    """Return what was found in some modules, in a sentence."""
    locked = sum(each.locked for each in modules)
    automatic = sum(each.automatic for each in modules)
    parts = [counted(locked, "locked record")]
    if automatic:
        parts.append(f"{automatic:,} of them locked by a rule alone")
    for count, text in (
        (sum(each.filtered for each in modules), "left out by the filter"),
        (sum(each.not_locked for each in modules), "not locked any more"),
        (sum(each.not_looked_at for each in modules), "not looked at"),
    ):
        if count:
            parts.append(f"{count:,} {text}")
    unsearched = [each.module for each in modules if not each.is_complete]
    if unsearched:
        parts.append(f"not searched to the end: {', '.join(unsearched)}")
    parts[0] += f" in {counted(len(modules), 'module')}"
    return f"{', '.join(parts)}."


def utc_text(moment: datetime | None) -> str | None:
    """Return a moment as the cells of a lock have it: `2025-03-01T08:00:00Z`; None stays."""
    if moment is None:
        return None
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='seconds')}Z"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
