"""The notices of the page: somebody asks another person for an approval.

That a run of the page has ended is told by the process that sends it.
"""

from batchlock.notify.notifier import Notifier
from batchlock.notify.texts import person_notice
from batchlock.store.approvals import Approval
from batchlock.web.context import AppContext


def send_approval_notice(context: AppContext, approval: Approval) -> None:
    """Tell that a request waits for another person; returns at once.

    Neither the comment nor anything of the file but its name leaves the page.
    """
    settings = context.settings
    rows = "1 row" if approval.rows == 1 else f"{approval.rows:,} rows"
    notice = person_notice(
        "page",
        org=approval.org,
        environment=settings.zoho.environment,
        what="waits for approval",
        text=f"{approval.requested_by} asks another person to approve the start of "
        f"{approval.title} ({rows}). Open the page of {approval.org}, and there the list of what "
        "waits for approval.",
        file=approval.title,
        run_id=approval.subject_run,
    )
    Notifier(settings.notify, settings.network, pings=False).send(notice)
