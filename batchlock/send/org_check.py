"""The check, before the first row, that the sign-in belongs to the expected org."""

from typing import Protocol

from batchlock.core.cancel import CancelToken
from batchlock.core.errors import Stopped, UsageError
from batchlock.core.reply import Reply, Verdict
from batchlock.send.calls import Calls, CallState
from batchlock.send.pacing.limiter import CallLimiter
from batchlock.send.pacing.settings import Retry


class OrgApi(Protocol):
    """The call that names the org of a sign-in."""

    async def check_org(self, org_id: str) -> Reply:
        """Return ACCEPTED when the sign-in is for `org_id`, REFUSED when for another org."""


async def check_org(api: OrgApi, org_id: str, limiter: CallLimiter, retry: Retry) -> None:
    """Return once Zoho has confirmed that the sign-in is for the org `org_id`.

    Raises UsageError for another org, SignInRefused, and Stopped or Cancelled when Zoho gives no
    answer for now, so that the run can be resumed.
    """
    # Another token than that of the run, whose callbacks announce that calls of rows are finished.
    cancel_token = CancelToken()
    # The credits of a run are those of its rows, and this call belongs to no row.
    calls = Calls(limiter, retry, cancel_token, charges_run=False)
    with cancel_token.callbacks_while(limiter.close):
        reply = await calls.call_with_retries(CallState(), lambda: api.check_org(org_id))
    cancel_token.raise_if_cancelled()
    if reply is None or reply.verdict is Verdict.ACCEPTED:
        return
    raise (UsageError if reply.verdict is Verdict.REFUSED else Stopped)(reply.explanation)
