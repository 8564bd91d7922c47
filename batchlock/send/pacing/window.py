"""How many calls may be in flight: AIMD below a ceiling that Zoho has shown."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from batchlock.send.pacing.settings import Limits

# The limit of the smallest edition (Free), see Zoho's page on API limits.
START = 5
"""Calls in flight at the beginning of a run."""

# How long a ceiling is respected before the window may grow to it again; the time doubles with
# each confirmation. A ceiling that held for ten minutes from the first 429 on kept the window at 1
# where one call in a hundred was refused for no visible reason.
_FIRST_TTL = timedelta(minutes=1)
_LONGEST_TTL = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A concurrency at which Zoho answered 429."""

    refused: int
    at: datetime
    """When it was last confirmed; wall clock, UTC."""


class Window:
    """AIMD: +1 per full window of good answers, halved on 429.

    A ceiling is recorded only when two episodes hit the same concurrency and the probe after each
    succeeded. A 429 does not say which limit was exceeded, and some have no visible reason. If the
    probe, a call on its own, is refused as well, then the day's credits are used up, and the 429
    says nothing about concurrency. A full window of good answers at the concurrency clears the
    suspicion. A ceiling expires after `_ceiling_ttl`; then the window may grow beyond it again.
    """

    def __init__(
        self, limits: Limits, ceiling: Ceiling | None, *, now: datetime, known_good: int = 0
    ) -> None:
        """Begin at `known_good`, a concurrency that an earlier run has used without a 429.

        0: none is known.
        """
        self.ceiling = ceiling
        self._max_size = limits.max_in_flight
        self._fixed = limits.in_flight != "auto"
        self._ceiling_ttl = _FIRST_TTL
        self._throttled_at: int | None = None
        """Concurrency of the present episode's 429, if it may become a candidate."""
        self._candidate_limit: int | None = None
        """Concurrency at which one episode ended with a good probe."""
        self._good_answers = 0
        self._highest_ok = 0
        """Largest window that was full of good answers."""
        self._throttled_since_ok = False
        """Whether no full window of good answers came since the last 429."""
        start = min(max(START, known_good), self._limit(now))
        self.size = start if limits.in_flight == "auto" else limits.in_flight

    def begin_at_cap(self, cap: int, *, now: datetime) -> None:
        """Begin at `cap`, the limit of the org's edition, and never grow above it.

        Only before the first call. The cap itself is allowed: Zoho refuses the first call above
        it. A ceiling that an earlier run has found is lower for a reason, and stays.
        """
        if not self._fixed:
            self._max_size = min(self._max_size, cap)
            self.size = self._limit(now)

    @property
    def highest_ok(self) -> int:
        """The largest window that was full of good answers in this run; 0 if none was."""
        return self._highest_ok

    def record_success(self, *, full: bool, now: datetime) -> bool:
        """Record a good answer; return whether the window has grown.

        An answer counts only if the window was `full` at some time during the call. Otherwise it
        does not show that Zoho allows as many calls.
        """
        self._good_answers += full
        if self._good_answers < self.size:
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
        if self._fixed or self.size >= self._limit(now):
            return False
        self.size += 1
        self._good_answers = 0
        return True

    def record_throttled(self, *, concurrency: int, first: bool) -> None:
        """Record a 429 to one of `concurrency` calls; `first` if it began an episode."""
        self._good_answers = 0
        is_candidate = first and concurrency > max(1, self._highest_ok)
        self._throttled_at = concurrency if is_candidate else None
        if not self._fixed:
            self.size = max(1, min(self.size, concurrency) // 2)
            # A second 429 with no full window in between: the org's limit has come down, so the
            # earlier success proves nothing any more.
            if self._throttled_since_ok:
                self._highest_ok = min(self._highest_ok, self.size)
        self._throttled_since_ok = True

    def record_recovery(self, *, first_probe_ok: bool, now: datetime) -> None:
        """Record the end of an episode, and whether its very first probe was answered well."""
        concurrency, self._throttled_at = self._throttled_at, None
        if concurrency is None or not first_probe_ok or self._fixed:
            return
        # A difference of one is the same limit: a call that is about to end may or may not count.
        if self.ceiling is not None and abs(concurrency - self.ceiling.refused) <= 1:
            self._ceiling_ttl = min(2 * self._ceiling_ttl, _LONGEST_TTL)
            self.ceiling = Ceiling(concurrency, now)
        elif self._candidate_limit is not None and abs(concurrency - self._candidate_limit) <= 1:
            self._ceiling_ttl = _FIRST_TTL
            self.ceiling = Ceiling(concurrency, now)
        else:
            self._candidate_limit = concurrency

    def _limit(self, now: datetime) -> int:
        """Return the largest size that the window may have now."""
        # An age below zero: the machine's clock was set back, so the age means nothing.
        if self.ceiling is None or not timedelta(0) <= now - self.ceiling.at <= self._ceiling_ttl:
            return self._max_size
        return max(1, min(self._max_size, self.ceiling.refused - 1))
