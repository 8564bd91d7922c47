"""What a click on a check starts: a new run, or the unfinished run of the same content."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from batchlock.confirming import ConfirmUnlocks
from batchlock.core.errors import BatchlockError
from batchlock.core.runs import ACTIVE, Run, RunState
from batchlock.report.summaries import refusal_of
from batchlock.store.earlier import last_finished
from batchlock.store.journal import Journal
from batchlock.web.confirming import confirm_remaining, typed_number
from batchlock.web.context import AppContext

_STATES = {
    RunState.QUEUED: "waits in line",
    RunState.RUNNING: "is being sent",
    RunState.PAUSED: "is paused",
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
    confirm_unlocks: ConfirmUnlocks
    """Compares the number of records to unlock with the one that the person has typed."""

    @classmethod
    def of(cls, form: Mapping[str, object]) -> "StartRequest":
        """Return the request in a submitted form."""
        choice = str(form.get("choice", ""))
        return cls(
            choice=StartChoice(choice) if choice in set(StartChoice) else StartChoice.NEW,
            finished_at=str(form.get("finished", "")),
            unfinished=str(form.get("unfinished", "")),
            confirm_unlocks=typed_number(form),
        )


def run_to_send(context: AppContext, plan: Path, request: StartRequest) -> Run:
    """Return the run that a click starts: a new one, or an unfinished one.

    Raises BatchlockError when the page was outdated, or when a run that a new one would close
    waits, is being sent or is paused, and UnlocksUnconfirmed when it unlocks records and the number
    of them was not typed.
    """
    with Journal.open(plan) as journal:
        info = journal.info
        refusal = refusal_of(journal, on_page=True)
    if context.settings.input.strict and refusal is not None:
        raise BatchlockError(refusal.sentence)
    same = context.same_content(info)
    unfinished = [run for run in same if not run.is_closed]
    newest = unfinished[0] if unfinished else None
    if newest is not None and _is_resumed(newest, info.identity, request):
        if newest.state not in ACTIVE:
            confirm_remaining(context, newest, request.confirm_unlocks)
        return newest
    finished = last_finished(same, info)
    if finished is not None and finished.isoformat() != request.finished_at:
        raise BatchlockError(
            f"This file was finished meanwhile, at {finished:%H:%M} UTC. See its results "
            "first; to send rows of it again, open its check again and start there."
        )
    if request.unfinished != (newest.run_id if newest else ""):
        raise BatchlockError(
            "The runs of this file have changed since the page was opened. Open the check of the "
            "file again and choose there."
        )
    for run in unfinished:
        if run.state in ACTIVE:
            raise BatchlockError(
                f"Run {run.run_id} of the same file {_STATES[run.state]}. A new run would close "
                "it: stop it first, then start the new one."
            )
    is_fresh = request.choice is StartChoice.FRESH
    options = replace(context.options, fresh=is_fresh)
    return context.engine(options, confirm_unlocks=request.confirm_unlocks).start(plan)


def _is_resumed(run: Run, identity: str, request: StartRequest) -> bool:
    """Return whether a click resumes the unfinished run.

    A run that the page did not show began since then, by a second click or by somebody else. It is
    the requested one if it reads the file in the same way.
    """
    if run.run_id == request.unfinished:
        return request.choice is StartChoice.RESUME
    return run.info.identity == identity and request.choice is not StartChoice.FRESH
