"""What people can do with a run: pause, stop, resume, retry."""

import asyncio

from aiohttp import web

from batchlock.core.errors import BatchlockError
from batchlock.core.runs import ACTIVE, RunState
from batchlock.web import security
from batchlock.web.confirming import confirm_remaining, typed_number
from batchlock.web.context import AppContext


class RunActions:
    """The handlers of the buttons on a run's page."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
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
            raise web.HTTPConflict(text="No row of this run is left to send.")
        confirm = typed_number(await security.form_of(request))
        await asyncio.to_thread(confirm_remaining, self._context, run, confirm)
        self._context.queue.add(run, request[security.NAME])
        raise self._see_run(request, "resumed", run.run_id)

    async def retry(self, request: web.Request) -> web.Response:
        """Queue a new run of the rows that were not updated."""
        run = self._context.run_in(request)
        form = await security.form_of(request)
        refused, confirm = form.get("only") != "failed", typed_number(form)
        if run.state in ACTIVE:
            raise web.HTTPConflict(text="This run has not ended yet. Stop it first.")
        if run.state is RunState.SUPERSEDED:
            # Its rows belong to the newer run, whose reasons a retry would overwrite.
            sentence = "" if run.reason is None else f"{run.reason.sentence} "
            raise web.HTTPConflict(text=f"{sentence}Retry the rest of that run instead.")
        engine = self._context.engine(confirm_unlocks=confirm)
        user = request[security.NAME]

        async def start() -> str:
            async with self._starting_retry:  # two clicks at once get the same run
                retry = await asyncio.to_thread(engine.start_retry, run.run_id, refused=refused)
                if retry is None:
                    raise BatchlockError("Every row of this run is as its file asks.")
                # Of an unfinished retry that exists already, nobody was asked.
                await asyncio.to_thread(confirm_remaining, self._context, retry, confirm)
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
            raise web.HTTPConflict(text="This run has not ended yet. Stop it first.")
        confirm = typed_number(await security.form_of(request))
        engine = self._context.engine(confirm_unlocks=confirm)
        user = request[security.NAME]

        async def start() -> str:
            async with self._starting_retry:  # two clicks at once get the same run
                undo = await asyncio.to_thread(engine.start_undo, run.run_id)
                if undo is None:
                    raise BatchlockError("The run has changed nothing that can be put back.")
                # Of an unfinished undo that exists already, nobody was asked.
                await asyncio.to_thread(confirm_remaining, self._context, undo, confirm)
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

    def _see_run(self, request: web.Request, action: str, run_id: str) -> web.HTTPSeeOther:
        self._context.log(request, action, f"run {run_id}")
        return web.HTTPSeeOther(f"{self._context.home}/runs/{run_id}")
