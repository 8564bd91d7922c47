"""The check, before the first row, that the sign-in belongs to the expected org."""

from typing import Protocol

from batchlock.core.errors import SignInRefused, Stopped, UsageError
from batchlock.core.reply import Reply, Verdict
from batchlock.send.pacing.limiter import CallLimiter

# The exception for a reply that does not confirm the org. Every other verdict may pass with time,
# so it is Stopped: the run can be resumed.
_EXCEPTIONS = {
    Verdict.REFUSED: UsageError,
    Verdict.DENIED: SignInRefused,
    Verdict.EXPIRED: SignInRefused,
}


class OrgApi(Protocol):
    """The call that names the org of a sign-in."""

    async def check_org(self, org_id: str) -> Reply:
        """Return ACCEPTED when the sign-in is for `org_id`, REFUSED when for another org."""


async def check_org(api: OrgApi, org_id: str, limiter: CallLimiter, *, attempts: int) -> None:
    """Return once Zoho has confirmed that the sign-in is for the org `org_id`.

    The call goes through the limiter, as rows do: throttling is bounded by time, failures by
    `attempts`. Raises UsageError for another org, SignInRefused, and Stopped when Zoho gives no
    answer for now.
    """
    failures, token_replaced = 0, False
    while (permit := await limiter.acquire()) is not None:
        try:
            reply = await api.check_org(org_id)
        except BaseException:
            limiter.abandon()
            raise
        # The credits of a run are those of its rows, and this call belongs to no row.
        limiter.release(permit, reply, cost=0)
        match reply.verdict:
            case Verdict.ACCEPTED:
                return
            case Verdict.THROTTLED | Verdict.UNREACHABLE:
                continue
            case Verdict.EXPIRED if not token_replaced:
                token_replaced = True
                continue
            case Verdict.BROKEN | Verdict.LOST:
                failures += 1
                if failures < attempts:
                    await limiter.back_off(failures)
                    continue
        raise _EXCEPTIONS.get(reply.verdict, Stopped)(reply.explanation)
