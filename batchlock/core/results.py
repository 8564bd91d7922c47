"""What became of a row, and of a whole run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from batchlock.core.reply import sentences
from batchlock.core.rows import Cell


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
        return sentences(self.message, self.remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
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
