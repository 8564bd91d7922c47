"""What a row does about the lock that a look at its record shows: values in, a decision out.

row + lock (or none)  ─▶  Change   the call to make next
                      ─▶  Settled  the row's final status, without a further call
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from batchlock.core import messages
from batchlock.core.messages import Explanation
from batchlock.core.reply import Lock
from batchlock.core.results import Status
from batchlock.core.rows import Action, LockId, Update
from batchlock.send.settings import PreviousReason

# How far the clock of this machine may be ahead of Zoho's. A lock that somebody else made with the
# same reason in these minutes before the run cannot be told from our own.
_CLOCK_DIFFERENCE = timedelta(minutes=5)


@dataclass(slots=True, kw_only=True)
class RunFacts:
    """What all rows of a run share."""

    started_at: datetime
    """When the run was planned, UTC."""
    previous_reason: PreviousReason = PreviousReason.AUTO
    changes_reasons: bool = False
    """Whether LOCK gives a record that is locked already the row's reason."""
    own_name: str = ""
    """The person whose name the locks of this run have; empty until an answer shows it."""


class Change(NamedTuple):
    """A call that changes the lock of a record."""

    action: Action
    lock_id: LockId | None
    """None for LOCK."""


class Settled(NamedTuple):
    """The final status of a row that needs no further call."""

    status: Status
    explanation: Explanation
    code: str = ""
    lock_id: LockId | None = None
    """The lock that the row has changed, made or removed; None when it is not known."""


def decide(
    update: Update,
    lock: Lock | None,
    *,
    in_doubt: bool,
    facts: RunFacts,
    previous_id: LockId | None = None,
) -> Change | Settled:
    """Decide what a row does when its record has this lock, or none.

    `in_doubt`: the row was sent before, and the answer was lost. `previous_id` is the lock that an
    earlier look has shown.
    """
    match update.action:
        case Action.UPDATE:
            return _decide_update(update, lock, in_doubt=in_doubt)
        case Action.LOCK:
            return _decide_lock(
                update, lock, in_doubt=in_doubt, facts=facts, previous_id=previous_id
            )
        case Action.UNLOCK:
            return _decide_unlock(update, lock, in_doubt=in_doubt)
        case Action.FIND:
            raise AssertionError("a look changes nothing, so nothing is decided")


def _decide_update(update: Update, lock: Lock | None, *, in_doubt: bool) -> Change | Settled:
    expected = update.expected
    is_target = lock is not None and (expected is None or lock.lock_id == expected.lock_id)
    if lock is not None and is_target and lock.reason == update.reason:
        if in_doubt:
            return _settled(
                Status.UPDATED, messages.UPDATED_AFTER_LOST_ANSWER, lock_id=lock.lock_id
            )
        return _settled(Status.UNCHANGED, messages.REASON_ALREADY_SET)
    if _has_changed(update, lock):
        return _changed_since(lock)
    if lock is not None:
        return Change(Action.UPDATE, lock.lock_id)
    if update.lock_id is not None:
        # It is not there, or the record has another one. Zoho's refusal says so.
        return Change(Action.UPDATE, update.lock_id)
    return Settled(Status.REJECTED, messages.NOT_LOCKED, "NOT_LOCKED")


def _decide_lock(
    update: Update,
    lock: Lock | None,
    *,
    in_doubt: bool,
    facts: RunFacts,
    previous_id: LockId | None,
) -> Change | Settled:
    if lock is None:
        return Change(Action.LOCK, None)
    if lock.reason == update.reason:
        # The lock of an earlier look stood there before the row gave it its reason.
        if in_doubt and lock.lock_id != previous_id and _is_own(lock, facts):
            return _settled(Status.LOCKED, messages.LOCKED_AFTER_LOST_ANSWER, lock_id=lock.lock_id)
        if in_doubt and facts.changes_reasons:
            return _settled(
                Status.UPDATED, messages.UPDATED_AFTER_LOST_ANSWER, lock_id=lock.lock_id
            )
        return _settled(Status.UNCHANGED, messages.LOCKED_ALREADY)
    if update.expected is not None:
        return _changed_since(lock)
    if lock.is_automatic:
        return Settled(Status.REJECTED, messages.automatic_lock(lock), "AUTOMATIC_LOCK")
    if facts.changes_reasons:
        return Change(Action.UPDATE, lock.lock_id)
    return Settled(Status.REJECTED, messages.another_reason(lock), "ALREADY_LOCKED")


def _decide_unlock(update: Update, lock: Lock | None, *, in_doubt: bool) -> Change | Settled:
    if lock is None:
        if in_doubt:
            message = messages.UNLOCKED_AFTER_LOST_ANSWER
            return _settled(Status.UNLOCKED, message, lock_id=update.lock_id)
        return _settled(Status.UNCHANGED, messages.UNLOCKED_ALREADY)
    if _has_changed(update, lock):
        return _changed_since(lock)
    if update.lock_id not in (None, lock.lock_id):
        explanation = messages.another_lock(lock, str(update.lock_id))
        return Settled(Status.REJECTED, explanation, "OTHER_LOCK")
    return Change(Action.UNLOCK, lock.lock_id)


def _has_changed(update: Update, lock: Lock | None) -> bool:
    """Return whether the lock is another one than an undo expects."""
    expected = update.expected
    if expected is None:
        return False
    return lock is None or (lock.lock_id, lock.reason) != (expected.lock_id, expected.reason)


def _is_own(lock: Lock, facts: RunFacts) -> bool:
    """Return whether a lock with the row's reason was made by this run."""
    if lock.locked_at is not None and lock.locked_at < facts.started_at - _CLOCK_DIFFERENCE:
        return False
    return not facts.own_name or lock.locked_by in ("", facts.own_name)


def _settled(status: Status, message: str, *, lock_id: LockId | None = None) -> Settled:
    return Settled(status, Explanation(message), lock_id=lock_id)


def _changed_since(lock: Lock | None) -> Settled:
    return Settled(Status.REJECTED, messages.changed_since(lock), "CHANGED_SINCE")
