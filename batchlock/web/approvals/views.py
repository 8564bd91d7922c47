"""The handlers of requests for approval: ask, list, send back, take back."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from batchlock.core.errors import BatchlockError
from batchlock.core.records import FIND_KIND
from batchlock.core.runs import ACTIVE, RunState
from batchlock.store.approvals import Approval, ApprovalState
from batchlock.store.uploads import UploadState
from batchlock.web import security
from batchlock.web.approvals.log import log_approval
from batchlock.web.approvals.rule import (
    ApprovalView,
    FourEyes,
    PlannedStart,
    StartKind,
    comment_in,
)
from batchlock.web.context import AppContext
from batchlock.web.notices import send_approval_notice
from batchlock.web.runs.planned import planned_run_start
from batchlock.web.templating import Page
from batchlock.web.translation import gettext as _
from batchlock.web.uploads.starting import planned_start
from batchlock.web.uploads.views import upload_in

_OF_UPLOAD = (StartKind.NEW, StartKind.FRESH)
_OF_RUN = (StartKind.RESUME, StartKind.RETRY, StartKind.RETRY_FAILED, StartKind.UNDO)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalsPage(Page):
    """The page of the requests that wait."""

    template: ClassVar[str] = "approvals.html"
    approvals: Sequence[Approval]
    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPart(Page):
    """How the request about an upload stands, for the page that shows its check."""

    template: ClassVar[str] = "approval_part.html"
    approval: ApprovalView | None


class ApprovalViews:
    """The handlers of requests for approval."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._four_eyes = FourEyes(context)
        self._approvals = context.store.approvals

    async def show(self, request: web.Request) -> web.Response:
        """List what waits for approval."""
        page = ApprovalsPage(
            approvals=self._approvals.waiting(self._context.org), person=request[security.NAME]
        )
        return self._context.templates.render_page(request, page)

    async def now(self, request: web.Request) -> web.Response:
        """Show how the request about an upload stands."""
        upload = upload_in(self._context, request)
        view = self._four_eyes.view_of_upload(upload, request[security.NAME])
        return self._context.templates.render_page(request, ApprovalPart(approval=view))

    async def ask_for_upload(self, request: web.Request) -> web.Response:
        """Ask another person to start a run of a checked upload."""
        upload = upload_in(self._context, request)
        if upload.state is not UploadState.CHECKED:
            raise web.HTTPConflict(text=_("%(file)s has not been checked yet.", file=upload.name))
        form = await security.form_of(request)
        kind = _kind_in(form, _OF_UPLOAD)
        plan = await asyncio.to_thread(self._context.store.upload_files.plan, upload.id)
        start = await asyncio.to_thread(planned_start, self._context, upload, plan, kind)
        self._ask(request, start, form)
        raise web.HTTPSeeOther(f"{self._context.home}/files/{upload.id}")

    async def ask_for_run(self, request: web.Request) -> web.Response:
        """Ask another person to resume, retry or undo a run."""
        run = self._context.run_in(request)
        form = await security.form_of(request)
        kind = _kind_in(form, _OF_RUN)
        if run.state in ACTIVE and not (kind is StartKind.RESUME and run.state is RunState.PAUSED):
            raise web.HTTPConflict(text=_("This run has not ended yet. Stop it first."))
        if run.info.kind == FIND_KIND or (kind is StartKind.RESUME and run.is_closed):
            raise web.HTTPConflict(text=_("No row of this run is left to send."))
        start = await asyncio.to_thread(planned_run_start, self._context, run, kind)
        self._ask(request, start, form)
        raise web.HTTPSeeOther(f"{self._context.home}/runs/{run.run_id}")

    async def send_back(self, request: web.Request) -> web.Response:
        """Send a request back to the person who asked, with a comment."""
        person, form = request[security.NAME], await security.form_of(request)
        approval = self._four_eyes.approval_for(request.match_info["approval"], person)
        comment = comment_in(form)
        if not comment:
            raise BatchlockError(_("Say in the comment what must change before you send it back."))
        self._decide(approval, ApprovalState.RETURNED, person, comment)
        self._log(request, "sent back", approval, comment)
        raise web.HTTPSeeOther(f"{self._context.home}/approvals")

    async def take_back(self, request: web.Request) -> web.Response:
        """Withdraw a request of the person."""
        person = request[security.NAME]
        approval = self._approvals.get(self._context.org, request.match_info["approval"])
        if approval is None:
            raise web.HTTPNotFound
        if approval.requested_by != person:
            raise web.HTTPForbidden(text=_("Only who has asked can take the request back."))
        self._decide(approval, ApprovalState.WITHDRAWN, person)
        self._log(request, "took back", approval)
        raise web.HTTPSeeOther(f"{self._context.home}/{approval.subject}")

    def _ask(self, request: web.Request, start: PlannedStart, form: Mapping[str, object]) -> None:
        comment = comment_in(form)
        person = request[security.NAME]
        approval = self._four_eyes.ask(start, person, comment)
        self._log(request, "asked for approval of", approval, comment)
        send_approval_notice(self._context, approval)

    def _log(
        self, request: web.Request, action: str, approval: Approval, comment: str = ""
    ) -> None:
        person, address = request[security.NAME], request[security.ADDRESS]
        log_approval(self._context, person, action, approval, comment, address=address)

    def _decide(
        self, approval: Approval, state: ApprovalState, person: str, comment: str = ""
    ) -> None:
        if not self._approvals.decide(approval.id, state, person, comment):
            raise BatchlockError(_("Somebody else has just decided on this request."))


def _kind_in(form: Mapping[str, object], kinds: Sequence[StartKind]) -> StartKind:
    """Return what a form asks to be started; raises HTTPBadRequest for anything else."""
    kind = str(form.get("start", ""))
    if kind not in kinds:
        raise web.HTTPBadRequest(text=_("Choose what is to be started."))
    return StartKind(kind)
