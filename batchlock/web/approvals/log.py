"""What the audit log says about requests for approval."""

from aiohttp import web

from batchlock.store.approvals import Approval
from batchlock.store.uploads import Upload
from batchlock.web.context import AppContext


def log_approval(
    context: AppContext,
    person: str,
    action: str,
    approval: Approval,
    comment: str = "",
    *,
    address: str,
) -> None:
    """Record in the audit log what somebody did with a request; `address` is the browser's."""
    rows = "1 row" if approval.rows == 1 else f"{approval.rows:,} rows"
    requester = "" if person == approval.requested_by else f", asked for by {approval.requested_by}"
    subject = f"{approval.title} ({approval.start}, {rows}{requester})"
    if comment:
        subject += f": {comment}"
    context.store.audit_log.add(
        context.org,
        person,
        action,
        subject,
        address=address,
        run=approval.subject_run or approval.run,
        upload=approval.subject_upload,
    )


def log_withdrawal(context: AppContext, request: web.Request, upload: Upload) -> None:
    """Record that a person has withdrawn a request by changing what would be sent."""
    action = "withdrew, by a change, the request about"
    context.log(request, action, upload.name, upload=upload.id)
