"""How many credits may still be spent."""

from batchlock.send.pacing.settings import Limits


class Budget:
    """What may still be spent: of the day's credits, and by this run.

    Zoho tells what is left of the day, once half of it is used. Answers overtake each other, so
    of the numbers told meanwhile the lowest counts, less what was spent meanwhile without being
    told; and a call under way, which may be in the number or not, counts as not. Only a call
    that had none beside it is taken by its word: credits come back after a day.
    """

    def __init__(self, limits: Limits, *, spent: int) -> None:
        self._keep = limits.keep_credits
        self._most = limits.max_credits
        self._spent = spent
        self._seen_balance = False
        self._left: int | None = None
        self._known_at = float("-inf")
        self.unreported = 0
        """Credits spent, since there is a number, by calls whose answers told none."""

    @property
    def left(self) -> int | None:
        """Return the credits of the day that are left; None before Zoho has told."""
        return self._left

    def add(
        self, *, cost: int, left: int | None, unreported: int, started: float, now: float
    ) -> None:
        """Take in a reply to a call, and what it tells is left.

        The call started at `started`, when so many credits were `untold`.
        """
        self._spent += cost
        self._seen_balance = self._seen_balance or cost > 0 or left is not None
        if left is not None:
            left -= self.unreported - unreported
            if self._left is not None and started <= self._known_at:
                left = min(left, self._left)
            self._left = left
        elif self._left is not None:  # before the first number there is plenty
            self.unreported += cost
            self._left -= cost
        self._known_at = now

    def available(self, in_flight: int) -> int | None:
        """Return how many more calls may start beside those in flight; None for no bound."""
        rooms = []
        if self._most is not None:
            rooms.append(self._most - self._spent - in_flight)
        if self._keep and self._left is not None:
            rooms.append(self._left - self._keep - in_flight)
        elif self._keep and not self._seen_balance:
            rooms.append(1 - in_flight)  # the first answer may say that nothing is to spare
        return min(rooms, default=None)

    def exhausted_reason(self) -> str:
        """Return in words why nothing more may be spent."""
        if self._most is not None and self._spent >= self._most:
            return f"This run has spent the {self._most:,} credits it may (limits.max_credits)."
        return (
            f"The org has {self._left:,} credits left today, and {self._keep:,} are kept for other "
            "integrations (limits.keep_credits)."
        )
