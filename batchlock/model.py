"""The values that travel between the parts. None of them does anything."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import NewType

RecordId = NewType("RecordId", str)
LockId = NewType("LockId", str)


@dataclass(frozen=True, slots=True)
class Unread:
    """A cell with no value to read: an Excel error, or a formula with no stored value."""

    shown: str
    """What a person sees in its place: `#N/A`, or the formula itself."""


Cell = str | int | float | bool | datetime | date | time | timedelta | Unread | None
"""A cell with the type it had in the file; None is a blank one."""


class Field(StrEnum):
    """What batchlock reads from a row."""

    MODULE = "module"
    RECORD_ID = "record_id"
    LOCK_ID = "lock_id"
    REASON = "reason"


MODULES = (
    "Leads",
    "Accounts",
    "Contacts",
    "Deals",
    "Tasks",
    "Cases",
    "Solutions",
    "Vendors",
    "Price_Books",
    "Quotes",
    "Sales_Orders",
    "Purchase_Orders",
    "Invoices",
)
"""The modules whose records can be locked, beside custom ones, by the name that URLs have."""


LONGEST_REASON = 3_000
"""Characters; Zoho takes no more."""


class Status(StrEnum):
    """What a row is in the journal."""

    PENDING = "pending"
    SENDING = "sending"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"
    FAILED = "failed"
    INVALID = "invalid"
    DUPLICATE = "duplicate"


class Result(StrEnum):
    """What the results say of a row."""

    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"
    FAILED = "failed"
    INVALID = "invalid"
    DUPLICATE = "duplicate"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, status: Status) -> "Result":
        """Return how the results name a row that the journal has left at `status`."""
        match status:
            case Status.PENDING:
                return cls.NOT_SENT
            case Status.SENDING:
                return cls.UNKNOWN
            case _:
                return cls(status.value)


SETTLED = frozenset({Status.UPDATED, Status.UNCHANGED})
"""A row of these is as the file asks."""

RESULT_TITLES = (
    "Result",
    "HTTP status",
    "Code",
    "Message",
    "What to do",
    "Attempts",
    "Finished at",
    "Duration ms",
    "Source row",
    "Row check",
)
"""The columns that the results add to the input's own; by them a results file is known again."""


class Verdict(StrEnum):
    """What a reply means, and so what happens next."""

    ACCEPTED = "accepted"
    """Zoho did it."""
    REFUSED = "refused"
    """Zoho will not do it for this row, however often it is asked."""
    THROTTLED = "throttled"
    """Too many calls: everyone waits, bounded by time."""
    UNREACHABLE = "unreachable"
    """No connection, so nothing was sent: everyone waits, one probes, bounded by time."""
    BROKEN = "broken"
    """Zoho failed (5xx): this row again, bounded by attempts."""
    LOST = "lost"
    """Sent, but no usable answer came back: this row again, bounded by attempts."""
    EXPIRED = "expired"
    """The token was not taken; a new one is ready: this row again, once."""
    DENIED = "denied"
    """The sign-in or its scopes, so true for every row: the run ends, a person must act."""
    UNSUPPORTED = "unsupported"
    """The edition of this org, so true for every row: the run ends."""


@dataclass(frozen=True, slots=True)
class Update:
    """The change that one row asks for, in its final form: nothing reinterprets it."""

    row: int
    """The row's number as the spreadsheet shows it; the header is a row too."""
    module: str
    record_id: RecordId
    lock_id: LockId | None
    """None: it is looked up before the update is sent."""
    reason: str

    @property
    def check(self) -> str:
        """A short hash of what is asked, for recognising the row when it is given back."""
        return check_of(self.module, self.record_id, self.lock_id, self.reason)


def check_of(module: str, record_id: str, lock_id: str | None, reason: str) -> str:
    """Return `Update.check` of what is asked."""
    asked = f"{module}\x1f{record_id}\x1f{lock_id or ''}\x1f{reason}"
    return hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row cannot be sent: found before anything is."""

    row: int
    column: str
    """The column's title in the file."""
    code: str
    message: str
    """What is wrong, the cell's own content, what to do."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A record's lock, as Zoho shows it."""

    lock_id: LockId
    reason: str | None
    """None for an automatic lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of Zoho, or the lack of one, already judged."""

    verdict: Verdict
    http_status: int | None = None
    code: str = ""
    message: str = ""
    remedy: str = ""
    """What a person can do about it; empty when there is nothing to do."""
    retry_after: float | None = None
    """Seconds that Zoho asks everyone to wait."""
    credits_remaining: int | None = None
    lock: Lock | None = None
    """The lock that a look-up found; None also when the record has none."""

    @property
    def told(self) -> str:
        """Message and remedy, in sentences."""
        return _sentences(self.message, self.remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a row that was sent."""

    row: int
    status: Status
    http_status: int | None = None
    code: str = ""
    message: str = ""
    remedy: str = ""
    attempts: int = 0
    """Calls made for this row, look-ups included."""
    finished_at: datetime | None = None
    """UTC."""
    duration: float | None = None
    """Seconds from the first call for this row to its end, waiting included."""

    @property
    def told(self) -> str:
        """Message and remedy, in sentences."""
        return _sentences(self.message, self.remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of the results."""

    row: int
    cells: tuple[Cell, ...]
    """The input's own cells, one for each of its titles."""
    result: Result
    http_status: int | None = None
    code: str = ""
    message: str = ""
    remedy: str = ""
    attempts: int = 0
    finished_at: datetime | None = None
    duration: float | None = None
    check: str = ""
    """`Update.check`; empty for a row that holds no valid update."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Rows that ended the same way for the same reason."""

    result: Result
    code: str
    message: str
    """The first such row's message."""
    remedy: str
    rows: int
    ranges: str
    """Which rows, in words: `2-5, 9 and 310 more`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What became of a whole run."""

    run_id: str
    file: str
    sheet: str | None
    sha256: str
    version: str
    settings: Mapping[str, str]
    """What the run was told, in words, by name; no secrets."""
    rows: int
    settled: int
    """Rows that are now as the file asks, duplicates of such rows included."""
    counts: Mapping[Result, int]
    """Every result, zeros too; they add up to `rows`."""
    causes: tuple[Cause, ...]
    started_at: datetime
    finished_at: datetime
    seconds: float
    """Spent sending, over all the times the run was resumed."""
    requests: int = 0
    credits_used: int = 0
    in_flight_peak: int = 0
    ended_by: str = ""
    """Why the run ended before its last row, in a sentence; empty when it did not."""
    ended_code: int = 0
    """The exit code that goes with `ended_by`."""
    resume: str | None = None
    """The command that goes on with what is left."""

    @property
    def exit_code(self) -> int:
        """The exit code of the command that produced this."""
        if self.ended_code:
            return self.ended_code
        return 0 if self.settled == self.rows else 3

    @property
    def sentence(self) -> str:
        """What happened, in words."""
        parts = [
            f"{count:,} {result.value.replace('_', ' ')}"
            for result, count in self.counts.items()
            if count
        ]
        told = f"{self.rows:,} row{'' if self.rows == 1 else 's'}"
        told = f"{told}: {', '.join(parts)}." if parts else "The file has a header and no rows."
        return f"{told} {self.ended_by}".rstrip()


def _sentences(*parts: str) -> str:
    return " ".join(f"{part.rstrip('.')}." for part in parts if part)
