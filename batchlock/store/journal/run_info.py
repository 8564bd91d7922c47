"""The facts of a run as a whole, and their form in the journal.

The names in a journal must stay: journals of 0.1.0 are still read, and 0.1.0 reads ours.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """What a run is; the plan sets it."""

    run_id: str
    kind: str
    """`run`, `check` or `retry`."""
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
    retry_of: str | None = None
    """The id of the run whose rows a retry sends again."""
    excludes_refused: bool = False
    """Whether a retry left out the rows that Zoho refused. They still belong to that run."""

    def to_json(self) -> dict[str, Any]:
        """Return the run as the journal stores it."""
        values = asdict(self)
        values["but_refused"] = values.pop("excludes_refused")
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
class SessionEnd:
    """How the last session of a run ended."""

    exit_code: int
    ended_by: str
    """Why the session ended before its last row, in a sentence; empty when it did not."""
    finished_at: datetime
    """Wall clock, UTC."""
    output: str | None
    """The path of the results; None when they were not written."""
    closed: bool
    """Whether the run cannot be resumed: no row is left, or none may be sent."""

    def to_json(self) -> dict[str, Any]:
        """Return the end as the journal stores it."""
        return asdict(self) | {"finished_at": self.finished_at.isoformat()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the end that a journal holds.

        Raises KeyError or TypeError when a field is missing or unknown.
        """
        values["finished_at"] = datetime.fromisoformat(values["finished_at"])
        return cls(**values)
