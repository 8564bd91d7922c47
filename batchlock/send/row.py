"""The delivery of one row: look up, decide, send, verify. It shares no state with other rows."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from batchlock.core.messages import NOT_LOCKED, REASON_ALREADY_SET, UPDATED_AFTER_LOST_ANSWER
from batchlock.core.reply import Reply, Verdict
from batchlock.core.results import Outcome, Status
from batchlock.core.rows import LockId, Update
from batchlock.send.calls import Calls, CallState

_STATUS = {
    Verdict.ACCEPTED: Status.UPDATED,
    Verdict.REFUSED: Status.REJECTED,
    Verdict.BROKEN: Status.FAILED,
    Verdict.LOST: Status.FAILED,
}


class LockApi(Protocol):
    """The calls that a row needs."""

    async def put_reason(self, update: Update, lock_id: LockId) -> Reply:
        """Send the update."""

    async def find_lock(self, update: Update) -> Reply:
        """Look the record's lock up."""


@dataclass(slots=True, kw_only=True)
class RowState(CallState):
    """A row while it is delivered."""

    update: Update
    started: float
    """Monotonic seconds."""


async def deliver(row: RowState, api: LockApi, calls: Calls) -> Outcome | None:
    """Bring one row to its final status; None if the run ends first.

    Then `row.in_doubt` says whether the update may be made. A row that is in doubt from the
    beginning may have been sent by an earlier session, so it is looked up first. Raises
    BatchlockError for an end of the run.
    """
    update = row.update
    lock_id = update.lock_id
    if row.in_doubt or lock_id is None:
        reply = await calls.call_with_retries(row, lambda: api.find_lock(update))
        if reply is None:
            return None
        decision = _decide_after_lookup(row, reply, calls)
        if isinstance(decision, Outcome):
            return decision
        lock_id = decision
        # Zoho shows another reason, so the update was not made; any other answer shows nothing.
        row.in_doubt = row.in_doubt and reply.verdict is not Verdict.ACCEPTED
    target = lock_id  # for the type checker: a lambda would see a variable that may be None
    reply = await calls.call_with_retries(
        row, lambda: api.put_reason(update, target), changes_lock=True
    )
    if reply is None:
        return None
    if reply.verdict in (Verdict.LOST, Verdict.BROKEN):
        return await _verify_lost(row, reply, api, calls)
    return _outcome(row, reply, calls)


def _decide_after_lookup(row: RowState, reply: Reply, calls: Calls) -> Outcome | LockId:
    """Return the row's outcome, or the lock to which the update goes.

    A row in doubt with a lock id in the file is sent again even if Zoho refuses the look-up: a
    sign-in may lack the right to read.
    """
    update, lock = row.update, reply.lock
    if lock is not None and lock.reason == update.reason:
        if row.in_doubt:
            reply = replace(reply, message=UPDATED_AFTER_LOST_ANSWER)
            return _outcome(row, reply, calls, Status.UPDATED)
        reply = replace(reply, message=REASON_ALREADY_SET)
        return _outcome(row, reply, calls, Status.UNCHANGED)
    if reply.verdict in (Verdict.BROKEN, Verdict.LOST):
        return _outcome(row, reply, calls)
    if row.in_doubt and update.lock_id is not None:
        return update.lock_id
    if reply.verdict is Verdict.REFUSED:
        return _outcome(row, reply, calls)
    if lock is None:
        reply = replace(reply, code="NOT_LOCKED", **NOT_LOCKED._asdict())
        return _outcome(row, reply, calls, Status.REJECTED)
    return lock.lock_id


async def _verify_lost(row: RowState, lost: Reply, api: LockApi, calls: Calls) -> Outcome | None:
    """Look the lock up once after all attempts brought no answer: the update may be made.

    One attempt is enough: when Zoho does not answer again, the row has failed with `lost`.
    """
    reply = await calls.call_with_retries(row, lambda: api.find_lock(row.update), attempts=1)
    if reply is None:
        return None
    if reply.lock is not None and reply.lock.reason == row.update.reason:
        reply = replace(reply, message=UPDATED_AFTER_LOST_ANSWER)
        return _outcome(row, reply, calls, Status.UPDATED)
    return _outcome(row, lost, calls)


def _outcome(row: RowState, reply: Reply, calls: Calls, status: Status | None = None) -> Outcome:
    return Outcome(
        row=row.update.row,
        status=status or _STATUS[reply.verdict],
        http_status=reply.http_status,
        code=reply.code,
        message=reply.message,
        remedy=reply.remedy,
        attempts=row.attempts,
        finished_at=datetime.now(UTC),
        duration=calls.limiter.clock.monotonic() - row.started,
        about_setup=reply.about_setup,
    )
