"""A run as one record: what it sends, how it stands, and why it ended.

`Run` is one row of the store. Command line, page, worker and Python read the same record.
"""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from batchlock.core.observer import LimiterSnapshot
from batchlock.core.results import Result
from batchlock.core.rows import Action
from batchlock.core.stop import BY_PERSON, StopCode, StopReason


class RunState(StrEnum):
    """How a run stands."""

    PLANNED = "planned"
    """Its rows are stored; no process has sent any yet."""
    QUEUED = "queued"
    """It waits on the page for its turn."""
    RUNNING = "running"
    """A process sends it; after a kill, until the next process looks."""
    PAUSED = "paused"
    """A person paused it on the page, and a person must resume it."""
    STOPPED = "stopped"
    """It ended with rows left, or before its results were written; it can be resumed."""
    FINISHED = "finished"
    """No row is left to send."""
    SUPERSEDED = "superseded"
    """Rows are left, but a newer run of the same content, or a retry, took them over."""
    REFUSED = "refused"
    """Nothing was sent, because `strict` refused its file."""


MIXED = "mixed"
"""The action of a run whose rows have several."""

STOP_AT = "stop_at"
"""In the options of a run: when it stops, in ISO 8601."""

CLOSED = frozenset({RunState.FINISHED, RunState.SUPERSEDED, RunState.REFUSED})
"""The states of runs that cannot be resumed."""

# A process writes about twice a second; after this time it is hanging or gone.
_HEARTBEAT_LIFETIME = timedelta(seconds=10)

ACTIVE = frozenset({RunState.QUEUED, RunState.RUNNING, RunState.PAUSED})
"""The states in which the page shows a run as live."""


_STATE_BY_CODE = {
    StopCode.STRICT: RunState.REFUSED,
    StopCode.PAUSED: RunState.PAUSED,
    StopCode.SUPERSEDED: RunState.SUPERSEDED,
}


def state_after(reason: StopReason, *, remaining: int) -> RunState:
    """Return the state of a run whose session ended for a reason with so many rows left."""
    if not remaining:
        return RunState.FINISHED
    return _STATE_BY_CODE.get(reason.code, RunState.STOPPED)


def new_run_id(now: datetime) -> str:
    """Return an id that sorts by time and can be typed: `20260314-020304-1f3a`.

    The first two of the last four digits are the 256th part of the second, and the last two are
    random. So two runs that start in the same second still sort by time.
    """
    part = now.microsecond * 256 // 1_000_000
    return f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{part:02x}{secrets.token_hex(1)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """What a run is; the plan sets it."""

    run_id: str
    kind: str
    """`run`, `check`, `retry` or `undo`."""
    org: str
    environment: str
    api_url: str
    file: str
    """The input's absolute path."""
    sha256: str
    identity: str
    """A hash that is equal for two runs of the same file with the same choices."""
    started_at: datetime
    """Wall clock, UTC."""
    version: str
    """The version of batchlock that planned the run."""
    output: str | None = None
    """The requested path of the results; None for the default path."""
    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    titles: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    """The settings that shape the run, in words, without secrets."""
    strict: bool = False
    """Whether nothing is sent while any row has a problem or the file has a note."""
    action: str = Action.UPDATE
    """What its rows ask for: one of the values of Action, or MIXED."""
    retry_of: str | None = None
    """The id of the run whose rows a retry sends again."""
    undo_of: str | None = None
    """The id of the run whose changes an undo puts back."""
    excludes_refused: bool = False
    """Whether a retry left out the rows that Zoho refused. They still belong to that run."""
    corrections: str | None = None
    """A hash of the cells that were corrected on the page; None: the rows are those of the file."""
    results_of: str | None = None
    """The id of the run whose results the file has, as far as the file itself shows it."""

    @property
    def file_name(self) -> str:
        """The name of its file as text: on POSIX a name may hold bytes that are no UTF-8."""
        return Path(self.file).name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    def to_json(self) -> dict[str, Any]:
        """Return the run as the journal stores it."""
        values = asdict(self)
        values["but_refused"] = values.pop("excludes_refused")
        # A journal of updates has the facts that 0.1.0 wrote.
        defaults = {"action": Action.UPDATE, "undo_of": None, "corrections": None}
        defaults["results_of"] = None
        for name, default in defaults.items():
            if values[name] == default:
                del values[name]
        values["started_at"] = self.started_at.isoformat()
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the run that a journal holds.

        Raises KeyError or TypeError when a field is missing or unknown.
        """
        # Journals from the first days of retries lack this field.
        values["excludes_refused"] = values.pop("but_refused", False)
        values["started_at"] = datetime.fromisoformat(values["started_at"])
        values["titles"] = tuple(values["titles"])
        return cls(**values)


def superseded_by(info: RunInfo) -> StopReason:
    """Return why the runs end whose place a new run takes."""
    sentence = f"A new run of the file was started: {info.run_id}."
    if info.undo_of is not None:
        sentence = f"Its changes were undone by run {info.run_id}."
    if info.retry_of is not None:
        sentence = f"The remaining rows were moved to run {info.run_id}."
    return StopReason(code=StopCode.SUPERSEDED, sentence=sentence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The cost of a run so far, over all its sessions."""

    requests: int = 0
    credits_used: int = 0
    in_flight_peak: int = 0
    seconds: float = 0.0
    """Time spent sending."""

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            requests=self.requests + other.requests,
            credits_used=self.credits_used + other.credits_used,
            in_flight_peak=max(self.in_flight_peak, other.in_flight_peak),
            seconds=self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """How far a run has come."""

    counts: Mapping[Result, int] = field(default_factory=dict)
    """Rows by result."""
    settled: int = 0
    """Rows that are as the file asks, with the duplicates of such rows."""
    totals: Totals = Totals()

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(self.counts.values())

    @property
    def remaining(self) -> int:
        """The number of rows that are pending or in doubt."""
        return self.counts.get(Result.NOT_SENT, 0) + self.counts.get(Result.UNKNOWN, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run, as the store has it."""

    info: RunInfo
    parent: str
    """The id of the first run of its family: a file, its corrections and its retries."""
    state: RunState = RunState.PLANNED
    reason: StopReason | None = None
    """Why the last session ended, or why the run waits; None while nothing is to be said."""
    exit_code: int | None = None
    """The exit code of the last session; None before the first has ended."""
    finished_at: datetime | None = None
    """When the last session ended, UTC."""
    results: str | None = None
    """The path of the results; None while there are none."""

    figures: RunFigures = RunFigures()
    """As of the last heartbeat, or of the end."""

    message: str = ""
    """The last sentence of its process."""
    snapshot: LimiterSnapshot | None = None
    """The state of the call limiter at the last heartbeat."""
    heartbeat_at: datetime | None = None
    """When its process last wrote to the record, UTC."""
    process: int | None = None
    """The id of the process that sends it, or sent it last."""

    requested_by: str = ""
    """Who started it on the page; empty for the command line."""
    file_name: str = ""
    """The name of its file as people see it."""
    upload: str | None = None
    """The id of the upload that it was made from."""
    queued_at: datetime | None = None
    """When it was put into the queue of the page; None when its last session began elsewhere."""
    starts: int = 0
    """How often a worker was started for it since a person last requested it."""
    schedule: str | None = None
    """The id of the schedule that has made it."""
    due: datetime | None = None
    """When its schedule was due, UTC."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Settings that the person who started it chose for it, such as `limits.in_flight`.

    Beside them STOP_AT.
    """
    start_at: datetime | None = None
    """When it is put into the queue by itself, UTC; it is paused until then."""
    note: str = ""
    """What people call it: a name, a note or a ticket."""
    stop_requested: StopReason | None = None
    """A person's request to end it: paused or stopped, and by whom."""

    @property
    def stop_at(self) -> datetime | None:
        """When it stops, UTC: the time of day that a person chose, after its start."""
        text = self.options.get(STOP_AT)
        return None if text is None else datetime.fromisoformat(text)

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.info.run_id

    @property
    def is_alive(self) -> bool:
        """Whether a process sends the run now, by what the record says."""
        if self.state is not RunState.RUNNING or self.heartbeat_at is None:
            return False
        # The clock may have been put back since the heartbeat.
        return abs(datetime.now(UTC) - self.heartbeat_at) < _HEARTBEAT_LIFETIME

    @property
    def was_ended_by_person(self) -> bool:
        """Whether a person has paused or stopped the run, and so knows of its end."""
        return self.reason is not None and self.reason.code in BY_PERSON

    @property
    def is_closed(self) -> bool:
        """Whether the run cannot be resumed."""
        return self.state in CLOSED
