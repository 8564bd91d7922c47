"""Deliver every pending row, until all have their final status or something ends the run.

Each claimed row is a task that waits for a permit of the call limiter. The journal writer records
outcomes and claims the next rows in the same commit, at most two windows of rows ahead. So no row
goes out before the journal marks it as `sending`, and no row waits for its own commit. The one
exception is a row whose lock was looked up before it is changed: it waits, without a permit, until
a shared commit has stored what the lock says. After a kill nothing else could show it.

    journal ─ claim ─▶ rows ─ limiter ─▶ Zoho ─ reply ─▶ outcome ─▶ journal writer ─▶ journal
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from batchlock.core.cancel import CancelToken
from batchlock.core.errors import (
    DATABASE_ERRORS,
    BatchlockError,
    SignInRefused,
    Stopped,
    UsageError,
)
from batchlock.core.observer import RunObserver
from batchlock.core.results import Outcome, Result
from batchlock.core.rows import PreviousLock, Update
from batchlock.core.stop import Cancelled, StopReason
from batchlock.send.calls import CallCosts, Calls
from batchlock.send.decisions import RunFacts
from batchlock.send.journal_writer import JournalWriter, ThreadWriter
from batchlock.send.pacing.limiter import CallLimiter
from batchlock.send.pacing.settings import Retry
from batchlock.send.row import LockApi, RowState
from batchlock.send.row import deliver as deliver_row
from batchlock.send.settings import PreviousReason, StopSettings
from batchlock.send.stop_rules import StopRules
from batchlock.store.journal import Journal

_T = TypeVar("_T")

# Results of rows for which a call was made, and Zoho may have changed them.
_SENT = (
    Result.UPDATED,
    Result.LOCKED,
    Result.UNLOCKED,
    Result.REJECTED,
    Result.FAILED,
    Result.UNKNOWN,
)

# Outcomes wait this long for others to share their commit: a commit for each row costs 23 to
# 131 µs, a shared one 4 to 8 µs a row. Outcomes must be on the disk within 0.1 s.
_COMMIT_DELAY_SECONDS = 0.05
# Twice a second is as often as a person can read the progress.
_PROGRESS_SECONDS = 0.5


async def deliver(
    journal: Journal,
    api: LockApi,
    limiter: CallLimiter,
    *,
    retry: Retry,
    stop: StopSettings,
    cancel_token: CancelToken,
    observer: RunObserver,
    previous_reason: PreviousReason = PreviousReason.AUTO,
    writer: JournalWriter | None = None,
) -> None:
    """Deliver every row of the journal that is pending or in doubt.

    Without a `writer`, a thread writes to the journal.

    Returns when none is left. When the token is cancelled, no new call starts, the calls in flight
    finish and are recorded, rows that were not sent are pending again, and Cancelled is raised. A
    bug in one row is raised as itself; rows in flight are then in doubt.
    """
    costs = CallCosts(since=limiter.clock.monotonic())
    calls = Calls(limiter, retry, cancel_token, costs)
    facts, counts = await asyncio.to_thread(_read_facts, journal, previous_reason)
    sender = Sender(
        journal,
        writer or ThreadWriter(journal),
        api,
        limiter,
        calls,
        cancel_token,
        observer,
        StopRules(stop),
        facts,
    )
    try:
        with cancel_token.callbacks_while(limiter.close, calls.abort_after_timeout):
            async with asyncio.TaskGroup() as tasks:
                sender.tasks = tasks
                sender.has_sent = any(counts[result] for result in _SENT)
                tasks.create_task(sender.journal_loop())
                tasks.create_task(sender.progress_loop())
    except BaseExceptionGroup as group:
        raise _first_error(group) from None
    finally:
        calls.close()
    cancel_token.raise_if_cancelled()


def _read_facts(
    journal: Journal, previous_reason: PreviousReason
) -> tuple[RunFacts, dict[Result, int]]:
    facts = RunFacts(
        started_at=journal.info.started_at,
        previous_reason=previous_reason,
        changes_reasons=journal.changes_reasons,
    )
    return facts, journal.counts()


def _first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first_error(error) if isinstance(error, BaseExceptionGroup) else error


@dataclass(slots=True)
class Sender:
    """The rows of one run in progress, between the journal and the calls."""

    journal: Journal
    writer: JournalWriter
    api: LockApi
    limiter: CallLimiter
    calls: Calls
    cancel_token: CancelToken
    observer: RunObserver
    stop_rules: StopRules
    facts: RunFacts
    tasks: asyncio.TaskGroup = field(init=False)
    in_progress: int = 0
    """Rows that are claimed and have no final status."""
    has_sent: bool = False
    """Whether a row was sent, in this session or an earlier one, and Zoho may have changed it."""
    outcomes: list[Outcome] = field(default_factory=list)
    """Not yet recorded."""
    released: list[int] = field(default_factory=list)
    """Numbers of claimed rows that were not sent and become pending again."""
    previous_locks: "list[tuple[PreviousLock, asyncio.Future[None]]]" = field(default_factory=list)
    """Not yet stored, each with the row that waits for that."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a row ends, or waits for a commit."""
    low_water: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when so few claimed rows are left that the next commit should not wait."""
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    async def journal_loop(self) -> None:
        """Claim rows and record their outcomes, until none is left: the journal writer."""
        in_doubt = deque(await asyncio.to_thread(self._rows_in_doubt))
        has_pending = True
        while has_pending or self.in_progress or self.outcomes or self.released:
            claim = 2 * self.limiter.window - self.in_progress
            if self.cancel_token.reason is not None:
                claim, has_pending = 0, False
            # Rows in doubt are marked already, so they need no claim; they share its bound.
            while in_doubt and claim > 0:
                self._start(*in_doubt.popleft(), in_doubt=True)
                claim -= 1
            outcomes, self.outcomes = self.outcomes, []
            released, self.released = self.released, []
            self.changed.clear()
            self.low_water.clear()
            claimed = await self._commit(outcomes, released, max(claim, 0) if has_pending else 0)
            for update in claimed:
                self._start(update)
            has_pending = has_pending and (bool(claimed) or claim <= 0)
            if self.in_progress:
                await self.changed.wait()
                await self.limiter.clock.wait(self.low_water, _COMMIT_DELAY_SECONDS)
        # Rows that end in doubt have no outcome, so the loop may end with their costs unrecorded.
        await self._commit([], [], 0)
        self.finished.set()

    async def _commit(
        self, outcomes: list[Outcome], released: list[int], claim: int
    ) -> list[Update]:
        costs = self.calls.costs.drain(now=self.limiter.clock.monotonic(), peak=self.limiter.peak)
        previous_locks, self.previous_locks = self.previous_locks, []
        claimed = await _uncancelled(
            self.writer.commit(
                outcomes,
                released=released,
                claim=claim,
                previous_locks=[lock for lock, _ in previous_locks],
                costs=costs,
            )
        )
        for _, stored in previous_locks:
            if not stored.done():  # a row whose task was cancelled does not wait any more
                stored.set_result(None)
        return claimed

    def _rows_in_doubt(self) -> list[tuple[Update, PreviousLock | None]]:
        previous_locks = {lock.row: lock for lock in self.journal.previous_locks_in_doubt()}
        return [(update, previous_locks.get(update.row)) for update in self.journal.in_doubt()]

    async def keep_previous(self, lock: PreviousLock) -> None:
        """Return when the lock that a row is about to change is stored."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.previous_locks.append((lock, stored))
        self._wake_writer()
        await stored

    async def progress_loop(self) -> None:
        """Report the limiter's state about twice a second, and at the end."""
        while not self.finished.is_set():
            self.observer.on_progress(self.limiter.snapshot)
            await self.limiter.clock.wait(self.finished, _PROGRESS_SECONDS)
        self.observer.on_progress(self.limiter.snapshot)

    def _start(
        self, update: Update, previous: PreviousLock | None = None, *, in_doubt: bool = False
    ) -> None:
        self.in_progress += 1
        started = self.limiter.clock.monotonic()
        row = RowState(update=update, started=started, in_doubt=in_doubt, previous=previous)
        self.tasks.create_task(self._deliver_row(row))

    async def _deliver_row(self, row: RowState) -> None:
        try:
            outcome = await deliver_row(row, self.api, self.calls, self.facts, self.keep_previous)
        except DATABASE_ERRORS:
            raise  # nothing can be recorded
        except BatchlockError as error:
            # Once rows were sent, another error (a token file that cannot be written, for example)
            # must not end with an exit code that says "nothing was sent".
            ends_run = isinstance(error, SignInRefused | Stopped | Cancelled) or (
                isinstance(error, UsageError) and not self.has_sent
            )
            ending = error if ends_run else Stopped(f"Stopped: {error}")
            self.cancel_token.cancel(StopReason.of(ending))
            outcome = None
        self.in_progress -= 1
        self.has_sent = self.has_sent or outcome is not None or row.in_doubt
        if outcome is not None:
            self.outcomes.append(outcome)
            self.observer.on_row(outcome)
            if (reason := self.stop_rules.add(outcome)) is not None:
                self.cancel_token.cancel(reason)
        elif not row.in_doubt:
            self.released.append(row.update.row)
        self._wake_writer()

    def _wake_writer(self) -> None:
        self.changed.set()
        # An eighth of the window is the reserve that lasts while the next commit runs.
        if self.in_progress < self.limiter.window * 9 // 8:
            self.low_water.set()


async def _uncancelled(work: Coroutine[Any, Any, _T]) -> _T:
    """Await work that must not continue unobserved: on cancellation, wait for its end first.

    A thread cannot be cancelled. The journal would be closed while the thread still writes.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
