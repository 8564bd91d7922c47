"""One call to Zoho: wait for a permit, call, retry by verdict; abort when the run must be over."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from batchlock.core.cancel import CancelToken
from batchlock.core.errors import SignInRefused, Stopped, UsageError
from batchlock.core.messages import CALL_ABORTED
from batchlock.core.reply import Reply, Verdict
from batchlock.core.runs import Totals
from batchlock.core.stop import StopReason
from batchlock.send.pacing.limiter import CallLimiter, Permit
from batchlock.send.pacing.settings import Retry

_ABORTED = Reply(verdict=Verdict.LOST, message=CALL_ABORTED)
# Zoho charges no credits for a call that it refuses before it looks at the record.
_FREE = (Verdict.THROTTLED, Verdict.EXPIRED, Verdict.DENIED)


@dataclass(slots=True, kw_only=True)
class CallState:
    """What the calls for one purpose, such as one row, have led to so far."""

    attempts: int = 0
    """Calls made, look-ups included."""
    in_doubt: bool = False
    """Whether Zoho may have made a change although no answer says so."""


@dataclass(slots=True)
class CallCosts:
    """The cost of the calls since the last commit."""

    since: float
    """Monotonic seconds."""
    requests: int = 0
    credits_used: int = 0

    def add(self, reply: Reply, price: int = 1) -> int:
        """Count a call, and return the credits that it used; `price` is those of a full one."""
        if reply.verdict is Verdict.UNREACHABLE:  # nothing was sent
            return 0
        cost = 0 if reply.verdict in _FREE else price * reply.calls
        self.requests += reply.calls
        self.credits_used += cost
        return cost

    def drain(self, *, now: float, peak: int) -> Totals:
        """Return the costs as `Totals`, and start again from zero."""
        totals = Totals(
            requests=self.requests,
            credits_used=self.credits_used,
            in_flight_peak=peak,
            seconds=now - self.since,
        )
        self.requests, self.credits_used, self.since = 0, 0, now
        return totals


@dataclass(slots=True)
class Calls:
    """Makes the calls of one session, and counts their costs."""

    limiter: CallLimiter
    retry: Retry
    cancel_token: CancelToken
    costs: CallCosts = field(default_factory=lambda: CallCosts(since=0.0))
    in_flight: set[asyncio.Task[None]] = field(default_factory=set)
    """The tasks that wait for an answer."""
    abort_timer: asyncio.TimerHandle | None = None
    aborted: bool = False

    async def call_with_retries(
        self,
        state: CallState,
        call: Callable[[], Awaitable[Reply]],
        *,
        changes_lock: bool = False,
        attempts: int | None = None,
        price: int = 1,
    ) -> Reply | None:
        """Call until there is a final answer or the attempts are used up; None if the run ends.

        The answer is ACCEPTED, REFUSED, or after all attempts BROKEN or LOST. Throttled and
        unreachable calls do not count as attempts: the limiter bounds them by time. `attempts`
        replaces `retry.attempts`. A call that `changes_lock` leaves doubt when its answer is lost.
        `price` is what Zoho charges for the call, in credits.
        Raises SignInRefused, Stopped or UsageError for an end of the run, and what `call` raises.
        """
        failures = 0
        token_was_refreshed = False
        while (permit := await self.limiter.acquire()) is not None:
            state.attempts += 1
            try:
                reply = await self._abortable(call)
            except BaseException:
                self.limiter.abandon()
                raise
            self._release(permit, reply or _ABORTED, price)
            if reply is None:
                state.in_doubt = state.in_doubt or changes_lock
                return None
            match reply.verdict:
                case Verdict.ACCEPTED | Verdict.REFUSED:
                    return reply
                case Verdict.BROKEN | Verdict.LOST:
                    state.in_doubt = state.in_doubt or changes_lock
                    failures += 1
                    # How far a composite call came is not known, so a look comes before a change
                    # is sent again.
                    needs_look = changes_lock and reply.in_composite
                    if needs_look or failures >= (attempts or self.retry.attempts):
                        return reply
                    await self.limiter.back_off(failures)
                case Verdict.DENIED:
                    raise SignInRefused(reply.explanation)
                case Verdict.MISCONFIGURED:
                    raise UsageError(reply.explanation)
                case Verdict.UNSUPPORTED:
                    raise Stopped(f"Stopped: {reply.explanation}")
                # Zoho refused the new token as well, so another one would not help.
                case Verdict.EXPIRED if token_was_refreshed:
                    raise SignInRefused(reply.explanation)
            token_was_refreshed = reply.verdict is Verdict.EXPIRED
        return None

    def _release(self, permit: Permit, reply: Reply, price: int) -> None:
        cost = self.costs.add(reply, price)
        try:
            self.limiter.release(permit, reply, cost=cost)
        except Stopped as error:
            # Not raised: a refusal with a long Retry-After ends the run, and is an answer as well.
            self.cancel_token.cancel(StopReason.of(error))

    async def _abortable(self, call: Callable[[], Awaitable[Reply]]) -> Reply | None:
        """Make a call; return None if `abort` ended it."""
        task = asyncio.current_task()
        assert task is not None
        self.in_flight.add(task)
        try:
            return await call()
        except asyncio.CancelledError:
            # uncancel() returns the cancellations beside ours: somebody else cancelled the task.
            if not self.aborted or task.uncancel():
                raise
            return None
        finally:
            self.in_flight.discard(task)

    def abort(self) -> None:
        """Abort the calls in flight: the run must be over."""
        if not self.aborted:
            self.aborted = True
            for task in self.in_flight:
                task.cancel()

    def abort_after_timeout(self) -> None:
        """Abort the calls that are still in flight after the time that one call may take.

        At the deadline of the run they are aborted in any case. The HTTP timeout alone is no
        bound: a call may wait much longer for a token. One timer serves all calls; one for each
        call would cost CPU on the hot path.
        """
        seconds, deadline_monotonic = self.retry.timeout, self.limiter.deadline_monotonic
        if deadline_monotonic is not None:
            seconds = min(seconds, max(0.0, deadline_monotonic - self.limiter.clock.monotonic()))
        self.abort_timer = asyncio.get_running_loop().call_later(seconds, self.abort)

    def close(self) -> None:
        """Cancel the timer of `abort_after_timeout`."""
        if self.abort_timer is not None:
            self.abort_timer.cancel()
