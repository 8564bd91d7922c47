"""The rule of an org with `web.four_eyes`: nothing new is sent before two people took part.

Every start of calls that change records passes `FourEyes.permit`. It lets a start happen only with
a request that waits, that somebody else made, and that asked for what would be sent now. A run that
was approved may be resumed by anybody who may send. Searches for locks change nothing, so the rule
does not hold for them.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from aiohttp import web

from batchlock.core.errors import BatchlockError
from batchlock.core.preview import ModuleRows
from batchlock.core.runs import Run
from batchlock.store.approvals import (
    Approval,
    ApprovalState,
    subject_of_run,
    subject_of_upload,
)
from batchlock.store.uploads import Upload
from batchlock.web.approvals.log import log_approval
from batchlock.web.context import AppContext
from batchlock.web.translation import gettext as _

# A comment is shown in lists, and the form of a request is bounded too.
MAX_COMMENT = 1_000


class StartKind(StrEnum):
    """What a person asks to be started."""

    NEW = "new"
    FRESH = "fresh"
    RESUME = "resume"
    RETRY = "retry"
    RETRY_FAILED = "retry_failed"
    UNDO = "undo"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStart:
    """A start that is not made yet, and what it would send."""

    subject: str
    """As `Approval.subject`."""
    title: str
    kind: StartKind
    digest: str
    counts: tuple[ModuleRows, ...]
    upload: Upload | None
    """The upload that it belongs to; None when there is none any more."""

    @property
    def rows(self) -> int:
        """How many rows would be sent."""
        return sum(one.rows for one in self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalView:
    """What a page of an org with four eyes shows about its subject to one person."""

    newest: Approval | None
    """The newest request about it, unless that was withdrawn."""
    is_editor: bool
    """Whether the person has prepared what is sent, and so may never start it."""
    person: str

    @property
    def waiting(self) -> Approval | None:
        """The request that waits."""
        return self._newest_in(ApprovalState.WAITING)

    @property
    def returned(self) -> Approval | None:
        """The request that was sent back, and after which nothing was asked."""
        return self._newest_in(ApprovalState.RETURNED)

    @property
    def approved(self) -> Approval | None:
        """The request that was approved, if it is the newest one."""
        return self._newest_in(ApprovalState.APPROVED)

    @property
    def may_decide(self) -> bool:
        """Whether the person may approve the waiting request, with the right to send."""
        return self.waiting is not None and self.waiting.may_be_decided_by(self.person)

    @property
    def may_withdraw(self) -> bool:
        """Whether the person has made the waiting request."""
        return self.waiting is not None and self.waiting.requested_by == self.person

    def _newest_in(self, state: ApprovalState) -> Approval | None:
        return self.newest if self.newest is not None and self.newest.state is state else None


class Permit:
    """The permission to make a start; whoever makes it sets the run."""

    run_id: str | None = None


class FourEyes:
    """The rule of one org."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._approvals = context.store.approvals

    @property
    def is_on(self) -> bool:
        """Whether the org requires two people for each start."""
        return self._context.settings.web.four_eyes

    def is_approved(self, run: Run) -> bool:
        """Return whether a run was started by two people."""
        return self._approvals.of_run(run.run_id) is not None

    def view_of_upload(self, upload: Upload, person: str) -> ApprovalView | None:
        """Return what a page shows about an upload; None where no approval is needed."""
        return self._view(subject_of_upload(upload.id), upload.id, person)

    def view_of_run(self, run: Run, person: str) -> ApprovalView | None:
        """Return what a page shows about what belongs to a run."""
        return self._view(subject_of_run(run.run_id), run.upload, person)

    def _view(self, subject: str, upload_id: str | None, person: str) -> ApprovalView | None:
        if not self.is_on:
            return None
        newest = self._approvals.newest(self._context.org, subject)
        if newest is not None and newest.state is ApprovalState.WITHDRAWN:
            newest = None
        editors = self._editors(self._upload(upload_id))
        return ApprovalView(newest=newest, is_editor=person in editors, person=person)

    def ask(self, start: PlannedStart, person: str, comment: str) -> Approval:
        """Store a request. Raises BatchlockError when there is nothing to approve."""
        if not self.is_on:
            raise BatchlockError(_("This org needs no approval: a sender can start it at once."))
        if not start.rows:
            raise BatchlockError(_("There is nothing to approve: no row would be sent."))
        approval = Approval(
            id=secrets.token_hex(8),
            org=self._context.org,
            subject=start.subject,
            title=start.title,
            start=start.kind.value,
            digest=start.digest,
            counts=start.counts,
            excluded=frozenset({person, *self._editors(start.upload)}),
            requested_by=person,
            requested_at=datetime.now(UTC),
            comment=comment,
        )
        self._approvals.add(approval)
        return approval

    def require_approved(self, run: Run) -> None:
        """Raise HTTPForbidden for a run that two people have not started."""
        if self.is_on and not self.is_approved(run):
            raise web.HTTPForbidden(
                text=_(
                    "Run %(run)s was not approved. Open it, and ask for approval there.",
                    run=run.run_id,
                )
            )

    def request_in(self, form: Mapping[str, object], person: str) -> Approval | None:
        """Return the request that a form of a start names; None where none is needed.

        Raises as `permit` does, before anything is read, and HTTPSeeOther for the second click of
        the person who has approved it.
        """
        if not self.is_on:
            return None
        approval_id = str(form.get("approval", ""))
        if not approval_id:
            raise web.HTTPForbidden(
                text=_(
                    "On %(org)s another person must approve each start. Ask for approval first.",
                    org=self._context.org,
                )
            )
        approval = self._approvals.get(self._context.org, approval_id)
        if approval is not None and approval.run is not None and approval.decided_by == person:
            raise web.HTTPSeeOther(f"{self._context.home}/runs/{approval.run}")
        return self.approval_for(approval_id, person)

    @contextmanager
    def permit(
        self,
        person: str,
        form: Mapping[str, object],
        planned: Callable[[], PlannedStart],
        *,
        address: str,
    ) -> Iterator[Permit]:
        """Allow the start that the block makes, or raise.

        The form names the request. Raises HTTPForbidden without one and for a person who may not
        approve it, and BatchlockError when it does not wait any more or asked for something else.
        The request waits again when the block raises.
        """
        permit = Permit()
        approval = self.request_in(form, person)
        if approval is None:
            yield permit
            return
        start = planned()
        if (start.subject, start.kind.value) != (approval.subject, approval.start):
            raise web.HTTPForbidden(text=_("This request asks for something else."))
        if start.digest != approval.digest:
            self._approvals.decide(approval.id, ApprovalState.WITHDRAWN, "")
            log_approval(self._context, person, "found outdated", approval, address=address)
            raise BatchlockError(
                _(
                    "What would be sent has changed since %(person)s asked for approval. Nothing "
                    "was sent. Ask for approval again.",
                    person=approval.requested_by,
                )
            )
        comment = comment_in(form)
        if not self._approvals.decide(approval.id, ApprovalState.APPROVED, person, comment):
            raise BatchlockError(_("Somebody else has just decided on this request."))
        try:
            yield permit
            assert permit.run_id is not None
        except BaseException:
            self._approvals.reopen(approval.id)
            raise
        self._approvals.set_run(approval.id, permit.run_id)
        approval = replace(approval, run=permit.run_id)
        log_approval(self._context, person, "approved", approval, comment, address=address)

    def approval_for(self, approval_id: str, person: str) -> Approval:
        """Return a request that a person with the right to send may decide on.

        Raises HTTPForbidden for somebody who took part in it, HTTPNotFound for a request that there
        is not, and BatchlockError for one that does not wait any more.
        """
        approval = self._approvals.get(self._context.org, approval_id)
        if approval is None:
            raise web.HTTPNotFound
        if approval.state is not ApprovalState.WAITING:
            raise _decided(approval)
        # Somebody may have read the file again at the moment at which another approval failed.
        editors = self._editors(self._upload(approval.subject_upload))
        if replace(approval, excluded=approval.excluded | editors).excludes(person):
            raise web.HTTPForbidden(
                text=_(
                    "You have prepared this, or asked for it. Another person must approve it or "
                    "send it back."
                )
            )
        return approval

    def _upload(self, upload_id: str | None) -> Upload | None:
        if upload_id is None:
            return None
        return self._context.store.uploads.get(self._context.org, upload_id)

    def _editors(self, upload: Upload | None) -> set[str]:
        if upload is None:
            return set()
        return {upload.user, *self._approvals.editors(upload.id)}


def comment_in(form: Mapping[str, object]) -> str:
    """Return the comment of a submitted form."""
    # A browser sends each line break of a text field as CR LF.
    return str(form.get("comment", "")).replace("\r\n", "\n").strip()[:MAX_COMMENT]


def _decided(approval: Approval) -> BatchlockError:
    """Return the error about a request that does not wait any more."""
    person = approval.decided_by
    if approval.state is ApprovalState.APPROVED:
        return BatchlockError(
            _("This request does not wait any more: it was approved by %(person)s.", person=person)
        )
    if approval.state is ApprovalState.RETURNED:
        return BatchlockError(
            _("This request does not wait any more: it was sent back by %(person)s.", person=person)
        )
    if person:
        return BatchlockError(
            _("This request does not wait any more: it was withdrawn by %(person)s.", person=person)
        )
    return BatchlockError(_("This request does not wait any more: it was withdrawn."))
