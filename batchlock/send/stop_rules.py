"""The rules that end a run early: too many failures, one refusal again and again, the time."""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from time import localtime

from batchlock.core.errors import Stopped
from batchlock.core.results import Outcome, Status
from batchlock.send.settings import StopSettings


def deadline(settings: StopSettings, *, began: float, today: datetime) -> float | None:
    """Return when a run must end that began at `began`, which was `today` here."""
    ends = []
    if settings.max_runtime is not None:
        ends.append(began + settings.max_runtime)
    if settings.until is not None:
        now, day = today.timestamp(), today.astimezone().date()
        moments = [
            *_moments(day, settings.until),
            *_moments(day + timedelta(days=1), settings.until),
        ]
        ends.append(began + min(at for at in moments if at > now) - now)
    return min(ends, default=None)


def _moments(day: date, at: time) -> list[float]:
    """Return when it is so late on that day here: twice where the clocks are put back.

    Where they are put forward past that time, it is the moment when they are.
    """
    first, second = (datetime.combine(day, at.replace(fold=fold)).timestamp() for fold in (0, 1))
    if first <= second:
        return [first, second]
    between = range(int(second), int(first) + 1)
    return [float(between[bisect_left(between, _offset(first), key=_offset)])]


def _offset(moment: float) -> float:
    """Return the seconds that the clocks here are ahead of UTC."""
    return localtime(moment).tm_gmtoff


@dataclass(slots=True)
class StopRules:
    """The stop rules, fed with every outcome."""

    settings: StopSettings
    failed: int = 0
    refused: int = 0
    refusal: tuple[int | None, str, str] | None = None
    varied: bool = False

    def add(self, outcome: Outcome) -> Stopped | None:
        """Take in an outcome; return why the run must end, or None."""
        if outcome.status is Status.FAILED:
            self.failed += 1
            if self.failed < self.settings.consecutive_failures:
                return None
            return Stopped(
                f"Stopped: {self.failed} rows in a row failed, the last one with: "
                f"{outcome.message.rstrip('.')}. Resume when Zoho works again."
            )
        self.failed = 0
        if self.varied:
            return None
        refusal = (outcome.http_status, outcome.code, outcome.remedy)
        if outcome.status is not Status.REJECTED or self.refusal not in (None, refusal):
            self.varied = True
            return None
        self.refusal = refusal
        self.refused += 1
        if self.refused < self.settings.same_refusal:
            return None
        return Stopped(
            f"Stopped: Zoho refused each of the first {self.refused} rows alike: "
            f"{outcome.explanation} Then resume; the refused rows go "
            "out again with retry."
        )
