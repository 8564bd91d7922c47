"""What a click on a check starts: a new run, or the unfinished run of the same content."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from batchlock.core.errors import BatchlockError
from batchlock.report.summaries import refusal_of
from batchlock.store.earlier import earlier_runs, unfinished_runs
from batchlock.store.history import StoredRun
from batchlock.store.journal import Journal
from batchlock.store.page import ACTIVE, QueueState
from batchlock.web.context import AppContext

_STATES = {
    QueueState.WAITING: "waits in line",
    QueueState.WORKING: "is being sent",
    QueueState.PAUSED: "is paused",
}


class StartChoice(StrEnum):
    """Which button a person clicked."""

    NEW = "new"
    FRESH = "fresh"
    """A new run that also sends the rows that an earlier run has done."""
    RESUME = "resume"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """A click, with what the page showed to the person who clicked."""

    choice: StartChoice
    finished_at: str
    """When the same content was last finished; empty for never."""
    unfinished: str
    """The id of the unfinished run of the same content; empty for none."""

    @classmethod
    def of(cls, form: Mapping[str, object]) -> "StartRequest":
        """Return the request in a submitted form."""
        choice = str(form.get("choice", ""))
        return cls(
            choice=StartChoice(choice) if choice in set(StartChoice) else StartChoice.NEW,
            finished_at=str(form.get("finished", "")),
            unfinished=str(form.get("unfinished", "")),
        )


def run_to_send(
    context: AppContext, plan: Path, request: StartRequest, states: Mapping[str, QueueState]
) -> str:
    """Return the id of the run that a click starts: a new one, or an unfinished one.

    `states` are those of the runs that wait, are being sent or are paused. Raises BatchlockError
    when the page was outdated, or when a run that would be closed is in `states`.
    """
    with Journal.open(plan) as journal:
        info = journal.info
        refusal = refusal_of(journal, on_page=True)
    if context.settings.input.strict and refusal is not None:
        raise BatchlockError(refusal.sentence)
    runs = list(context.history.all())
    unfinished = unfinished_runs(runs, info)
    newest = unfinished[0] if unfinished else None
    if newest is not None and _is_resumed(newest, info.identity, request):
        return newest.info.run_id
    finished = earlier_runs(runs, info).finished_at
    if finished is not None and finished.isoformat() != request.finished_at:
        raise BatchlockError(
            f"This file was finished meanwhile, at {finished:%H:%M} UTC. See its results "
            "first; to send rows of it again, open its check again and start there."
        )
    if request.unfinished != (newest.info.run_id if newest else ""):
        raise BatchlockError(
            "The runs of this file have changed since the page was opened. Open the check of the "
            "file again and choose there."
        )
    for run in unfinished:
        if (state := states.get(run.info.run_id)) is not None:
            raise BatchlockError(
                f"Run {run.info.run_id} of the same file {_STATES[state]}. A new run would close "
                "it: stop it first, then start the new one."
            )
    return context.runner(
        replace(context.options, fresh=request.choice is StartChoice.FRESH)
    ).start(plan)


def active_states(context: AppContext) -> dict[str, QueueState]:
    """Return the states of all runs that wait, are being sent or are paused, by their ids."""
    queued = context.store.queue.in_state(context.org, *ACTIVE)
    states = {run.run_id: run.state for run in queued}
    if (holder := context.queue.holder()) is not None:  # maybe at a terminal
        states[holder.run_id] = QueueState.WORKING
    return states


def _is_resumed(run: StoredRun, identity: str, request: StartRequest) -> bool:
    """Return whether a click resumes the unfinished run.

    A run that the page did not show began since then, by a second click or by somebody else. It is
    the requested one if it reads the file in the same way.
    """
    if run.info.run_id == request.unfinished:
        return request.choice is StartChoice.RESUME
    return run.info.identity == identity and request.choice is not StartChoice.FRESH
