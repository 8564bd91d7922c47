"""The rules that end a run early: failures in a row, the same refusal each time, the deadline."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from time import localtime
from typing import Any

from batchlock.core.errors import Stopped
from batchlock.core.results import Outcome, Status
from batchlock.core.runs import STOP_AT
from batchlock.core.stop import StopCode, StopReason
from batchlock.send.settings import StopSettings

STOP_UNTIL = "stop.until"
"""The name of the setting `until`."""


def deadline(
    settings: StopSettings,
    *,
    started_monotonic: float,
    started_at: datetime,
    stop_at: datetime | None = None,
) -> float | None:
    """Return the monotonic time at which a run must end; None for no limit.

    The run began at `started_monotonic`, which was `started_at` on the wall clock. `until` means
    the first such local time after the start; `stop_at` is that time of a run that has waited since
    a person chose it, and may be past.
    """
    ends = []
    if settings.max_runtime is not None:
        ends.append(started_monotonic + settings.max_runtime)
    if stop_at is None and settings.until is not None:
        stop_at = first_time_after(settings.until, started_at)
    if stop_at is not None:
        # The difference of wall-clock times, so that a later change of the clock has no effect.
        ends.append(started_monotonic + stop_at.timestamp() - started_at.timestamp())
    return min(ends, default=None)


def first_time_after(until: time, moment: datetime) -> datetime:
    """Return when it is a local time of day for the first time after a moment; UTC."""
    day = moment.astimezone().date()
    moments = [*_moments(day, until), *_moments(day + timedelta(days=1), until)]
    return datetime.fromtimestamp(min(at for at in moments if at > moment.timestamp()), UTC)


def with_stop_at(options: Mapping[str, Any], until: time, start_at: datetime) -> dict[str, Any]:
    """Return the options of a run with the moment at which it stops.

    It is the time of day after the start that a person chose. The run may begin much later, after
    other runs or a kill, and must not be sent for another day then.
    """
    return {**options, STOP_AT: first_time_after(until, start_at).isoformat()}


def _moments(day: date, at: time) -> list[float]:
    """Return the POSIX times of a local time of day: two if the clocks are put back across it.

    If the clocks are put forward across it, the time does not exist on that day; then it is the
    moment of the change. Otherwise a run until 02:30 would continue for a whole day.
    """
    first, second = (datetime.combine(day, at.replace(fold=fold)).timestamp() for fold in (0, 1))
    if first <= second:
        return [first, second]
    seconds = range(int(second), int(first) + 1)
    # The UTC offset rises once within these seconds, so the change is found by bisection.
    return [float(seconds[bisect_left(seconds, _utc_offset(first), key=_utc_offset)])]


def _utc_offset(moment: float) -> float:
    """Return the seconds by which local time is ahead of UTC at a POSIX time."""
    return localtime(moment).tm_gmtoff


@dataclass(slots=True)
class StopRules:
    """The rules that look at outcomes, in the order in which the rows end.

    Each session has its own: outcomes of earlier sessions of a resumed run do not count.
    """

    settings: StopSettings
    failures_in_a_row: int = 0
    refusals: int = 0
    """First outcomes of this session that were all the same refusal of the set-up."""
    refusal: tuple[int | None, str, str] | None = None
    """HTTP status, code and remedy of these; the message may name the row, so it is not here."""
    has_varied: bool = False
    """Whether some outcome was not this refusal."""

    def add(self, outcome: Outcome) -> StopReason | None:
        """Record an outcome; return why the run must end, or None."""
        if outcome.status is Status.FAILED:
            self.failures_in_a_row += 1
            if self.failures_in_a_row < self.settings.consecutive_failures:
                return None
            return _stopped(
                f"Stopped: {self.failures_in_a_row} rows in a row failed, the last one with: "
                f"{outcome.message.rstrip('.')}. Resume when Zoho works again."
            )
        self.failures_in_a_row = 0
        if self.has_varied:
            return None
        refusal = (outcome.http_status, outcome.code, outcome.remedy)
        # A file sorted by trouble begins with many rows whose locks are gone, for example. Such
        # refusals say nothing about the rows that follow.
        is_about_setup = outcome.status is Status.REJECTED and outcome.about_setup
        if not is_about_setup or self.refusal not in (None, refusal):
            self.has_varied = True
            return None
        self.refusal = refusal
        self.refusals += 1
        if self.refusals < self.settings.same_refusal:
            return None
        return _stopped(
            f"Stopped: Zoho refused each of the first {self.refusals} rows for the same reason: "
            f"{outcome.explanation} Then resume; the refused rows are sent again by `retry`."
        )


def _stopped(sentence: str) -> StopReason:
    return StopReason(code=StopCode.RULE, sentence=sentence, exit_code=Stopped.exit_code)
