"""The check, before the first row, that the sign-in belongs to the expected org."""

from typing import Protocol

from batchlock.core.cancel import CancelToken
from batchlock.core.errors import Stopped, WrongOrg
from batchlock.core.org import OrgFacts
from batchlock.core.reply import Reply, Verdict
from batchlock.send.calls import CallCosts, Calls, CallState
from batchlock.send.pacing.limiter import CallLimiter
from batchlock.send.pacing.settings import Retry
from batchlock.zoho.datacenters import ENVIRONMENTS


class OrgApi(Protocol):
    """The call that names the org of a sign-in."""

    async def get_org(self) -> Reply:
        """Ask which org the sign-in belongs to."""


async def require_org(
    api: OrgApi, limiter: CallLimiter, retry: Retry, *, costs: CallCosts
) -> OrgFacts:
    """Return what Zoho says about the org of the sign-in; try again as long as for a row.

    Raises SignInRefused, and Stopped or Cancelled when Zoho gives no answer for now, so that the
    run can be resumed.
    """
    # Another token than that of the run, whose callbacks announce that calls of rows are finished.
    cancel_token = CancelToken()
    calls = Calls(limiter, retry, cancel_token, costs=costs)
    with cancel_token.callbacks_while(limiter.close):
        reply = await calls.call_with_retries(CallState(), api.get_org)
    cancel_token.raise_if_cancelled()
    if reply is None or reply.verdict is not Verdict.ACCEPTED or reply.org is None:
        raise Stopped(reply.explanation if reply is not None else "Zoho did not name the org.")
    return reply.org


def check_org(facts: OrgFacts, *, org_id: str | None, environment: str | None) -> None:
    """Raise WrongOrg unless the org is `org_id` and of the type that `environment` names.

    None stands for no expectation. A type that is none of our environments is no reason to refuse:
    nobody documents all types.
    """
    if org_id is not None and org_id not in facts.ids:
        name = " or ".join(facts.ids) or "that Zoho does not name"
        raise WrongOrg(
            f"This sign-in is for the org {name}, not for {org_id}. Nothing was sent. Sign in to "
            "the right org with `batchlock login`, or correct zoho.organization_id.",
            guard="wrong_org",
        )
    if environment is None or facts.org_type not in ENVIRONMENTS:
        return
    if facts.org_type != environment:
        company = f", {facts.company_name}," if facts.company_name else ""
        raise WrongOrg(
            f"The org of this sign-in{company} is of the type {facts.org_type}, but "
            f"zoho.environment is {environment}. Nothing was sent. Sign in to the right org with "
            "`batchlock login`, or correct zoho.environment.",
            guard="wrong_environment",
        )
