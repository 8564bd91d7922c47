"""Why the sending of a run ended: one value from the signal, rule, deadline or page to the store.

The signal handlers import this module, so it imports little.
"""

from dataclasses import dataclass
from enum import StrEnum

from batchlock.core.errors import BatchlockError, SignInRefused, Stopped, UsageError


class StopCode(StrEnum):
    """What ended the sending of a run."""

    COMPLETED = "completed"
    SIGNAL = "signal"
    DEADLINE = "deadline"
    RULE = "rule"
    """A stop rule: failures in a row, the same refusal each time, credits, an outage."""
    SIGN_IN = "sign_in"
    SETUP = "setup"
    """A setting or the org is wrong; found before the first row was sent."""
    STRICT = "strict"
    PAUSED = "paused"
    """A person paused the run on the page."""
    STOPPED = "stopped"
    """A person stopped the run on the page."""
    KILLED = "killed"
    """The process ended without recording why."""
    SUPERSEDED = "superseded"
    """A newer run took the remaining rows over."""
    ERROR = "error"
    """The process could not begin: another run was at work, or a file could not be used."""


BY_PERSON = (StopCode.PAUSED, StopCode.STOPPED)
"""What a person has decided, who knows of the end and resumes the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReason:
    """Why the sending of a run ended."""

    code: StopCode = StopCode.COMPLETED
    sentence: str = ""
    """Why it ended before the last row; empty when it did not."""
    exit_code: int = 0
    """The exit code of such an end; 0 leaves it to the results of the rows."""

    @classmethod
    def of(cls, error: BatchlockError) -> "StopReason":
        """Return the reason for an error that ended the sending."""
        match error:
            case Cancelled():
                return error.reason
            case SignInRefused():
                code = StopCode.SIGN_IN
            case UsageError():
                code = StopCode.SETUP
            case Stopped():
                code = StopCode.RULE
            case _:
                code = StopCode.ERROR
        return cls(code=code, sentence=str(error), exit_code=error.exit_code)

    @property
    def is_final(self) -> bool:
        """Whether the run cannot be resumed although rows are left."""
        return self.code in (StopCode.STRICT, StopCode.SUPERSEDED)


COMPLETED = StopReason()
KILLED = StopReason(
    code=StopCode.KILLED, sentence="Its process ended unexpectedly; it can be resumed."
)
TIME_IS_OVER = StopReason(
    code=StopCode.DEADLINE,
    sentence="Stopped: the time for this run is over.",
    exit_code=Stopped.exit_code,
)


class Cancelled(BatchlockError):
    """The run was cancelled; raised where code waits, and turned into its reason by `send`."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__(reason.sentence)
        self.reason = reason
        self.exit_code = reason.exit_code
