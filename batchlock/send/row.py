"""The delivery of one row: look up, decide, send, verify.

    look at the record, where the row needs it ─▶ decide ─▶ Settled
                       ▲                             │
                       │                             ▼ Change
                       └──── answer lost, or ─── PUT, POST or DELETE ─▶ the row's outcome
                             refused because of
                             the lock's state

What a look has shown of a lock is stored before the call that changes or removes the lock, since
nothing can show it later.

A PUT may be repeated at once: the same reason twice is the same lock. A POST or DELETE whose answer
was lost is followed by a look before it is repeated.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from batchlock.core.messages import LOOK_REFUSED_IN_DOUBT
from batchlock.core.reply import Lock, Reply, Verdict
from batchlock.core.results import DONE, Outcome, Status
from batchlock.core.rows import Action, LockId, PreviousLock, Update
from batchlock.send.calls import Calls, CallState
from batchlock.send.decisions import Change, RunFacts, Settled, decide
from batchlock.send.look import look
from batchlock.send.settings import PreviousReason

_NO_ANSWER = (Verdict.LOST, Verdict.BROKEN)
# A row with one of these has made the change itself, so the lock that a look shows is not the
# one from before.
_MADE = frozenset(DONE.values())

KeepPrevious = Callable[[PreviousLock], Awaitable[None]]
"""Stores the lock that a row is about to change; returns when it is on the disk."""


class LockApi(Protocol):
    """The calls that a row needs."""

    async def put_reason(self, update: Update, lock_id: LockId) -> Reply:
        """Give a lock the update's reason."""

    async def lock(self, update: Update) -> Reply:
        """Lock the update's record; the reply has the lock."""

    async def unlock(self, update: Update, lock_id: LockId) -> Reply:
        """Remove a lock of the update's record."""

    async def find_lock(self, update: Update) -> Reply:
        """Look up the lock that the update asks for; see `Update.requested_lock_id`."""


@dataclass(slots=True, kw_only=True)
class RowState(CallState):
    """A row while it is delivered."""

    update: Update
    started: float
    """Monotonic seconds."""
    had_lost_answer: bool = False
    """Whether the row was sent, at any time before, and the answer was lost."""
    previous: PreviousLock | None = None
    """The lock before the change, stored or not; None when no look has shown it."""

    def __post_init__(self) -> None:
        if self.previous is not None and self.update.action is Action.UNLOCK:
            self.name_lock(self.previous.lock_id)

    def name_lock(self, lock_id: LockId) -> None:
        """Let the row unlock this lock only.

        If its answer is lost, another lock that stands there next must not be removed too.
        """
        self.update = replace(self.update, lock_id=lock_id)


async def deliver(
    row: RowState, api: LockApi, calls: Calls, facts: RunFacts, keep_previous: KeepPrevious
) -> Outcome | None:
    """Bring one row to its final status; None if the run ends first.

    Then `row.in_doubt` says whether the change may be made. A row that is in doubt from the
    beginning may have been sent by an earlier session, so it is looked up first. Raises
    BatchlockError for an end of the run.
    """
    update = row.update
    if update.action is Action.FIND:
        return await look(row, update, api, calls, started=row.started)
    stored = row.previous
    step: Change | Outcome | None = Change(update.action, update.lock_id)
    if row.in_doubt or _needs_look(update, facts):
        step = await _look(row, api, calls, facts)
    failures = 0
    while isinstance(step, Change):
        if row.previous != stored and step.action is not Action.LOCK:
            assert row.previous is not None
            await keep_previous(row.previous)
            stored = row.previous
        reply = await _send(row, step, api, calls)
        if reply is None:
            return None
        if reply.verdict is Verdict.REFUSED and reply.about_state:
            step = await _look(row, api, calls, facts, refusal=reply)
            continue
        if reply.verdict not in _NO_ANSWER:
            return _answered(row, step, reply, calls, facts)
        failures += 1
        is_repeated = step.action is Action.UPDATE and not reply.in_composite
        if is_repeated or failures >= calls.retry.attempts:
            return await _verify_lost(row, reply, api, calls, facts)
        await calls.limiter.back_off(failures)
        step = await _look(row, api, calls, facts)
    return step


def _needs_look(update: Update, facts: RunFacts) -> bool:
    """Return whether the lock is looked up before the row is sent."""
    if update.expected is not None:
        return True
    match update.action:
        case Action.UPDATE:
            return update.lock_id is None or facts.previous_reason is PreviousReason.ALWAYS
        case Action.UNLOCK:  # what it removes cannot be seen later
            return update.lock_id is None or facts.previous_reason is not PreviousReason.NEVER
        case Action.LOCK | Action.FIND:  # a record that is locked already is refused
            return False


async def _send(row: RowState, change: Change, api: LockApi, calls: Calls) -> Reply | None:
    """Make the change; return the answer, or None if the run ends first."""
    update, lock_id = row.update, change.lock_id
    if change.action is Action.LOCK:
        return await calls.call_with_retries(
            row, lambda: api.lock(update), changes_lock=True, attempts=1
        )
    assert lock_id is not None
    if change.action is Action.UNLOCK:
        row.name_lock(lock_id)
        return await calls.call_with_retries(
            row, lambda: api.unlock(update, lock_id), changes_lock=True, attempts=1
        )
    return await calls.call_with_retries(
        row, lambda: api.put_reason(update, lock_id), changes_lock=True
    )


async def _look(
    row: RowState, api: LockApi, calls: Calls, facts: RunFacts, *, refusal: Reply | None = None
) -> Change | Outcome | None:
    """Look at the record and decide what the row does now; None if the run ends first.

    `refusal` is the answer to a change that the state of the lock may explain.
    """
    update = row.update
    row.had_lost_answer = row.had_lost_answer or row.in_doubt
    reply = await calls.call_with_retries(row, lambda: api.find_lock(update))
    if reply is None:
        return None
    if reply.verdict is not Verdict.ACCEPTED:
        return _unseen(row, reply, calls, facts, refusal=refusal)
    step = _after_look(row, reply, calls, facts)
    if refusal is not None and isinstance(step, Change) and step.action is update.action:
        # The state of the lock does not explain the refusal of a new lock, so its other meaning
        # holds, which is true of the whole module.
        is_about_setup = update.action is Action.LOCK
        return _outcome(row, replace(refusal, about_setup=is_about_setup), calls)
    # Zoho has shown the lock, so the row is not sent in vain or twice.
    row.in_doubt = False
    return step


def _after_look(row: RowState, reply: Reply, calls: Calls, facts: RunFacts) -> Change | Outcome:
    """Decide what the row does about the lock in the answer to a look."""
    decision = decide(
        row.update,
        reply.lock,
        in_doubt=row.had_lost_answer,
        facts=facts,
        previous_id=row.previous and row.previous.lock_id,
    )
    is_made = isinstance(decision, Settled) and decision.status in _MADE
    if reply.lock is not None and not is_made:
        _set_previous(row, reply.lock, facts)
    if isinstance(decision, Change):
        return decision
    reply = replace(reply, code=decision.code, **decision.explanation._asdict())
    return _outcome(row, reply, calls, decision.status, lock_id=decision.lock_id)


def _set_previous(row: RowState, lock: Lock, facts: RunFacts) -> None:
    if row.update.action is Action.UNLOCK and row.update.lock_id not in (None, lock.lock_id):
        return  # somebody else has made this lock since the row removed its own
    keeps_reason = facts.previous_reason is not PreviousReason.NEVER
    reason = (lock.reason or "") if keeps_reason else None
    row.previous = PreviousLock(row.update.row, lock.lock_id, reason)


def _unseen(
    row: RowState, reply: Reply, calls: Calls, facts: RunFacts, *, refusal: Reply | None
) -> Change | Outcome:
    """Return what the row does when a look has not shown the lock.

    A row whose call is safe without a look is sent even if Zoho refuses the look: a sign-in may
    lack the right to read.
    """
    update = row.update
    if refusal is not None and not row.had_lost_answer:
        return _outcome(row, refusal, calls)
    if reply.verdict in _NO_ANSWER:
        return _outcome(row, reply, calls)
    if refusal is not None:
        reply = replace(refusal, message=LOOK_REFUSED_IN_DOUBT)
        return _outcome(row, reply, calls, Status.FAILED)
    if update.action is Action.LOCK:  # Zoho refuses it where a lock stands
        return Change(Action.LOCK, None)
    is_safe = update.expected is None and update.lock_id is not None
    # The reason that an unlock removes is gone for good, so it is not removed unseen.
    keeps_reason = facts.previous_reason is not PreviousReason.NEVER
    if is_safe and (update.action is Action.UPDATE or not keeps_reason):
        return Change(update.action, update.lock_id)
    if update.action is Action.UNLOCK and row.had_lost_answer:
        reply = replace(reply, message=LOOK_REFUSED_IN_DOUBT)
        return _outcome(row, reply, calls, Status.FAILED)
    return _outcome(row, reply, calls)


async def _verify_lost(
    row: RowState, lost: Reply, api: LockApi, calls: Calls, facts: RunFacts
) -> Outcome | None:
    """Look the lock up once after all attempts brought no answer: the change may be made.

    One attempt is enough: when Zoho does not answer again, the row has failed with `lost`.
    """
    row.had_lost_answer = True
    reply = await calls.call_with_retries(row, lambda: api.find_lock(row.update), attempts=1)
    if reply is None:
        return None
    if reply.verdict is Verdict.ACCEPTED:
        step = _after_look(row, reply, calls, facts)
        if isinstance(step, Outcome) and step.status in _MADE:
            return step
    return _outcome(row, lost, calls)


def _answered(
    row: RowState, change: Change, reply: Reply, calls: Calls, facts: RunFacts
) -> Outcome:
    """Return the outcome of a change that Zoho has answered for good."""
    if reply.verdict is not Verdict.ACCEPTED:
        return _outcome(row, reply, calls)
    lock_id = change.lock_id
    if reply.lock is not None:
        lock_id = reply.lock.lock_id
        facts.own_name = reply.lock.locked_by or facts.own_name
    return _outcome(row, reply, calls, DONE[change.action], lock_id=lock_id)


def _outcome(
    row: RowState,
    reply: Reply,
    calls: Calls,
    status: Status | None = None,
    *,
    lock_id: LockId | None = None,
) -> Outcome:
    """Return an outcome; without a `status`, that of an answer that is not the change itself."""
    if status is None:
        status = Status.REJECTED if reply.verdict is Verdict.REFUSED else Status.FAILED
    return Outcome(
        row=row.update.row,
        status=status,
        http_status=reply.http_status,
        code=reply.code,
        message=reply.message,
        remedy=reply.remedy,
        attempts=row.attempts,
        finished_at=datetime.now(UTC),
        duration=calls.limiter.clock.monotonic() - row.started,
        about_setup=reply.about_setup,
        previous_reason=row.previous and row.previous.reason,
        lock_id=lock_id,
    )
