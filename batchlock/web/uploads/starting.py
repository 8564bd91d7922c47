"""What a click on a check starts: a new run, or the unfinished run of the same content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

from batchlock.confirming import ConfirmUnlocks
from batchlock.core.errors import BatchlockError
from batchlock.core.rows import Action
from batchlock.core.runs import ACTIVE, Run, RunInfo, RunState
from batchlock.report.summaries import refusal_of
from batchlock.store.approvals import subject_of_upload
from batchlock.store.earlier import last_finished
from batchlock.store.journal import Journal
from batchlock.store.uploads import Upload
from batchlock.web.approvals.rule import FourEyes, PlannedStart, StartKind
from batchlock.web.confirming import confirm_resumption, require_number, typed_number
from batchlock.web.context import AppContext
from batchlock.web.queue import StartOptions
from batchlock.web.runs.start_options import local_now, start_options_in
from batchlock.web.translation import N_
from batchlock.web.translation import gettext as _
from batchlock.web.uploads.compared import compared_plan

_ACTIVE_RUN = {
    RunState.QUEUED: N_(
        "Run %(run)s of the same file waits in line. A new run would close it: stop it first, then "
        "start the new one."
    ),
    RunState.RUNNING: N_(
        "Run %(run)s of the same file is being sent. A new run would close it: stop it first, then "
        "start the new one."
    ),
    RunState.PAUSED: N_(
        "Run %(run)s of the same file is paused. A new run would close it: stop it first, then "
        "start the new one."
    ),
}
# What a first click has done, and nobody has changed since.
_BEGUN = (RunState.PLANNED, RunState.QUEUED, RunState.RUNNING)


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
    reading: str | None
    """How the file was read, as `RunInfo.identity`; None in a request that no page has made."""
    options: StartOptions
    confirm_unlocks: ConfirmUnlocks
    """Compares the number of records to unlock with the one that the person has typed."""
    person: str
    address: str
    """That of the person's browser."""
    form: Mapping[str, object]

    @classmethod
    def of(cls, form: Mapping[str, object], person: str, address: str) -> "StartRequest":
        """Return the request in a form that a person has submitted. Raises UsageError."""
        choice = str(form.get("choice", ""))
        reading = form.get("reading")
        return cls(
            choice=StartChoice(choice) if choice in set(StartChoice) else StartChoice.NEW,
            finished_at=str(form.get("finished", "")),
            unfinished=str(form.get("unfinished", "")),
            reading=None if reading is None else str(reading),
            options=start_options_in(form, local_now()),
            confirm_unlocks=typed_number(form),
            person=person,
            address=address,
            form=form,
        )


def planned_start(context: AppContext, upload: Upload, plan: Path, kind: StartKind) -> PlannedStart:
    """Return what a new run of a checked upload would send."""
    is_fresh = kind is StartKind.FRESH
    with compared_plan(plan, context.store) as journal:
        return PlannedStart(
            subject=subject_of_upload(upload.id),
            title=upload.name,
            kind=kind,
            digest=journal.digest(with_done=is_fresh),
            counts=tuple(journal.rows_to_send(with_done=is_fresh)),
            upload=upload,
        )


def run_to_send(context: AppContext, upload: Upload, plan: Path, request: StartRequest) -> Run:
    """Return the run that a click starts: a new one, or an unfinished one.

    With four eyes it needs the approval of another person, as `FourEyes.permit` says.

    Raises BatchlockError when the page was outdated, or when a run that a new one would close
    waits, is being sent or is paused, and UnlocksUnconfirmed when it unlocks records and the number
    of them was not typed.
    """
    with Journal.open(plan) as journal:
        info = journal.info
        refusal = refusal_of(journal, on_page=True)
    if context.settings.input.strict and refusal is not None:
        raise BatchlockError(refusal.sentence)
    four_eyes = FourEyes(context)
    same = context.same_content(info)
    newest = next((run for run in same if not run.is_closed), None)
    if newest is not None and _is_resumed(newest, info.identity, request):
        if newest.state not in (RunState.QUEUED, RunState.RUNNING):
            four_eyes.require_approved(newest)
        if newest.state not in ACTIVE:
            confirm_resumption(context, newest, request.form)
        return newest
    four_eyes.request_in(request.form, request.person)
    _require_current_page(upload, request, info, same)
    is_fresh = request.choice is StartChoice.FRESH
    options = replace(context.options, fresh=is_fresh)
    engine = context.engine(options, confirm_unlocks=request.confirm_unlocks)
    kind = StartKind.FRESH if is_fresh else StartKind.NEW
    planned = partial(planned_start, context, upload, plan, kind)
    with four_eyes.permit(request.person, request.form, planned, address=request.address) as permit:
        if is_fresh:
            _confirm_fresh(context, plan, request.form)
        run = engine.start(plan)
        permit.run_id = run.run_id
    return run


def _require_current_page(
    upload: Upload, request: StartRequest, info: RunInfo, same: Sequence[Run]
) -> None:
    """Raise BatchlockError if the page of a click does not show the upload as it is now.

    Also if a run that a new one would close waits, is being sent or is paused. `same` are the runs
    of the same content, newest first.
    """
    if request.reading not in (None, info.identity):
        raise BatchlockError(
            _(
                "%(file)s was read in another way since the page was opened, or cells of it were "
                "corrected. Nothing was sent. Open its check again, look at what would be sent, "
                "and start there.",
                file=upload.name,
            )
        )
    finished = last_finished(same, info)
    if finished is not None and finished.isoformat() != request.finished_at:
        finished_time = f"{finished:%H:%M}"
        raise BatchlockError(
            _(
                "This file was finished meanwhile, at %(time)s UTC. See its results first; to send "
                "rows of it again, open its check again and start there.",
                time=finished_time,
            )
        )
    unfinished = [run for run in same if not run.is_closed]
    if request.unfinished != (unfinished[0].run_id if unfinished else ""):
        raise BatchlockError(
            _(
                "The runs of this file have changed since the page was opened. Open the check of "
                "the file again and choose there."
            )
        )
    for run in unfinished:
        if run.state in ACTIVE:
            raise BatchlockError(_(_ACTIVE_RUN[run.state], run=run.run_id))


def _confirm_fresh(context: AppContext, plan: Path, form: Mapping[str, object]) -> None:
    """Ask for the number of all rows; unlocks are asked about when the run is made."""
    with compared_plan(plan, context.store) as journal:
        counts, action = journal.rows_to_send(with_done=True), journal.info.action
    if all(count.action != Action.UNLOCK for count in counts):
        rows = sum(count.rows for count in counts)
        require_number(context, form, action=action, count=rows)


def _is_resumed(run: Run, identity: str, request: StartRequest) -> bool:
    """Return whether a click resumes the unfinished run.

    A run that the page did not show began since then, by a second click or by somebody else. It is
    the requested one if it reads the file in the same way, and was neither stopped nor paused.
    """
    if run.run_id == request.unfinished:
        return request.choice is StartChoice.RESUME
    return (
        run.info.identity == identity
        and request.reading in (None, identity)
        and request.choice is not StartChoice.FRESH
        and (run.state in _BEGUN or (run.start_at is not None and request.options.are_of(run)))
    )
