"""How many orgs a worker takes while other workers could take the rest.

The first worker that looks would otherwise take every org that it may serve, and those that start
a second later would have nothing to do. Nothing depends on it but the speed: an org that nobody
else has taken for some seconds is taken in any case.
"""

import math
import time

from batchlock.fleet.settings import WorkerSettings
from batchlock.store.store import Store

# How long an org above the share is left to the other workers. They look every two seconds.
_LEFT_SECONDS = 5.0
# Many runs may have come since the orgs and the workers were counted.
_FRESH_SECONDS = 0.5


class FairShare:
    """The share of one worker in the orgs that have something to do."""

    def __init__(self, store: Store, settings: WorkerSettings) -> None:
        """Take no more orgs at a time than the settings allow."""
        self._store = store
        self._settings = settings
        self._share = settings.orgs_at_once
        self._counted_at = -math.inf
        self._left_since: dict[str, float] = {}

    @property
    def is_fresh(self) -> bool:
        """Whether the orgs and the workers were counted a moment ago."""
        return time.monotonic() - self._counted_at < _FRESH_SECONDS

    def count(self) -> None:
        """Count the orgs with something to do, and the workers that are alive.

        Raises DatabaseUnavailable.
        """
        orgs = self._store.shared_runs.count_orgs_at_work()
        # One that was killed counts no longer than it keeps its orgs.
        workers = self._store.workers.count_alive(within_seconds=self._settings.lease)
        self._share = max(1, math.ceil(orgs / max(1, workers)))
        self._counted_at = time.monotonic()

    def may_take(self, org: str, *, held: int) -> bool:
        """Return whether a worker that holds `held` orgs should take one more."""
        now = time.monotonic()
        if held >= self._settings.orgs_at_once:
            return False
        if held >= self._share and now - self._left_since.setdefault(org, now) < _LEFT_SECONDS:
            return False
        self._left_since.pop(org, None)
        return True
