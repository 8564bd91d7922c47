"""Deliver every pending update, attempt by attempt, until all have ended or a rule stops the run.

Rows are claimed from the journal ahead of time, at most two windows of them, and each claimed
row is a task that queues at the gate. A clerk writes outcomes down and claims the next rows in
the same commit, so that no row goes out unmarked and none waits for its own commit.

    journal ─ claim ─▶ rows ─ gate ─▶ Zoho ─ reply ─▶ outcome ─▶ clerk ─▶ journal
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from batchlock.core.cancel import CancelToken
from batchlock.core.errors import BatchlockError, SignInRefused, Stopped
from batchlock.core.observer import RunObserver
from batchlock.core.reply import Reply, Verdict
from batchlock.core.results import Outcome, Status
from batchlock.core.rows import LockId, Update
from batchlock.send.pacing.limiter import CallLimiter, Permit
from batchlock.send.pacing.settings import Retry
from batchlock.send.settings import StopSettings
from batchlock.send.stop_rules import StopRules
from batchlock.store.journal import Journal, Totals

_T = TypeVar("_T")

_GROUP = 0.05
"""Seconds that outcomes may wait for others to share their commit."""
_BEAT = 0.5
"""Seconds between two looks at why everyone waits."""


class LockApi(Protocol):
    """What can talk to Zoho."""

    async def put_reason(self, update: Update, lock_id: LockId) -> Reply:
        """Send the update."""

    async def find_lock(self, update: Update) -> Reply:
        """Look the record's lock up."""


@dataclass(slots=True)
class _Row:
    """A row under way."""

    update: Update
    in_doubt: bool
    """Whether Zoho may have done it without our knowing."""
    began: float
    attempts: int = 0


@dataclass(slots=True)
class _Spent:
    """What the calls since the last commit have cost."""

    requests: int = 0
    credits_used: int = 0
    since: float = 0.0

    def add(self, reply: Reply) -> int:
        """Count a call; return its credits: one unless Zoho has not let it in."""
        if reply.verdict is Verdict.UNREACHABLE:
            return 0
        cost = int(reply.verdict not in (Verdict.THROTTLED, Verdict.EXPIRED, Verdict.DENIED))
        self.requests += 1
        self.credits_used += cost
        return cost

    def take(self, *, now: float, peak: int) -> Totals:
        """Return it, and begin anew."""
        taken = Totals(
            requests=self.requests,
            credits_used=self.credits_used,
            in_flight_peak=peak,
            seconds=now - self.since,
        )
        self.requests, self.credits_used, self.since = 0, 0, now
        return taken


async def deliver(
    journal: Journal,
    api: LockApi,
    limiter: CallLimiter,
    *,
    retry: Retry,
    stop: StopSettings,
    cancel_token: CancelToken,
    observer: RunObserver,
) -> None:
    """Deliver every update of the journal that is pending or in doubt.

    Ends when none is left, or early when the brake is pulled: then no new call goes out, those
    under way finish and are recorded, and rows that never went out are pending again. Raises what
    pulled the brake.
    """
    pool = Sender(
        journal, api, limiter, retry=retry, stop=stop, cancel_token=cancel_token, observer=observer
    )
    try:
        with cancel_token.callbacks_while(limiter.close, pool.hurry):
            async with asyncio.TaskGroup() as tasks:
                pool.tasks = tasks
                tasks.create_task(pool.keep())
                tasks.create_task(pool.watch())
    except BaseExceptionGroup as group:
        raise _first(group) from None
    finally:
        if pool.late is not None:
            pool.late.cancel()
    if cancel_token.reason is not None:
        raise cancel_token.reason


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


@dataclass(slots=True)
class Sender:
    """Deliver the rows of one session."""

    journal: Journal
    api: LockApi
    limiter: CallLimiter
    retry: Retry = field(kw_only=True)
    stop: StopSettings = field(kw_only=True)
    cancel_token: CancelToken = field(kw_only=True)
    observer: RunObserver = field(kw_only=True)
    tasks: asyncio.TaskGroup = field(init=False)
    rules: StopRules = field(init=False)
    spent: _Spent = field(init=False)
    held: int = 0
    """Rows claimed that have not ended."""
    outcomes: list[Outcome] = field(default_factory=list)
    given_back: list[int] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    calls: set[asyncio.Task[None]] = field(default_factory=set)
    """The rows whose calls are under way."""
    late: asyncio.TimerHandle | None = None
    """Cuts those off that are still under way long after the brake was pulled."""
    cut: bool = False
    """Whether those have been cut off."""
    short: asyncio.Event = field(default_factory=asyncio.Event)
    """So few claimed rows are left that the next commit should not wait."""
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.rules = StopRules(self.stop)
        self.spent = _Spent(since=self.limiter.clock.now())

    # -- the clerk -----------------------------------------------------------------------

    async def keep(self) -> None:
        """Claim rows and record what becomes of them, until none is left."""
        in_doubt = deque(await asyncio.to_thread(self.journal.in_doubt))
        more = True
        while more or self.held or self.outcomes or self.given_back:
            claim = 2 * self.limiter.window - self.held
            if self.cancel_token.reason is not None:
                claim, more = 0, False
            while in_doubt and claim > 0:
                self._start(in_doubt.popleft(), in_doubt=True)
                claim -= 1
            outcomes, self.outcomes = self.outcomes, []
            given_back, self.given_back = self.given_back, []
            self.news.clear()
            self.short.clear()
            claimed = await self._turn_over(outcomes, given_back, max(claim, 0) if more else 0)
            for update in claimed:
                self._start(update, in_doubt=False)
            more = more and (bool(claimed) or claim <= 0)
            if self.held:
                await self.news.wait()
                await self.limiter.clock.wait(self.short, _GROUP)
        await self._turn_over([], [], 0)  # what rows left in doubt have spent
        self.finished.set()

    async def _turn_over(
        self, outcomes: list[Outcome], given_back: list[int], claim: int
    ) -> list[Update]:
        return await _whole(
            asyncio.to_thread(
                self.journal.commit_batch,
                outcomes,
                released=given_back,
                claim=claim,
                costs=self.spent.take(now=self.limiter.clock.now(), peak=self.limiter.peak),
            )
        )

    async def watch(self) -> None:
        """Pull the brake when the time is over, and tell how it goes."""
        clock, deadline = self.limiter.clock, self.limiter.deadline
        while not self.finished.is_set():
            left = _BEAT if deadline is None else min(_BEAT, deadline - clock.now())
            if left <= 0:
                self.cancel_token.cancel(Stopped("Stopped: the time for this run is over."))
                self._cut_off()
                left, deadline = _BEAT, None
            self.observer.on_progress(self.limiter.snapshot)
            await clock.wait(self.finished, left)

    def _start(self, update: Update, *, in_doubt: bool) -> None:
        self.held += 1
        row = _Row(update, in_doubt=in_doubt, began=self.limiter.clock.now())
        self.tasks.create_task(self._row(row))

    # -- a row ---------------------------------------------------------------------------

    async def _row(self, row: _Row) -> None:
        outcome = await self._deliver(row)
        self.held -= 1
        if outcome is not None:
            self.outcomes.append(outcome)
            self.observer.on_row(outcome)
            if (why := self.rules.add(outcome)) is not None:
                self.cancel_token.cancel(why)
        elif not row.in_doubt:
            self.given_back.append(row.update.row)
        self.news.set()
        if self.held < self.limiter.window * 9 // 8:
            self.short.set()

    async def _deliver(self, row: _Row) -> Outcome | None:
        """Bring a row to its end; None when the run ends first."""
        update = row.update
        lock_id = update.lock_id
        if row.in_doubt or lock_id is None:
            reply = await self._ask(row, lambda: self.api.find_lock(update))
            if reply is None:
                return None
            found = self._found(row, reply)
            if isinstance(found, Outcome):
                return found
            lock_id = found
            row.in_doubt = row.in_doubt and reply.verdict is not Verdict.ACCEPTED
        known = lock_id
        reply = await self._ask(row, lambda: self.api.put_reason(update, known), sends=True)
        if reply is None:
            return None
        if reply.verdict in (Verdict.LOST, Verdict.BROKEN):
            return await self._settle(row, reply)
        return self._outcome(row, reply)

    def _found(self, row: _Row, reply: Reply) -> Outcome | LockId:
        """Judge a look-up: the row's end, or the lock that the update goes to.

        A row in doubt that names its lock is sent again even if we may not look.
        """
        update, lock = row.update, reply.lock
        if lock is not None and lock.reason == update.reason:
            status = Status.UPDATED if row.in_doubt else Status.UNCHANGED
            return self._outcome(row, replace(reply, message=_SHOWN[status]), status)
        if reply.verdict in (Verdict.BROKEN, Verdict.LOST):
            return self._outcome(row, reply)
        if row.in_doubt and update.lock_id is not None:
            return update.lock_id
        if reply.verdict is Verdict.REFUSED:
            return self._outcome(row, reply)
        if lock is None:
            return self._outcome(row, replace(reply, **_NOT_LOCKED), Status.REJECTED)
        return lock.lock_id

    async def _settle(self, row: _Row, last: Reply) -> Outcome | None:
        """Ask Zoho once whether a row landed none of whose answers arrived."""
        reply = await self._ask(row, lambda: self.api.find_lock(row.update), attempts=1)
        if reply is None:
            return None
        if reply.lock is not None and reply.lock.reason == row.update.reason:
            return self._outcome(
                row, replace(reply, message=_SHOWN[Status.UPDATED]), Status.UPDATED
            )
        return self._outcome(row, last)

    async def _ask(
        self,
        row: _Row,
        call: Callable[[], Awaitable[Reply]],
        *,
        sends: bool = False,
        attempts: int | None = None,
    ) -> Reply | None:
        """Make a call until it has an answer or has failed; None when the run ends first."""
        failures = 0
        renewed = False
        while (permit := await self._enter()) is not None:
            row.attempts += 1
            try:
                reply = await self._in_time(call)
            except BaseException as error:
                self.limiter.abandon()
                if not isinstance(error, BatchlockError):
                    raise
                ends = isinstance(error, SignInRefused | Stopped)
                self.cancel_token.cancel(error if ends else Stopped(f"Stopped: {error}"))
                return None
            self._leave(permit, reply or _CUT)
            if reply is None:
                row.in_doubt = row.in_doubt or sends
                return None
            match reply.verdict:
                case Verdict.ACCEPTED | Verdict.REFUSED:
                    return reply
                case Verdict.BROKEN | Verdict.LOST:
                    row.in_doubt = row.in_doubt or sends
                    failures += 1
                    if failures >= (attempts or self.retry.attempts):
                        return reply
                    await self.limiter.back_off(failures)
                case Verdict.DENIED:
                    self.cancel_token.cancel(SignInRefused(reply.told))
                case Verdict.UNSUPPORTED:
                    self.cancel_token.cancel(Stopped(f"Stopped: {reply.told}"))
                case Verdict.EXPIRED if renewed:
                    self.cancel_token.cancel(SignInRefused(reply.told))
            renewed = reply.verdict is Verdict.EXPIRED
        return None

    async def _enter(self) -> Permit | None:
        try:
            return await self.limiter.acquire()
        except Stopped as why:
            self.cancel_token.cancel(why)
            return None

    def _leave(self, permit: Permit, reply: Reply) -> None:
        cost = self.spent.add(reply)
        try:
            self.limiter.release(permit, reply, cost=cost)
        except Stopped as why:
            self.cancel_token.cancel(why)

    async def _in_time(self, call: Callable[[], Awaitable[Reply]]) -> Reply | None:
        """Make a call; None when it was cut off because the run must be over."""
        task = asyncio.current_task()
        assert task is not None
        self.calls.add(task)
        try:
            return await call()
        except asyncio.CancelledError:
            if not self.cut or task.uncancel():
                raise
            return None
        finally:
            self.calls.discard(task)

    def _cut_off(self) -> None:
        """Cut the calls under way off: the run must be over."""
        if not self.cut:
            self.cut = True
            for task in self.calls:
                task.cancel()

    def hurry(self) -> None:
        """Give the calls under way no more than one call may take, whatever they wait for.

        That may be a token, for which a call waits longer than for its answer.
        """
        self.late = asyncio.get_running_loop().call_later(self.retry.timeout, self._cut_off)

    def _outcome(self, row: _Row, reply: Reply, status: Status | None = None) -> Outcome:
        return Outcome(
            row=row.update.row,
            status=status or _STATUS[reply.verdict],
            http_status=reply.http_status,
            code=reply.code,
            message=reply.message,
            remedy=reply.remedy,
            attempts=row.attempts,
            finished_at=datetime.now(UTC),
            duration=self.limiter.clock.now() - row.began,
        )


async def _whole(work: Coroutine[Any, Any, _T]) -> _T:
    """Do what must not go on behind our back: when cancelled, wait for its end first."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


_CUT = Reply(verdict=Verdict.LOST, message="The run was over before the answer came.")
_STATUS = {
    Verdict.ACCEPTED: Status.UPDATED,
    Verdict.REFUSED: Status.REJECTED,
    Verdict.BROKEN: Status.FAILED,
    Verdict.LOST: Status.FAILED,
}
_SHOWN = {
    Status.UPDATED: "The answer was lost; asked again, Zoho shows the new reason.",
    Status.UNCHANGED: "The lock already has this reason; nothing was sent.",
}
_NOT_LOCKED: dict[str, Any] = {
    "code": "NOT_LOCKED",
    "message": "The record is not locked, so there is no reason to change.",
    "remedy": "Lock the record in Zoho CRM first, or take the row out.",
}
