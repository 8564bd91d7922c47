import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.delivery import (
    ACCEPTED,
    BROKEN,
    DENIED,
    EXPIRED,
    LOST,
    NO_LOCK,
    REFUSED,
    RETRY,
    THROTTLED,
    UNREACHABLE,
    journal_of,
    lock_reply,
    send,
    updates_of,
)
from support.examples import examples

from batchlock.core.errors import SignInRefused
from batchlock.core.reply import Lock, Reply
from batchlock.core.results import Result
from batchlock.core.rows import Action, LockId, Update
from batchlock.simulator import lock_id_of


def wished_reason(update: Update) -> str | None:
    """Return the reason that the lock has when the row is done; None: no lock."""
    return None if update.action is Action.UNLOCK else update.reason


def shown_lock(update: Update) -> Lock | None:
    """Return the lock in the answer to a change: only a new lock is shown."""
    is_new = update.action is Action.LOCK
    return Lock(LockId(lock_id_of(update.record_id)), update.reason) if is_new else None


@dataclass(slots=True)
class SimulatedOrg:
    """A simulated Zoho that knows what was applied, and answers at random."""

    random: Callable[[], float]
    is_healthy: bool = False
    """Whether every call is answered well."""
    reasons: dict[str, str | None] = field(default_factory=dict)
    """The reasons of the locks that were changed; None: the record is not locked any more."""
    acknowledged: Counter[int] = field(default_factory=Counter)
    """How often each row was answered with success."""
    refused: set[int] = field(default_factory=set)
    received: set[int] = field(default_factory=set)

    async def put_reason(self, update: Update, lock_id: LockId) -> Reply:
        assert lock_id == lock_id_of(update.record_id)
        return await self._change(update, is_possible=self.reason_of(update) is not None)

    async def lock(self, update: Update) -> Reply:
        return await self._change(update, is_possible=self.reason_of(update) is None)

    async def unlock(self, update: Update, lock_id: LockId) -> Reply:
        assert lock_id == lock_id_of(update.record_id)
        return await self._change(update, is_possible=self.reason_of(update) is not None)

    def reason_of(self, update: Update) -> str | None:
        """Return the reason of a record's lock; None when it is not locked."""
        before = None if update.action is Action.LOCK else "before"
        return self.reasons.get(update.record_id, before)

    async def _change(self, update: Update, *, is_possible: bool) -> Reply:
        await asyncio.sleep(self.random() * 2)
        fault = await self._fault(update)
        if fault is not None:
            return fault
        draw = 1.0 if self.is_healthy else self.random()
        if draw < 0.1:
            self.refused.add(update.row)
            return REFUSED
        if draw < 0.2:
            self.received.add(update.row)
            return (self.random() < 0.5 and LOST) or BROKEN
        self.received.add(update.row)
        if not is_possible:  # locked already, or not locked any more
            return replace(REFUSED, about_state=True)
        self.reasons[update.record_id] = wished_reason(update)
        if draw < 0.4:
            return LOST
        self.acknowledged[update.row] += 1
        return replace(ACCEPTED, lock=shown_lock(update))

    async def find_lock(self, update: Update) -> Reply:
        await asyncio.sleep(self.random() * 2)
        fault = await self._fault(update)
        if fault is not None:
            return fault
        if not self.is_healthy and self.random() < 0.2:
            return LOST
        reason = self.reason_of(update)
        return NO_LOCK if reason is None else lock_reply(reason, lock_id_of(update.record_id))

    async def _fault(self, update: Update) -> Reply | None:
        draw = 1.0 if self.is_healthy else self.random()
        if draw < 0.005:
            return DENIED
        if draw < 0.01:
            raise SignInRefused("Revoked.")
        if draw < 0.05:
            return EXPIRED
        if draw < 0.1:
            return THROTTLED
        return UNREACHABLE if draw < 0.15 else None


@settings(max_examples=examples(150))
@given(
    rng=st.randoms(use_true_random=False),
    rows=st.integers(1, 25),
    in_doubt=st.integers(0, 6),
    window=st.integers(1, 6),
    has_lookups=st.booleans(),
    action=st.sampled_from([Action.UPDATE, Action.LOCK, Action.UNLOCK]),
    cancel_times=st.lists(st.floats(0, 15), max_size=3),
)
def test_the_results_are_true_for_any_replies_and_interruptions(
    tmp_path_factory: pytest.TempPathFactory,
    rng: Random,
    rows: int,
    in_doubt: int,
    window: int,
    has_lookups: bool,
    action: Action,
    cancel_times: list[float],
) -> None:
    lock_id = None if has_lookups or action is Action.LOCK else "in file"
    updates = [replace(update, action=action) for update in updates_of(rows, lock_id=lock_id)]
    path = journal_of(tmp_path_factory.getbasetemp() / "journal", updates, in_doubt=in_doubt)
    org = SimulatedOrg(rng.random)
    # Each row that the killed session left in doubt was applied or was not.
    for update in updates[:in_doubt]:
        if rng.random() < 0.5:
            org.reasons[update.record_id] = wished_reason(update)
            org.received.add(update.row)
    for cancel_after in [*cancel_times, None]:
        org.is_healthy = cancel_after is None
        delivery = send(path, org, window=window, cancel_after=cancel_after)
        assert list(delivery.lines) == [update.row for update in updates]
        for update in updates:
            line = delivery.lines[update.row]
            is_done = org.reason_of(update) == wished_reason(update)
            match line.result:
                case Result.UPDATED | Result.LOCKED | Result.UNLOCKED | Result.UNCHANGED:
                    assert is_done
                case Result.NOT_SENT:
                    assert not is_done
                case Result.REJECTED:
                    assert update.row in org.refused
                case Result.UNKNOWN:
                    assert update.row in org.received or update.row < 2 + in_doubt
                case _:
                    assert line.result is Result.FAILED
                    assert line.attempts >= RETRY.attempts
            assert org.acknowledged[update.row] <= 1
    assert delivery.error is None
    assert not {Result.NOT_SENT, Result.UNKNOWN} & set(delivery.results)
