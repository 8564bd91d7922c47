"""What people can do with a run: pause, stop, resume, retry."""

import asyncio
from collections.abc import Mapping
from functools import partial

from aiohttp import web

from batchlock.core.errors import BatchlockError
from batchlock.core.records import FIND_KIND
from batchlock.core.rows import Action
from batchlock.core.runs import ACTIVE, Run, RunState
from batchlock.start import rows_of_retry
from batchlock.web import security
from batchlock.web.approvals.rule import FourEyes, StartKind
from batchlock.web.confirming import (
    confirm_remaining,
    confirm_resumption,
    require_number,
    typed_number,
)
from batchlock.web.context import AppContext
from batchlock.web.runs.planned import planned_run_start
from batchlock.web.runs.start_options import local_now, note_in, start_options_in
from batchlock.web.translation import gettext as _


class RunActions:
    """The handlers of the buttons on a run's page."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._four_eyes = FourEyes(context)
        self._starting_retry = asyncio.Lock()

    async def pause(self, request: web.Request) -> web.Response:
        """Pause a run until a person resumes it."""
        run = self._context.run_in(request)
        self._context.queue.pause(run, request[security.NAME])
        raise self._see_run(request, "paused", run.run_id)

    async def stop(self, request: web.Request) -> web.Response:
        """Stop a run."""
        run = self._context.run_in(request)
        self._context.queue.stop(run, request[security.NAME])
        raise self._see_run(request, "stopped", run.run_id)

    async def resume(self, request: web.Request) -> web.Response:
        """Resume a run that was paused, or that ended before its last row."""
        run = self._context.run_in(request)
        if run.is_closed:
            raise web.HTTPConflict(text=_("No row of this run is left to send."))
        form, user = await security.form_of(request), request[security.NAME]
        address = request[security.ADDRESS]
        queue = self._context.queue
        options = start_options_in(form, local_now())
        if run.info.kind == FIND_KIND or run.state in (RunState.QUEUED, RunState.RUNNING):
            queue.add(run, user, start=options)
        elif self._four_eyes.is_approved(run):
            await asyncio.to_thread(confirm_resumption, self._context, run, form)
            queue.add(run, user, start=options)
        else:
            self._four_eyes.request_in(form, user)
            await asyncio.to_thread(confirm_resumption, self._context, run, form)
            async with self._starting_retry:
                planned = partial(planned_run_start, self._context, run, StartKind.RESUME)
                with self._four_eyes.permit(user, form, planned, address=address) as permit:
                    queue.add(run, user, start=options)
                    permit.run_id = run.run_id
        raise self._see_run(request, "resumed", run.run_id)

    async def move(self, request: web.Request) -> web.Response:
        """Let a run that waits change places with the one before it, or come first."""
        run = self._context.run_in(request)
        to_front = (await security.form_of(request)).get("to") == "front"
        if not self._context.store.runs.move_in_queue(
            self._context.org, run.run_id, to_front=to_front
        ):
            raise web.HTTPConflict(text=_("This run does not wait behind another one any more."))
        raise self._see_run(request, "moved forward in the line", run.run_id)

    async def set_note(self, request: web.Request) -> web.Response:
        """Set what people call a run."""
        run = self._context.run_in(request)
        note = note_in(await security.form_of(request))
        self._context.store.runs.set_note(run.run_id, note)
        raise self._see_run(request, f"noted {note}" if note else "removed the note", run.run_id)

    async def retry(self, request: web.Request) -> web.Response:
        """Queue a new run of the rows that were not updated."""
        run = self._context.run_in(request)
        form, user = await security.form_of(request), request[security.NAME]
        address = request[security.ADDRESS]
        refused, confirm = form.get("only") != "failed", typed_number(form)
        self._four_eyes.request_in(form, user)
        if run.state in ACTIVE:
            raise web.HTTPConflict(text=_("This run has not ended yet. Stop it first."))
        if run.state is RunState.SUPERSEDED:
            # Its rows belong to the newer run, whose reasons a retry would overwrite.
            sentence = "" if run.reason is None else f"{run.reason.sentence} "
            raise web.HTTPConflict(text=sentence + _("Retry the rest of that run instead."))
        if run.info.kind != FIND_KIND:
            await asyncio.to_thread(self._confirm_retry, run, form, refused=refused)
        engine = self._context.engine(confirm_unlocks=confirm)
        kind = StartKind.RETRY if refused else StartKind.RETRY_FAILED

        def make() -> Run:
            planned = partial(planned_run_start, self._context, run, kind)
            with self._four_eyes.permit(user, form, planned, address=address) as permit:
                retry = engine.start_retry(run.run_id, refused=refused, final=False)
                if retry is None:
                    raise BatchlockError(_("Every row of this run is as its file asks."))
                # Of an unfinished retry that exists already, nobody was asked.
                confirm_remaining(self._context, retry, confirm)
                permit.run_id = retry.run_id
            return retry

        async def start() -> str:
            async with self._starting_retry:  # two clicks at once get the same run
                retry = await asyncio.to_thread(make)
                self._context.queue.add(
                    self._context.as_it_stands(retry),
                    user,
                    file_name=run.file_name,
                    upload=run.upload,
                )
                return retry.run_id

        # Shielded, because the handler is cancelled when the browser leaves, and a run that
        # exists but is not queued would never start.
        new_id = await asyncio.shield(start())
        raise self._see_run(request, f"retried {run.run_id} as", new_id)

    async def undo(self, request: web.Request) -> web.Response:
        """Queue a new run that puts back what a run has changed."""
        run = self._context.run_in(request)
        if run.state in ACTIVE:
            raise web.HTTPConflict(text=_("This run has not ended yet. Stop it first."))
        form, user = await security.form_of(request), request[security.NAME]
        address = request[security.ADDRESS]
        confirm = typed_number(form)
        self._four_eyes.request_in(form, user)
        engine = self._context.engine(confirm_unlocks=confirm)

        def make() -> Run:
            planned = partial(planned_run_start, self._context, run, StartKind.UNDO)
            with self._four_eyes.permit(user, form, planned, address=address) as permit:
                undo = engine.start_undo(run.run_id)
                if undo is None:
                    raise BatchlockError(_("The run has changed nothing that can be put back."))
                # Of an unfinished undo that exists already, nobody was asked.
                confirm_remaining(self._context, undo, confirm)
                permit.run_id = undo.run_id
            return undo

        async def start() -> str:
            async with self._starting_retry:  # two clicks at once get the same run
                undo = await asyncio.to_thread(make)
                self._context.queue.add(
                    self._context.as_it_stands(undo),
                    user,
                    file_name=run.file_name,
                    upload=run.upload,
                )
                return undo.run_id

        # Shielded, for the same reason as a retry.
        new_id = await asyncio.shield(start())
        raise self._see_run(request, f"undid {run.run_id} as", new_id)

    def _confirm_retry(self, run: Run, form: Mapping[str, object], *, refused: bool) -> None:
        """Ask for the number of rows of a retry; unlocks are asked about when it is made.

        Raises BatchlockError when no row is left that may go out.
        """
        family = self._context.family(run)
        story = self._context.stories.of(family)
        if story.is_complete or story.done_otherwise(run, family):
            raise BatchlockError(
                _(
                    "Later runs have done the rest of this file, and a retry would send its old "
                    "values over them. Open the whole story of the run."
                )
            )
        rows = rows_of_retry(run, self._context.store, refused=refused, final=False)
        if not rows:
            raise BatchlockError(
                _(
                    "No row of this run can be sent again as it is. Correct the rows in the "
                    "downloaded results, and upload that file."
                )
            )
        if run.info.action != Action.UNLOCK:
            require_number(self._context, form, action=run.info.action, count=rows)

    def _see_run(self, request: web.Request, action: str, run_id: str) -> web.HTTPSeeOther:
        self._context.log(request, action, run=run_id)
        return web.HTTPSeeOther(f"{self._context.home}/runs/{run_id}")
