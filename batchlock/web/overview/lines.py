"""How each org stands, in a line of the overview."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from batchlock.core.results import Result
from batchlock.core.runs import Run, RunState
from batchlock.core.stop import StopCode
from batchlock.store.overview import OrgRuns, OrgState
from batchlock.web.templating import OrgLabel
from batchlock.web.translation import gettext as _

_NOT_STARTED = frozenset({StopCode.SETUP, StopCode.ERROR})


class OrgActivity(StrEnum):
    """What is under way for an org; the later ones are shown only without the earlier ones."""

    SENDING = "sending"
    SILENT = "silent"
    """The process of its run does not report."""
    WAITING = "waiting"
    PAUSED = "paused"
    IDLE = "idle"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgLine:
    """A line of the overview."""

    label: OrgLabel
    state: OrgState
    activity: OrgActivity
    run: Run | None
    """The run that the activity is about; None while it is idle."""
    rate: float
    """Rows a second of that run, over the last seconds; 0 when unknown."""
    waiting: int
    """How many runs wait in the queue."""
    last: Run | None
    """The newest run that has ended."""
    last_schedule: str | None
    """The id of the schedule that started it."""
    problem: str
    """What needs the attention of a person, in a few words; empty for nothing."""

    @property
    def done(self) -> int:
        """Rows of the run under way that have their final status."""
        return 0 if self.run is None else self.run.figures.rows - self.run.figures.remaining

    @property
    def not_done(self) -> int:
        """Rows of the last run that are not as its file asks."""
        return 0 if self.last is None else self.last.figures.rows - self.last.figures.settled


def org_line(
    label: OrgLabel, state: OrgState, runs: OrgRuns, rates: Mapping[str, float]
) -> OrgLine:
    """Return the line of an org; `rates` are rows a second by run."""
    activity, run = _activity(runs.active)
    return OrgLine(
        label=label,
        state=state,
        activity=activity,
        run=run,
        rate=0.0 if run is None else rates.get(run.run_id, 0.0),
        waiting=sum(one.state is RunState.QUEUED for one in runs.active),
        last=runs.last,
        last_schedule=runs.last_schedule,
        problem=_problem(activity, runs.last),
    )


def filtered(lines: Iterable[OrgLine], words: str, *, only_problems: bool) -> list[OrgLine]:
    """Return the lines whose name or environment has every one of the words."""
    search_words = words.casefold().split()
    return [
        line
        for line in lines
        if (line.problem or not only_problems)
        and all(
            word in f"{line.label.name} {line.label.environment}".casefold()
            for word in search_words
        )
    ]


def _activity(active: Sequence[Run]) -> tuple[OrgActivity, Run | None]:
    running = [run for run in active if run.state is RunState.RUNNING]
    for run in running:
        if run.is_alive:
            return OrgActivity.SENDING, run
    for run in running:
        return OrgActivity.SILENT, run
    for state, activity in (
        (RunState.QUEUED, OrgActivity.WAITING),
        (RunState.PAUSED, OrgActivity.PAUSED),
    ):
        for run in active:
            if run.state is state:
                return activity, run
    return OrgActivity.IDLE, None


def _problem(activity: OrgActivity, last: Run | None) -> str:
    if activity is OrgActivity.SILENT:
        return _("Does not report")
    if last is None:
        return ""
    figures, code = last.figures, last.reason and last.reason.code
    if code is StopCode.SIGN_IN:
        return _("Sign-in refused")
    if last.state is RunState.REFUSED:
        return _("File refused")
    if last.state is RunState.STOPPED:
        return _("Did not begin") if code in _NOT_STARTED else _("Stopped early")
    if not_done := figures.rows - figures.settled:
        invalid = figures.counts.get(Result.INVALID, 0)
        return _("Rows with problems") if invalid == not_done else _("Rows not done")
    return ""
