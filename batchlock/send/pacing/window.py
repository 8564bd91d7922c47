"""How many calls may be in flight: AIMD, with a ceiling that Zoho has shown."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from batchlock.send.pacing.settings import Limits

START = 5
"""Calls in flight to begin with: what the smallest edition allows."""
_FIRST_TTL = timedelta(minutes=1)
_LONGEST_TTL = timedelta(minutes=10)
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
        self._ceiling_ttl = _FIRST_TTL
        self._throttled_at: int | None = None
        self._candidate_limit: int | None = None
        self._good = 0
        self._highest_ok = 0
        self._throttled_since_ok = False
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
        self._throttled_since_ok = False
        self._highest_ok = max(self._highest_ok, self.size)
        if self._candidate_limit is not None and self._candidate_limit <= self._highest_ok:
            self._candidate_limit = None
        if (
            self.ceiling is not None
            and self.ceiling.refused <= self._highest_ok
            and not self._fixed
        ):
            self.ceiling, self._ceiling_ttl = None, _FIRST_TTL
        if self._fixed or self.size >= self._top(now):
            return False
        self.size += 1
        self._good = 0
        return True

    def refused(self, *, concurrency: int, first: bool) -> None:
        """Take in a 429 to one of `height` calls; `first`, when the episode begins with it."""
        self._good = 0
        self._throttled_at = (
            concurrency if first and concurrency > max(1, self._highest_ok) else None
        )
        if not self._fixed:
            self.size = max(1, min(self.size, concurrency) // 2)
            if self._throttled_since_ok:
                self._highest_ok = min(self._highest_ok, self.size)
        self._throttled_since_ok = True

    def recovered(self, *, at_once: bool, now: datetime) -> None:
        """Take in the end of an episode; `at_once`, when the first call after it was good."""
        concurrency, self._throttled_at = self._throttled_at, None
        if concurrency is None or not at_once or self._fixed:
            return
        if self.ceiling is not None and abs(concurrency - self.ceiling.refused) <= 1:
            self._ceiling_ttl = min(2 * self._ceiling_ttl, _LONGEST_TTL)
            self.ceiling = Ceiling(concurrency, now)
        elif self._candidate_limit is not None and abs(concurrency - self._candidate_limit) <= 1:
            self._ceiling_ttl = _FIRST_TTL
            self.ceiling = Ceiling(concurrency, now)
        else:
            self._candidate_limit = concurrency

    def _top(self, now: datetime) -> int:
        if self.ceiling is None or not timedelta(0) <= now - self.ceiling.at <= self._ceiling_ttl:
            return self._most
        return max(1, min(self._most, self.ceiling.refused - 1))
