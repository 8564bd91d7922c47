"""Read the state of all orgs once for all who look at the overview."""

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from batchlock.core.runs import RunState
from batchlock.store.overview import OrgRuns, OrgState, ScheduleState
from batchlock.store.store import Store
from batchlock.store.workers import StoredWorker

# Scripts ask every five seconds; all who ask within this time get the same reading.
_READ_SECONDS = 2.0
# Shorter spans make the displayed rate jump with every commit of a journal.
_RATE_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The state of all orgs at one moment."""

    orgs: Mapping[str, OrgState]
    runs: Mapping[str, OrgRuns]
    workers: Sequence[StoredWorker]
    schedules: Sequence[ScheduleState]
    rates: Mapping[str, float]
    """Rows a second by run."""


class OverviewReader:
    """The newest reading, and the rows done at the readings before, for the rates."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reading: Reading | None = None
        self._read_at_monotonic = 0.0
        self._done: deque[tuple[float, Mapping[str, int]]] = deque()
        """Monotonic time, and the rows done by run."""
        self._lock = asyncio.Lock()

    async def read(self, orgs: Sequence[str]) -> Reading:
        """Return a reading of all `orgs` that is at most two seconds old. Raises BatchlockError."""
        async with self._lock:
            age = time.monotonic() - self._read_at_monotonic
            if self._reading is None or age > _READ_SECONDS:
                self._reading = await asyncio.to_thread(self._read, orgs)
                self._read_at_monotonic = time.monotonic()
            return self._reading

    def _read(self, orgs: Sequence[str]) -> Reading:
        runs = self._store.overview.runs(orgs)
        return Reading(
            orgs=self._store.overview.orgs(),
            runs=runs,
            workers=self._store.workers.all(),
            schedules=self._store.overview.schedules(),
            rates=self._rates(runs, time.monotonic()),
        )

    def _rates(self, runs: Mapping[str, OrgRuns], now: float) -> Mapping[str, float]:
        running = [
            run for one in runs.values() for run in one.active if run.state is RunState.RUNNING
        ]
        done = {run.run_id: run.figures.rows - run.figures.remaining for run in running}
        self._done.append((now, done))
        while now - self._done[0][0] > _RATE_SECONDS and len(self._done) > 1:
            self._done.popleft()
        rates = {}
        for run_id, count in done.items():
            # From the first reading on that has seen the run.
            then, before = next((at, seen[run_id]) for at, seen in self._done if run_id in seen)
            rates[run_id] = (count - before) / (now - then) if now > then else 0.0
        return rates
