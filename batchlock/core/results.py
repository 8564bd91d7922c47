"""The result of a row and of a whole run, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from batchlock.core.preview import Preview
from batchlock.core.records import ModuleLocks, locks_in_words
from batchlock.core.reply import Lock, sentences
from batchlock.core.rows import Action, Cell, LockId, Problem
from batchlock.core.words import counted


class Status(StrEnum):
    """The state of a row in the journal."""

    PENDING = "pending"
    SENDING = "sending"
    UPDATED = "updated"
    LOCKED = "locked"
    UNLOCKED = "unlocked"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"
    FAILED = "failed"
    INVALID = "invalid"
    DUPLICATE = "duplicate"


class Result(StrEnum):
    """The word for a row in the results."""

    UPDATED = "updated"
    LOCKED = "locked"
    UNLOCKED = "unlocked"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"
    FAILED = "failed"
    INVALID = "invalid"
    DUPLICATE = "duplicate"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, status: Status) -> "Result":
        """Return the result of a row whose last status in the journal is `status`."""
        match status:
            case Status.PENDING:
                return cls.NOT_SENT
            case Status.SENDING:
                return cls.UNKNOWN
            case _:
                return cls(status.value)

    @property
    def words(self) -> str:
        """The result as it stands in a sentence: `not sent`."""
        return self.value.replace("_", " ")


# A row with one of these is as the file asks: resume and retry leave it alone.
SETTLED = frozenset({Status.UPDATED, Status.LOCKED, Status.UNLOCKED, Status.UNCHANGED})

# The status of a row for which Zoho did what it asks for.
DONE = {
    Action.UPDATE: Status.UPDATED,
    Action.LOCK: Status.LOCKED,
    Action.UNLOCK: Status.UNLOCKED,
}

# The columns that batchlock adds to the columns of the input. A file that has all of them is
# recognised as a results file that is given to `run` again.
RESULT_TITLES = (
    "Result",
    "HTTP status",
    "Code",
    "Message",
    "Previous reason",
    "What to do",
    "Attempts",
    "Finished at",
    "Duration ms",
    "Source row",
    "Row check",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The final status of a row that was sent, with its details."""

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
    """Seconds from the first call for this row to its final status, waiting included."""
    about_setup: bool = False
    """Whether it is a refusal that speaks of the set-up of module, user or org."""
    previous_reason: str | None = None
    """What the lock said before the row was sent; None when Zoho was not asked."""
    lock_id: LockId | None = None
    """The lock that was changed, made or removed; None when it is not known."""
    seen_lock: Lock | None = None
    """The lock that a row of Action.FIND has found; None when the record is not locked."""

    @property
    def explanation(self) -> str:
        """Message and remedy as sentences."""
        return sentences(self.message, self.remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """One row of the results."""

    row: int
    cells: tuple[Cell, ...]
    """The cells of the input, one for each of its titles."""
    result: Result
    http_status: int | None = None
    code: str = ""
    message: str = ""
    previous_reason: str | None = None
    reason: str = ""
    """The reason that the row asks for; empty for an unlock and for a row without a valid update.
    """
    remedy: str = ""
    attempts: int = 0
    finished_at: datetime | None = None
    duration: float | None = None
    checksum: str = ""
    """`Update.checksum`; empty for a row without a valid update."""
    corrections: str = ""
    """Which of its cells were corrected on the page, one line for each; `cells` has the new ones.
    """


@dataclass(frozen=True, slots=True)
class Example:
    """A cell with a problem."""

    row: int
    column: str
    """The column's title in the file."""
    value: str | None
    """The cell's text; empty for a blank cell, None for a column without a title."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Rows that have the same result for the same reason."""

    result: Result
    code: str
    message: str
    """The message of the first of these rows."""
    remedy: str
    rows: int
    ranges: str
    """The row numbers as text: `2-5, 9 and 310 more rows`."""
    examples: tuple[Example, ...] = ()
    """Cells of some of these rows; only in a check."""

    @property
    def heading(self) -> str:
        """The result, the number of rows and the code: `rejected, 3 rows (INVALID_DATA)`."""
        return cause_heading(self.result, self.rows, self.code)

    @property
    def row_numbers(self) -> str:
        """The numbers of the rows with their noun: `rows 2-5`."""
        return f"{'row' if self.rows == 1 else 'rows'} {self.ranges}"


def cause_heading(result: Result, rows: int, code: str) -> str:
    """Return what stands above a cause: its result, how many rows have it, and its code."""
    suffix = f" ({code})" if code else ""
    return f"{result.words}, {counted(rows, 'row')}{suffix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What became of a whole run."""

    run_id: str
    file: str
    sheet: str | None
    sha256: str
    version: str
    settings: Mapping[str, str]
    """The settings that shape the run, as text by name; no secrets."""
    rows: int
    settled: int
    """Rows that are now as the file asks, duplicates of such rows included."""
    counts: Mapping[Result, int]
    """Every result, zeros too; they add up to `rows`."""
    causes: tuple[Cause, ...]
    started_at: datetime
    finished_at: datetime
    seconds: float
    """Time of sending, over all sessions of the run."""
    preview: Preview
    """What the run was to send."""
    requests: int = 0
    credits_used: int = 0
    in_flight_peak: int = 0
    ended_by: str = ""
    """Why the run ended before its last row, in a sentence; empty when it did not."""
    ended_code: int = 0
    """The exit code that goes with `ended_by`."""
    elsewhere: str = ""
    """Where the results are and why, in a sentence, when they are not where they should be."""
    resume: str | None = None
    """The command that sends the remaining rows; None when no row remains."""
    module_locks: tuple[ModuleLocks, ...] | None = None
    """What a run that finds locked records has found, by module; None for every other run."""

    @property
    def exit_code(self) -> int:
        """The exit code of the command that produced this summary."""
        if self.ended_code:
            return self.ended_code
        return 0 if self.settled == self.rows else 3

    @property
    def sentence(self) -> str:
        """What happened, in a sentence for people."""
        parts = [f"{count:,} {result.words}" for result, count in self.counts.items() if count]
        rows = f"{self.rows:,} row{'' if self.rows == 1 else 's'}"
        text = f"{rows}: {', '.join(parts)}." if parts else "The file has a header and no rows."
        if self.module_locks is not None:
            text = locks_in_words(self.module_locks)
        return " ".join(part for part in (text, self.ended_by, self.elsewhere) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a run ended, and where its results file is."""

    summary: Summary
    output: Path | None
    """None when the results could not be written anywhere, or are not written here."""
    is_detached: bool = False
    """Whether the command has ended before the run, which a worker sends."""

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        return 0 if self.is_detached else self.summary.exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The problems that a check found in a file."""

    file: str
    sheet: str | None
    encoding: str | None
    """None for a workbook, as `delimiter` is."""
    delimiter: str | None
    counts: Mapping[Result, int]
    problems: list[Problem]
    causes: tuple[Cause, ...]
    """The problems by code, with examples."""
    preview: Preview
    output: Path | None = None
    """The file with each problem on its cell; None when none was asked for."""
    plan: Path | None = None
    """The plan file; None when none was asked for."""
    plan_command: str = ""
    """The command that sends the plan; empty without one."""

    @property
    def rows(self) -> int:
        """The number of rows that are not blank."""
        return sum(self.counts.values())

    @property
    def valid(self) -> int:
        """The number of rows that `run` would send."""
        return self.rows - self.counts[Result.INVALID] - self.counts[Result.DUPLICATE]

    @property
    def exit_code(self) -> int:
        """The exit code of `check`."""
        return 3 if self.counts[Result.INVALID] else 0

    @property
    def sentence(self) -> str:
        """What the check found, in a sentence for people."""
        invalid = self.counts[Result.INVALID]
        problems = f"{invalid:,} {'has' if invalid == 1 else 'have'} problems"
        parts = [f"{self.valid:,} can be sent", problems]
        if repeated := self.counts[Result.DUPLICATE]:
            parts.append(
                f"{repeated:,} {'is' if repeated == 1 else 'are'} the same as an earlier row"
            )
        return f"{self.rows:,} row{'' if self.rows == 1 else 's'}: {', '.join(parts)}."
