"""The circuit breaker: how long all calls wait, and when waiting ends for good."""

from collections.abc import Callable

from batchlock.core.reply import Reply, sentences
from batchlock.send.pacing.settings import Retry

_NEVER = float("-inf")


class CircuitBreaker:
    """Holds all calls after a 429, or while Zoho cannot be reached.

    An episode begins with the first failure, which opens the breaker: no call starts until
    `open_until`. Then the breaker is half-open: one call at a time is a probe. A probe that fails
    opens the breaker again, for longer; a good answer closes it and ends the episode. All times
    are monotonic seconds.
    """

    def __init__(self, retry: Retry, random: Callable[[], float]) -> None:
        self._retry = retry
        self._random = random
        self._holds = 0
        self._episode_start = 0.0
        self._retry_after_until = _NEVER
        self.open_until = _NEVER
        """When the present hold ends."""
        self.reason = ""
        """Why all calls wait, in words for people."""
        self._remedy = ""
        """What a person can do about it."""

    @property
    def half_open(self) -> bool:
        """Whether an episode lasts, so that at most one call may be in flight."""
        return self._holds > 0

    @property
    def is_first_hold(self) -> bool:
        """Whether this is the episode's first hold, so that no probe has failed yet."""
        return self._holds == 1

    def record_failure(self, reply: Reply, *, started: float, now: float) -> bool:
        """Record a 429 or an unreachable Zoho, the answer to a call that began at `started`.

        Returns whether the failure lengthens the hold. One burst of calls brings many failures
        at once: those that began before the hold was over say nothing new.
        """
        if not self._holds:
            self._episode_start = now
        is_new = not self._holds or started >= self.open_until
        if is_new:
            self._holds += 1
            pause = self._retry.back_off(self._holds, self._random)
            self.open_until = max(self.open_until, now + pause)
        self.honour_retry_after(reply, now=now)
        self._explain(reply)
        return is_new

    def honour_retry_after(self, reply: Reply, *, now: float) -> None:
        """Hold all calls for the Retry-After of a reply, whatever its verdict is.

        Zoho sends a Retry-After with a 503, too. Calls that ignore it keep a struggling Zoho busy.
        """
        if reply.retry_after is not None:
            self._retry_after_until = max(self._retry_after_until, now + reply.retry_after)
            self.open_until = max(self.open_until, self._retry_after_until)
            self._explain(reply)

    def give_up_reason(self, now: float, *, deadline_monotonic: float | None) -> str | None:
        """Return in words why further waiting is useless; None while it is not."""
        if self.open_until <= now and not self._holds:
            return None
        if self._retry_after_until - now > self._retry.give_up_after:
            seconds = self._retry_after_until - now
            return sentences(
                f"Zoho asks to wait {seconds:,.0f} seconds: {self.reason}", self._remedy
            )
        # The end of the hold counts, not the present time: a run that must give up anyway does
        # so now, and not after one more useless wait.
        if self._holds and self.open_until - self._episode_start > self._retry.give_up_after:
            seconds = max(now - self._episode_start, 0.0)
            waited = f"No good answer came for {seconds:,.0f} seconds"
            return sentences(f"{waited}: {self.reason}", self._remedy)
        if deadline_monotonic is not None and self.open_until >= deadline_monotonic:
            return sentences(
                f"Waiting would go past the end of this run: {self.reason}", self._remedy
            )
        return None

    def record_success(self, *, started: float) -> bool:
        """Record a good answer to a call that began at `started`; return whether it closes.

        A call that began before the hold was over says nothing about Zoho's present state.
        """
        if not self._holds or started < self.open_until:
            return False
        self._holds = 0
        return True

    def _explain(self, reply: Reply) -> None:
        self.reason = (reply.message or reply.verdict.value).rstrip(".")
        self._remedy = reply.remedy
