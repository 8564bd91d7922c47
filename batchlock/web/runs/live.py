"""The progress of a run, read once a second for all its viewers together."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from batchlock.core.errors import BatchlockError
from batchlock.core.observer import LimiterSnapshot
from batchlock.core.results import Cause, Result
from batchlock.core.runs import Run, RunState
from batchlock.report.summaries import causes_of
from batchlock.store.journal import Throughput
from batchlock.web.context import AppContext
from batchlock.web.translation import current_translation

_log = logging.getLogger(__name__)

# On a phone (390 px) each bar is still 6 px wide.
CHART_BARS = 60
_READ_SECONDS = 1.0
# A read of a large journal takes longer; then at most a sixth of the time is spent on reading.
_READ_SHARE = 5
# A page asks every second. A page in the background rests, and its rate begins anew later.
_UNWATCHED_SECONDS = 15.0
# Shorter spans make the displayed rate jump with every commit of the journal.
_RATE_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """The progress of a run at one moment."""

    run: Run
    counts: Mapping[Result, int]
    remaining: int
    causes: tuple[Cause, ...]
    throughput: Throughput | None
    credits_used: int
    rate: float = 0.0
    """Rows a second, over the last seconds; 0 when unknown."""

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        """Rows that have their final status."""
        return self.rows - self.remaining

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at this rate; None while the rate is unknown."""
        return self.remaining / self.rate if self.rate else None

    @property
    def snapshot(self) -> LimiterSnapshot | None:
        """The state of the call limiter; None when no process sends the run."""
        return self.run.snapshot if self.run.state is RunState.RUNNING else None


def read_view(context: AppContext, run_id: str) -> RunView:
    """Read the progress of a run; its rate needs two readings, so it is unknown here.

    Raises BatchlockError when the run was removed, or its journal cannot be read.
    """
    run = context.store.runs.get(run_id)
    if run is None:
        raise BatchlockError("This run was removed.")
    with context.store.open_journal(run) as journal, journal.snapshot():
        figures = journal.figures()
        return RunView(
            run=context.as_it_stands(run),
            counts=figures.counts,
            remaining=figures.remaining,
            causes=causes_of(journal, exclude=(Result.NOT_SENT, Result.UNKNOWN)),
            throughput=journal.throughput(CHART_BARS),
            credits_used=figures.totals.credits_used,
        )


@dataclass(frozen=True, slots=True)
class Rendering:
    """The view of a run as text, and how old it is."""

    text: str
    age_seconds: float


class RunWatchers:
    """The progress of the runs that somebody watches; each is read once for all its viewers."""

    def __init__(self, context: AppContext, render: Callable[[RunView], str]) -> None:
        """Render the view of a run with `render`."""
        self._context = context
        self._render = render
        self._watchers: dict[tuple[str, str], _Watcher] = {}
        """By run and language. A task keeps the language of the request that starts it."""

    async def rendering(self, run_id: str) -> Rendering:
        """Return the newest view of a run; wait for it when nobody has watched the run so far."""
        key = (run_id, current_translation().language)
        watcher = self._watchers.get(key)
        if watcher is None:
            watcher = _Watcher(partial(read_view, self._context, run_id), self._render)
            self._watchers[key] = watcher
            watcher.task.add_done_callback(lambda _: self._watchers.pop(key))
        return await watcher.rendering()


class _Watcher:
    """Reads one run until nobody asks for it any more."""

    def __init__(self, read: Callable[[], RunView], render: Callable[[RunView], str]) -> None:
        self._read = read
        self._render = render
        self._readings: deque[tuple[float, int]] = deque()
        """Monotonic time and rows done, for the rate."""
        self._text = ""
        self._read_at = 0.0
        self._has_text = asyncio.Event()
        self._asked_at = time.monotonic()
        self.task = asyncio.create_task(self._read_repeatedly())

    async def rendering(self) -> Rendering:
        self._asked_at = time.monotonic()
        await self._has_text.wait()
        return Rendering(self._text, time.monotonic() - self._read_at)

    async def _read_repeatedly(self) -> None:
        while time.monotonic() - self._asked_at < _UNWATCHED_SECONDS:
            began = time.monotonic()
            try:
                view = await asyncio.to_thread(self._read)
                self._text = self._render(self._with_rate(view, time.monotonic()))
            except BatchlockError:
                pass  # the journal is being created, or was removed
            except Exception:
                _log.exception("reading the progress of a run")
            else:
                self._read_at = began
                self._has_text.set()
            took = time.monotonic() - began
            await asyncio.sleep(max(_READ_SECONDS, _READ_SHARE * took))

    def _with_rate(self, view: RunView, now: float) -> RunView:
        self._readings.append((now, view.done))
        while now - self._readings[0][0] > _RATE_SECONDS:
            self._readings.popleft()
        then, done_then = self._readings[0]
        rate = (view.done - done_then) / (now - then) if now > then else 0.0
        return replace(view, rate=rate)
