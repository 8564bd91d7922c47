"""A run as it goes, looked at once for all who watch it."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from batchlock.core.errors import BatchlockError
from batchlock.core.results import Cause, Result
from batchlock.report.summaries import causes_of
from batchlock.store.journal import Journal, Throughput
from batchlock.web.worker import Heartbeat, WorkerFolder

_log = logging.getLogger(__name__)

SPANS = 60
"""Spans of time in the chart."""
_EVERY = 1.0
"""Seconds between two looks; more, where one takes long."""
_MEASURED = 20.0
"""Seconds over which the rate is measured."""
_FRESH = 5.0
"""Seconds after which nothing that the process has said counts any longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """How a run stands."""

    rows: int
    left: int
    counts: Mapping[Result, int]
    causes: tuple[Cause, ...]
    pace: Throughput | None
    credits_used: int
    beat: Heartbeat | None
    """What its process says; None when none is at work."""
    rate: float
    """Rows a second, over the last seconds."""

    @property
    def done(self) -> int:
        """Rows that have come to their end."""
        return self.rows - self.left

    @property
    def seconds_left(self) -> float | None:
        """How long it will still take at this rate; None while nobody can tell."""
        return self.left / self.rate if self.rate else None


def look(path: Path, desk: WorkerFolder) -> RunView:
    """Look at a run once; `rate` is not known from that."""
    with Journal.open(path) as journal, journal.snapshot():
        counts = journal.counts()
        totals = journal.totals
        return RunView(
            rows=sum(counts.values()),
            left=counts[Result.NOT_SENT] + counts[Result.UNKNOWN],
            counts=counts,
            causes=causes_of(journal, but=(Result.NOT_SENT, Result.UNKNOWN)),
            pace=journal.throughput(SPANS),
            credits_used=totals.credits_used,
            beat=desk.told(_FRESH),
            rate=0.0,
        )


class Watches:
    """Who watches which run: each is looked at by one task, however many watch."""

    def __init__(self, draw: Callable[[str, RunView], str]) -> None:
        """Make of each view what the watchers get, with `draw`."""
        self._draw = draw
        self._watches: dict[str, _Watch] = {}

    @asynccontextmanager
    async def watching(
        self, run_id: str, path: Path, desk: WorkerFolder
    ) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
        """Give the way to the next view of a run that is not like the last one."""
        watch = self._watches.get(run_id)
        if watch is None:
            watch = _Watch(lambda view: self._draw(run_id, view), path, desk)
            self._watches[run_id] = watch
        watch.watchers += 1
        try:
            yield watch.next
        finally:
            watch.watchers -= 1
            if not watch.watchers:
                del self._watches[run_id]
                await watch.end()


class _Watch:
    def __init__(self, draw: Callable[[RunView], str], path: Path, desk: WorkerFolder) -> None:
        self.watchers = 0
        self._draw = draw
        self._path = path
        self._desk = desk
        self._seen: deque[tuple[float, int]] = deque()
        self._told = ""
        self._news = asyncio.Condition()
        self._task = asyncio.create_task(self._look())

    async def next(self, last: str) -> str:
        """Wait for a view that is not like the last one, as it was drawn."""
        async with self._news:
            while self._told == last:
                await self._news.wait()
            return self._told

    async def end(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _look(self) -> None:
        while True:
            began = time.monotonic()
            try:
                view = await asyncio.to_thread(look, self._path, self._desk)
                drawn = self._draw(self._with_rate(view, time.monotonic()))
            except BatchlockError:
                pass  # it is being made, or was removed
            except Exception:
                _log.exception("looking at a run")
            else:
                async with self._news:
                    self._told = drawn
                    self._news.notify_all()
            await asyncio.sleep(max(_EVERY, 5 * (time.monotonic() - began)))

    def _with_rate(self, view: RunView, now: float) -> RunView:
        self._seen.append((now, view.done))
        while now - self._seen[0][0] > _MEASURED:
            self._seen.popleft()
        (then, done) = self._seen[0]
        rate = (view.done - done) / (now - then) if now > then else 0.0
        return replace(view, rate=rate)
