"""Five calls in one, for one credit, where Zoho takes calls on locks in a composite call.

    row ─ permit ─▶ CompositeApi ─ five wait ─▶ one composite call ─▶ a reply for each row

Each row has its own permit, as for a call of its own: a composite call takes five places in flight.
Nobody documents which calls Zoho takes in it. So the first five calls of a method are a trial, and
all others are made on their own meanwhile. A call that Zoho does not take in a composite is
made on its own too; it was not executed. What the trial showed is kept for the next run of the org.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from batchlock.core.reply import Reply, Verdict
from batchlock.core.rows import LockId, Update
from batchlock.zoho import lock_calls
from batchlock.zoho.composite import LARGEST_COMPOSITE
from batchlock.zoho.lock_calls import LockCall

# Seconds. A call waits this long for others; five rows get their permits in far less.
_FILL_SECONDS = 0.05
# While other calls are in flight, whose rows may follow with a call, a call waits this many times
# as long as the last composite call took; before the first, this many seconds.
_LONGEST_WAIT_CALLS = 2.0
_FIRST_WAIT_SECONDS = 0.25
# After so many composite calls in a row without a usable answer, calls are made on their own:
# something on the way, such as a proxy, may not let composite calls through.
_MOST_LOST = 2
# A trial that fails costs one credit, and a look-up for each of its rows if its answer is lost.
_FEWEST_FOR_TRIAL = 500
# Verdicts of a call that Zoho has executed.
_EXECUTED = (Verdict.ACCEPTED, Verdict.REFUSED)
_NO_ANSWER = (Verdict.LOST, Verdict.BROKEN)
_KINDS = {"GET": "look-ups", "PUT": "updates", "POST": "locks", "DELETE": "unlocks"}


class CallSender(Protocol):
    """What sends calls to Zoho."""

    async def send(self, call: LockCall) -> Reply:
        """Send one call."""

    async def send_composite(self, calls: list[LockCall]) -> list[Reply | None]:
        """Send several calls as one; None for a call that Zoho does not take in a composite."""


@dataclass(slots=True)
class Support:
    """Which methods Zoho takes in a composite call, by method; a method that is absent is open."""

    methods: dict[str, bool] = field(default_factory=dict)

    def is_open(self, method: str) -> bool:
        """Return whether nothing is known about a method."""
        return method not in self.methods

    def is_refused(self, method: str) -> bool:
        """Return whether Zoho has refused a method."""
        return self.methods.get(method) is False


@dataclass(slots=True)
class _Waiting:
    """A call that waits for others."""

    call: LockCall
    reply: "asyncio.Future[Reply | None]"
    """Its reply; None: the call is to be made on its own."""
    share: int = 0
    """How many calls beside its own it stands for: the first call of a composite stands for it."""


class CompositeApi:
    """The calls that rows need (`LockApi`), made five at a time where Zoho takes that.

    `in_flight` returns how many permits are in use, those of the waiting calls included, and
    `window` how many there may be. `per_second` permits are issued at most.
    `on_learned` is called with a sentence when Zoho takes a method, or refuses it, for the first
    time. `rows` are left in the run: a few rows are not worth a trial.
    """

    def __init__(
        self,
        sender: CallSender,
        support: Support,
        *,
        in_flight: Callable[[], int],
        window: Callable[[], int],
        on_learned: Callable[[str], None],
        rows: int = _FEWEST_FOR_TRIAL,
        per_second: float | None = None,
    ) -> None:
        self._sender = sender
        self.support = support
        self._in_flight = in_flight
        self._window = window
        # As long as five permits take.
        self._fill_seconds = max(_FILL_SECONDS, LARGEST_COMPOSITE / (per_second or math.inf))
        self._longest_wait = _FIRST_WAIT_SECONDS
        self._on_learned = on_learned
        self._allows_trials = rows >= _FEWEST_FOR_TRIAL
        self._waiting: list[_Waiting] = []
        self._waited_since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._trials: set[str] = set()
        """The methods whose trial is in flight."""
        self._lost = 0
        """Composite calls in a row that had no answer."""

    async def put_reason(self, update: Update, lock_id: LockId) -> Reply:
        """Give a lock the update's reason."""
        return await self._call(lock_calls.put_reason(update, lock_id))

    async def lock(self, update: Update) -> Reply:
        """Lock the update's record; the reply has the lock."""
        return await self._call(lock_calls.lock(update))

    async def unlock(self, update: Update, lock_id: LockId) -> Reply:
        """Remove a lock of the update's record."""
        return await self._call(lock_calls.unlock(update, lock_id))

    async def find_lock(self, update: Update) -> Reply:
        """Look up the lock that the update asks for."""
        return await self._call(lock_calls.find_lock(update))

    async def _call(self, call: LockCall) -> Reply:
        if self._is_alone(call.method):
            return await self._sender.send(call)
        waiting = _Waiting(call, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if len(self._waiting) == LARGEST_COMPOSITE:
            batch, self._waiting = self._waiting, []
            self._stop_timer()
            await self._send_batch(batch)
        elif self._timer is None:
            self._waited_since = asyncio.get_running_loop().time()
            self._start_timer()
        try:
            reply = await waiting.reply
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            raise
        if reply is None:
            own = await self._sender.send(call)
            return replace(own, calls=own.calls + waiting.share)
        return replace(reply, calls=waiting.share, in_composite=True)

    def _is_alone(self, method: str) -> bool:
        if self._window() < LARGEST_COMPOSITE:  # no place for a composite call
            return True
        if self.support.is_refused(method) or self._lost >= _MOST_LOST:
            return True
        return self.support.is_open(method) and (method in self._trials or not self._allows_trials)

    async def _send_batch(self, batch: list[_Waiting]) -> None:
        """Send a full batch, and give each of its calls its reply."""
        trials = {one.call.method for one in batch if self.support.is_open(one.call.method)}
        self._trials |= trials
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            replies = await self._sender.send_composite([one.call for one in batch])
        except BaseException as error:
            self._end_batch(batch, error)
            raise
        finally:
            self._trials -= trials
        self._longest_wait = _LONGEST_WAIT_CALLS * (loop.time() - started)
        self._learn(batch, replies)
        batch[0].share = 1
        for one, reply in zip(batch, replies, strict=True):
            if not one.reply.done():
                one.reply.set_result(reply)

    def _end_batch(self, batch: list[_Waiting], error: BaseException) -> None:
        """Give the other calls of a batch the error that ended it."""
        ended = isinstance(error, asyncio.CancelledError)
        for one in batch:
            if one.reply.done():
                continue
            if ended:
                # The run is over for all rows, and the caller of each is cancelled as well.
                one.reply.cancel()
            else:
                one.reply.set_exception(error)
                one.reply.exception()  # a caller that was cancelled does not read it

    def _learn(self, batch: list[_Waiting], replies: list[Reply | None]) -> None:
        """Keep which methods Zoho takes in a composite call, and tell what is new."""
        executed, refused = set(), set()
        for one, reply in zip(batch, replies, strict=True):
            if reply is None:
                refused.add(one.call.method)
            elif reply.verdict in _EXECUTED:
                executed.add(one.call.method)
        if executed or refused:
            self._lost = 0
        elif all(reply is not None and reply.verdict in _NO_ANSWER for reply in replies):
            self._lost += 1
            if self._lost >= _MOST_LOST:
                # Also for the next run, which would wait for the same answers in vain.
                refused = {
                    one.call.method for one in batch if self.support.is_open(one.call.method)
                }
        for method in refused:
            if not self.support.is_refused(method):
                self._on_learned(
                    f"Zoho takes {_KINDS[method]} only as calls of their own, a credit each."
                )
            self.support.methods[method] = False
        for method in executed - refused:
            if self.support.is_open(method):
                self._on_learned(f"Zoho takes {_KINDS[method]} five at a time, for one credit.")
            self.support.methods.setdefault(method, True)

    def _start_timer(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._fill_seconds, self._end_wait)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_wait(self) -> None:
        """Let the waiting calls be made on their own, if no other call can join them soon."""
        self._timer = None
        if not self._waiting:
            return
        waited = asyncio.get_running_loop().time() - self._waited_since
        if self._in_flight() > len(self._waiting) and waited < self._longest_wait:
            self._start_timer()
            return
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.reply.done():
                one.reply.set_result(None)
