"""What the journal knows of its run as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """What a run is: set when it is planned."""

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
    """Equal for two runs of the same thing."""
    started_at: datetime
    version: str
    output: str | None = None
    """Where the results were asked to go; None for the usual place."""
    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    titles: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False
    """Whether nothing is sent while any row has a problem."""
    retry_of: str | None = None
    """The run whose rows a retry sends again."""
    but_refused: bool = False
    """Whether a retry left the rows out that Zoho refused; they are still that run's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What a run has cost so far, over all its sessions."""

    requests: int = 0
    credits_used: int = 0
    in_flight_peak: int = 0
    seconds: float = 0.0

    def __add__(self, more: "Totals") -> "Totals":
        return Totals(
            requests=self.requests + more.requests,
            credits_used=self.credits_used + more.credits_used,
            in_flight_peak=max(self.in_flight_peak, more.in_flight_peak),
            seconds=self.seconds + more.seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd:
    """How the last session of a run ended."""

    exit_code: int
    ended_by: str
    """Why it ended before its last row, in a sentence; empty when it did not."""
    finished_at: datetime
    output: str | None
    """Where the results are; None when they were never written."""
    closed: bool
    """No row is left to send, or none ever shall be (a strict refusal)."""
