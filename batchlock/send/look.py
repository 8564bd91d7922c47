"""The look at the lock of one record, for a run that finds locked records."""

from datetime import UTC, datetime
from typing import Protocol

from batchlock.core.messages import NOT_LOCKED_ANY_MORE
from batchlock.core.reply import Reply, Verdict
from batchlock.core.results import Outcome, Status
from batchlock.core.rows import Update
from batchlock.send.calls import Calls, CallState

# A look changes nothing, so a record that was looked at is as unchanged as a lock that is already
# as a row asks. No later run takes it for a change of this run.
_STATUS = {
    Verdict.ACCEPTED: Status.UNCHANGED,
    Verdict.REFUSED: Status.REJECTED,
    Verdict.BROKEN: Status.FAILED,
    Verdict.LOST: Status.FAILED,
}


class LookApi(Protocol):
    """The call of a look."""

    async def find_lock(self, update: Update) -> Reply:
        """Look the record's lock up."""


async def look(
    state: CallState, update: Update, api: LookApi, calls: Calls, *, started: float
) -> Outcome | None:
    """Look at the lock of a record; None if the run ends first.

    `started` is the monotonic time at which the row began. Raises BatchlockError for an end of the
    run.
    """
    # Whatever became of an earlier look, another one is right.
    state.in_doubt = False
    reply = await calls.call_with_retries(state, lambda: api.find_lock(update))
    if reply is None:
        return None
    is_free = reply.verdict is Verdict.ACCEPTED and reply.lock is None
    return Outcome(
        row=update.row,
        status=_STATUS[reply.verdict],
        http_status=reply.http_status,
        code="NOT_LOCKED" if is_free else reply.code,
        message=NOT_LOCKED_ANY_MORE if is_free else reply.message,
        remedy=reply.remedy,
        attempts=state.attempts,
        finished_at=datetime.now(UTC),
        duration=calls.limiter.clock.monotonic() - started,
        about_setup=reply.about_setup,
        seen_lock=reply.lock,
    )
