"""How many credits may still be used."""

from batchlock.send.pacing.settings import Limits


class Budget:
    """The credits that may still be used: of the org's day, and of this run.

    Zoho reports the credits that remain only after half of the day's credits are used (header
    X-API-CREDITS-REMAINING). Answers overtake each other, so the lowest of the balances counts
    that calls with overlapping times report. Credits that calls used without a balance in their
    answer are subtracted. Whether a balance includes the calls in flight is unknown, so their
    credits are subtracted, too. A higher balance is believed only from a call that began after
    the last answer: credits come back 24 hours after they were used.
    """

    def __init__(self, limits: Limits, *, credits_used: int) -> None:
        self._keep = limits.keep_credits
        self._max_credits = limits.max_credits
        self._credits_used = credits_used
        self._seen_balance = False
        self.remaining: int | None = None
        """The org's credits that remain today; None before Zoho reported them."""
        self._last_answer = float("-inf")
        self.unreported = 0
        """Credits used, since the first balance, by calls whose answers contained no balance."""

    def add(
        self, *, cost: int, remaining: int | None, unreported: int, started: float, now: float
    ) -> None:
        """Record a call's cost and the balance in its answer.

        The call began at `started`, when `self.unreported` was `unreported`; monotonic seconds.
        """
        self._credits_used += cost
        self._seen_balance = self._seen_balance or cost > 0 or remaining is not None
        if remaining is not None:
            remaining -= self.unreported - unreported
            if self.remaining is not None and started <= self._last_answer:
                remaining = min(remaining, self.remaining)
            self.remaining = remaining
        elif self.remaining is not None:  # before the first balance, half of the day is unused
            self.unreported += cost
            self.remaining -= cost
        self._last_answer = now

    def charge(self, cost: int) -> None:
        """Count credits of this run, for calls whose answers were not recorded here."""
        self._credits_used += cost

    def available(self, in_flight: int) -> int | None:
        """Return how many more calls may start beside those in flight; None for no bound."""
        bounds = []
        if self._max_credits is not None:
            bounds.append(self._max_credits - self._credits_used - in_flight)
        if self._keep and self.remaining is not None:
            bounds.append(self.remaining - self._keep - in_flight)
        elif self._keep and not self._seen_balance:
            # The first answer may report that only reserved credits remain, so it goes alone.
            bounds.append(1 - in_flight)
        return min(bounds, default=None)

    def exhausted_reason(self) -> str:
        """Return in words why no more credits may be used."""
        if self._max_credits is not None and self._credits_used >= self._max_credits:
            return (
                f"This run has spent the {self._max_credits:,} credits it may (limits.max_credits)."
            )
        return (
            f"The org has {self.remaining:,} credits left today, and {self._keep:,} are kept for "
            "other integrations (limits.keep_credits)."
        )
