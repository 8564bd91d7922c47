"""The pages that ask when a new or a resumed run starts, and how far it may go."""

import asyncio
from collections.abc import Sequence

from aiohttp import web

from batchlock.core.records import FIND_KIND
from batchlock.core.runs import RunState
from batchlock.store.uploads import UploadState
from batchlock.web import security
from batchlock.web.approvals.rule import ApprovalView, FourEyes, StartKind
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
        upload, person = upload_in(self._context, request), request[security.NAME]
        back = f"{self._context.home}/files/{upload.id}"
        if upload.state is not UploadState.CHECKED:
            raise web.HTTPSeeOther(back)
        plan = await asyncio.to_thread(self._context.store.upload_files.plan, upload.id)
        check = await asyncio.to_thread(check_page, self._context, upload, plan, {}, person)
        if not check.ready or check.is_refused:
            raise web.HTTPSeeOther(back)
        fields = self._approval_fields(check.approval, StartChoice.NEW.value)
        if fields is None:
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
                ("reading", check.info.identity),
                *fields,
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
        four_eyes = FourEyes(self._context)
        view = None
        if run.info.kind != FIND_KIND and not four_eyes.is_approved(run):
            view = four_eyes.view_of_run(run, request[security.NAME])
        fields = self._approval_fields(view, StartKind.RESUME.value)
        if fields is None:
            raise web.HTTPSeeOther(back)
        with self._context.store.open_journal(run) as journal:
            remaining, unlocks = journal.remaining(), journal.to_unlock()
        page = StartOptionsPage(
            title=run.file_name,
            path=f"{back}/go-on",
            back=back,
            fields=fields,
            action=run.info.action,
            count=remaining,
            unlocks=unlocks,
            run=run,
        )
        return self._context.templates.render_page(request, page)

    def _approval_fields(
        self, view: ApprovalView | None, start: str
    ) -> Sequence[tuple[str, str]] | None:
        """Return the fields that name the request for a start; None when it cannot be made."""
        if view is None:
            return []
        if view.waiting is None or not view.may_decide or view.waiting.start != start:
            return None
        return [("approval", view.waiting.id)]
