"""The circuit breaker: for how long all calls wait, and when waiting ends for good."""

from collections.abc import Callable

from batchlock.core.reply import Reply
from batchlock.send.pacing.settings import Retry


class CircuitBreaker:
    """Everyone waits together: after a 429, or while Zoho cannot be reached.

    An episode begins with the first bad reply and ends with the first good one. While it lasts,
    each hold is longer than the one before, and after each hold a single call probes.
    """

    def __init__(self, retry: Retry, random: Callable[[], float]) -> None:
        self._retry = retry
        self._random = random
        self._holds = 0
        self._began = 0.0
        self._asked = float("-inf")
        self.until = float("-inf")
        """When the present hold ends."""
        self.reason = ""
        """Why everyone waits, for people."""

    @property
    def half_open(self) -> bool:
        """Whether only a single call may be under way."""
        return self._holds > 0

    @property
    def is_first(self) -> bool:
        """Whether no hold of this episode has come to its end in vain."""
        return self._holds == 1

    def record_failure(self, reply: Reply, *, started: float, now: float) -> bool:
        """Take in a reply that makes everyone wait, to a call that started at `started`.

        Returns whether it tells anything new: a call that was under way when the hold began does
        not, unless Zoho asks for a longer wait.
        """
        if not self._holds:
            self._began = now
        new = not self._holds or started >= self.until
        if new:
            self._holds += 1
            pause = self._retry.back_off(self._holds, self._random)
            self.until = max(self.until, now + pause)
        self.honour_retry_after(reply, now=now)
        self.reason = (reply.message or reply.verdict.value).rstrip(".")
        return new

    def honour_retry_after(self, reply: Reply, *, now: float) -> None:
        """Hold everyone for as long as a reply asks to, whatever else it means."""
        if reply.retry_after is not None:
            self._asked = max(self._asked, now + reply.retry_after)
            self.until = max(self.until, self._asked)
            self.reason = (reply.message or reply.verdict.value).rstrip(".")

    def give_up_reason(self, now: float, *, deadline: float | None) -> str | None:
        """Return in words why waiting is over for good; None while it is not."""
        if self.until <= now and not self._holds:
            return None
        if self._asked - now > self._retry.give_up_after:
            return f"Zoho asks to wait {self._asked - now:,.0f} seconds: {self.reason}."
        if self._holds and self.until - self._began > self._retry.give_up_after:
            waited = max(now - self._began, 0.0)
            return f"No good answer came for {waited:,.0f} seconds: {self.reason}."
        if deadline is not None and self.until >= deadline:
            return f"Waiting would go past the end of this run: {self.reason}."
        return None

    def record_success(self, *, started: float) -> bool:
        """Take in a good reply; return whether the episode is over.

        It goes on when the call started before the hold was over: that says nothing about now.
        """
        if not self._holds or started < self.until:
            return False
        self._holds = 0
        return True
