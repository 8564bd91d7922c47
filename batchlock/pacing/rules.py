"""What the gate decides from: each rule is pure, and is told the time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from batchlock.model import Reply
from batchlock.pacing.settings import Limits, Retry

START = 5
"""Calls in flight to begin with: what the smallest edition allows."""
_FIRST_BELIEF = timedelta(minutes=1)
_LONGEST_BELIEF = timedelta(minutes=10)
"""For so long a height at which Zoho refused is not tried again: twice as long each time."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A number of calls in flight that Zoho refused."""

    refused: int
    at: datetime


class Window:
    """How many calls may be in flight: up by one for each full window, halved by a 429.

    A 429 does not say which limit was met, and some come astray. So a height is believed to be
    refused when it was twice, with no whole window going well there, and the very next call,
    alone, was answered well: otherwise the day's credits are spent, which says nothing about
    heights. After a while it is tried again.
    """

    def __init__(self, limits: Limits, ceiling: Ceiling | None, *, now: datetime) -> None:
        self.ceiling = ceiling
        self._most = limits.max_in_flight
        self._fixed = limits.in_flight != "auto"
        self._belief = _FIRST_BELIEF
        self._suspect: int | None = None
        self._doubted: int | None = None
        self._good = 0
        self._proven = 0
        self._shaken = False
        """Whether no whole window went well since the last 429."""
        fewest = min(START, self._top(now))
        self.size = fewest if limits.in_flight == "auto" else limits.in_flight

    def good(self, *, full: bool, now: datetime) -> bool:
        """Take in a good answer to a call that has seen the window `full`; else it shows nothing.

        Returns whether the window has grown.
        """
        self._good += full
        if self._good < self.size:
            return False
        self._shaken = False
        self._proven = max(self._proven, self.size)
        if self._doubted is not None and self._doubted <= self._proven:
            self._doubted = None
        if self.ceiling is not None and self.ceiling.refused <= self._proven and not self._fixed:
            self.ceiling, self._belief = None, _FIRST_BELIEF
        if self._fixed or self.size >= self._top(now):
            return False
        self.size += 1
        self._good = 0
        return True

    def refused(self, *, height: int, first: bool) -> None:
        """Take in a 429 to one of `height` calls; `first`, when the episode begins with it."""
        self._good = 0
        self._suspect = height if first and height > max(1, self._proven) else None
        if not self._fixed:
            self.size = max(1, min(self.size, height) // 2)
            if self._shaken:
                self._proven = min(self._proven, self.size)
        self._shaken = True

    def recovered(self, *, at_once: bool, now: datetime) -> None:
        """Take in the end of an episode; `at_once`, when the first call after it was good."""
        height, self._suspect = self._suspect, None
        if height is None or not at_once or self._fixed:
            return
        if self.ceiling is not None and abs(height - self.ceiling.refused) <= 1:
            self._belief = min(2 * self._belief, _LONGEST_BELIEF)
            self.ceiling = Ceiling(height, now)
        elif self._doubted is not None and abs(height - self._doubted) <= 1:
            self._belief = _FIRST_BELIEF
            self.ceiling = Ceiling(height, now)
        else:
            self._doubted = height

    def _top(self, now: datetime) -> int:
        if self.ceiling is None or not timedelta(0) <= now - self.ceiling.at <= self._belief:
            return self._most
        return max(1, min(self._most, self.ceiling.refused - 1))


class Rate:
    """Starts that are evenly spaced, so that any time holds no more than the rate allows.

    A fraction is one over several seconds: 2.5 are five in any two. A pause is not caught up with.
    """

    def __init__(self, per_second: float | None) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._next = float("-inf")

    def wait(self, now: float) -> float:
        """Return the seconds until the next call may start."""
        return max(0.0, self._next - now)

    def start(self, now: float) -> None:
        """Count a call that starts now."""
        self._next = max(self._next, now) + self._interval


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
        self._heard = False
        self._left: int | None = None
        self._known_at = float("-inf")
        self.untold = 0
        """Credits spent, since there is a number, by calls whose answers told none."""

    @property
    def left(self) -> int | None:
        """Return the credits of the day that are left; None before Zoho has told."""
        return self._left

    def add(self, *, cost: int, left: int | None, untold: int, started: float, now: float) -> None:
        """Take in a reply to a call, and what it tells is left.

        The call started at `started`, when so many credits were `untold`.
        """
        self._spent += cost
        self._heard = self._heard or cost > 0 or left is not None
        if left is not None:
            left -= self.untold - untold
            if self._left is not None and started <= self._known_at:
                left = min(left, self._left)
            self._left = left
        elif self._left is not None:  # before the first number there is plenty
            self.untold += cost
            self._left -= cost
        self._known_at = now

    def room(self, in_flight: int) -> int | None:
        """Return how many more calls may start beside those in flight; None for no bound."""
        rooms = []
        if self._most is not None:
            rooms.append(self._most - self._spent - in_flight)
        if self._keep and self._left is not None:
            rooms.append(self._left - self._keep - in_flight)
        elif self._keep and not self._heard:
            rooms.append(1 - in_flight)  # the first answer may say that nothing is to spare
        return min(rooms, default=None)

    def over(self) -> str:
        """Return in words why nothing more may be spent."""
        if self._most is not None and self._spent >= self._most:
            return f"This run has spent the {self._most:,} credits it may (limits.max_credits)."
        return (
            f"The org has {self._left:,} credits left today, and {self._keep:,} are kept for other "
            "integrations (limits.keep_credits)."
        )


class Trouble:
    """Everyone waits together: after a 429, or while Zoho cannot be reached.

    An episode begins with the first bad reply and ends with the first good one. While it lasts,
    each hold is longer than the one before, and after each hold a single call probes.
    """

    def __init__(self, retry: Retry, draw: Callable[[], float]) -> None:
        self._retry = retry
        self._draw = draw
        self._holds = 0
        self._began = 0.0
        self._asked = float("-inf")
        self.until = float("-inf")
        """When the present hold ends."""
        self.reason = ""
        """Why everyone waits, for people."""

    @property
    def probing(self) -> bool:
        """Whether only a single call may be under way."""
        return self._holds > 0

    @property
    def is_first(self) -> bool:
        """Whether no hold of this episode has come to its end in vain."""
        return self._holds == 1

    def bad(self, reply: Reply, *, started: float, now: float) -> bool:
        """Take in a reply that makes everyone wait, to a call that started at `started`.

        Returns whether it tells anything new: a call that was under way when the hold began does
        not, unless Zoho asks for a longer wait.
        """
        if not self._holds:
            self._began = now
        new = not self._holds or started >= self.until
        if new:
            self._holds += 1
            pause = self._retry.back_off(self._holds, self._draw)
            self.until = max(self.until, now + pause)
        self.heed(reply, now=now)
        self.reason = (reply.message or reply.verdict.value).rstrip(".")
        return new

    def heed(self, reply: Reply, *, now: float) -> None:
        """Hold everyone for as long as a reply asks to, whatever else it means."""
        if reply.retry_after is not None:
            self._asked = max(self._asked, now + reply.retry_after)
            self.until = max(self.until, self._asked)
            self.reason = (reply.message or reply.verdict.value).rstrip(".")

    def over(self, now: float, *, deadline: float | None) -> str | None:
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

    def good(self, *, started: float) -> bool:
        """Take in a good reply; return whether the episode is over.

        It goes on when the call started before the hold was over: that says nothing about now.
        """
        if not self._holds or started < self.until:
            return False
        self._holds = 0
        return True
