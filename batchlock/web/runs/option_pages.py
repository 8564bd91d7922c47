"""The pages that ask when a new or a resumed run starts, and how far it may go."""

import asyncio

from aiohttp import web

from batchlock.core.runs import RunState
from batchlock.store.uploads import UploadState
from batchlock.web.context import AppContext
from batchlock.web.runs.start_options import StartOptionsPage
from batchlock.web.uploads.check import check_page
from batchlock.web.uploads.starting import StartChoice
from batchlock.web.uploads.views import upload_in


class OptionPages:
    """The handlers that show the form; the requests that send read it."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    async def of_upload(self, request: web.Request) -> web.Response:
        """Show the form for a new run of a checked upload."""
        upload = upload_in(self._context, request)
        back = f"{self._context.home}/files/{upload.id}"
        if upload.state is not UploadState.CHECKED:
            raise web.HTTPSeeOther(back)
        plan = await asyncio.to_thread(self._context.store.upload_files.plan, upload.id)
        check = await asyncio.to_thread(check_page, self._context, upload, plan, {})
        if not check.ready or check.is_refused:
            raise web.HTTPSeeOther(back)
        finished, unfinished = check.finished_before, check.unfinished
        page = StartOptionsPage(
            title=upload.name,
            path=f"{back}/start",
            back=back,
            fields=[
                ("choice", StartChoice.NEW.value),
                ("finished", finished.isoformat() if finished else ""),
                ("unfinished", unfinished.run_id if unfinished else ""),
            ],
            action=check.actions.action,
            count=check.ready,
            unlocks=check.unlocks,
            run=None,
        )
        return self._context.templates.render_page(request, page)

    async def of_run(self, request: web.Request) -> web.Response:
        """Show the form for a run that can be resumed."""
        run = self._context.run_in(request)
        back = f"{self._context.home}/runs/{run.run_id}"
        if run.is_closed or run.state in (RunState.QUEUED, RunState.RUNNING):
            raise web.HTTPSeeOther(back)
        with self._context.store.open_journal(run) as journal:
            remaining, unlocks = journal.remaining(), journal.to_unlock()
        page = StartOptionsPage(
            title=run.file_name,
            path=f"{back}/go-on",
            back=back,
            fields=[],
            action=run.info.action,
            count=remaining,
            unlocks=unlocks,
            run=run,
        )
        return self._context.templates.render_page(request, page)
