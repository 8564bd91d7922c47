"""The process that sends a run for the page, and how the two speak with each other.

<state>/web/desks/<run id>/pulse   how it goes (JSON), written by the process
<state>/web/desks/<run id>/wish    that it shall end, and why (JSON), written by the page

Files, and no pipe: the process outlives the server that started it, and the next server finds it.
"""

import asyncio
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batchlock.core.cancel import CancelToken
from batchlock.core.errors import Stopped
from batchlock.core.observer import LimiterSnapshot, RunObserver
from batchlock.core.results import Outcome, RunResult

if TYPE_CHECKING:
    from batchlock.run import Runner

_EVERY = 0.3
"""Seconds between two looks for a wish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """How a run goes, as its process sees it."""

    at: float
    """Seconds since 1970."""
    process: int = 0
    """Which one it is; 0 before it has said anything."""
    message: str = ""
    """What it said last, in a sentence."""
    in_flight: int = 0
    window: int = 0
    reason: str = ""
    """Why everyone waits; empty when nobody does."""
    seconds: float = 0.0
    """For how much longer."""
    credits_left: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """That a run shall end."""

    why: str
    """In a sentence."""
    pauses: bool
    """Whether it is meant to go on."""


class WorkerFolder:
    """The folder in which the page and the process of a run leave each other word."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._wish = folder / "wish"
        self._pulse = folder / "pulse"

    def make_ready(self) -> None:
        """Make it for a process that is about to start."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.clear()
        self.tell(Heartbeat(at=time.time()))

    def clear(self) -> None:
        """Take away what a process was told and has said."""
        for one in (self._wish, self._pulse):
            one.unlink(missing_ok=True)

    def wish(self, wish: StopRequest) -> None:
        """Leave word that the run shall end."""
        draft = self._wish.with_suffix(".part")
        draft.write_text(json.dumps(asdict(wish)), "utf-8")
        draft.replace(self._wish)

    @property
    def wished(self) -> StopRequest | None:
        """That the run shall end; None while it shall not."""
        try:
            return StopRequest(**json.loads(self._wish.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def tell(self, on_progress: Heartbeat) -> None:
        """Leave word of how it goes; a run is not worse for not being able to."""
        draft = self._pulse.with_suffix(".part")
        with suppress(OSError):
            draft.write_text(json.dumps(asdict(on_progress)), "utf-8")
            draft.replace(self._pulse)

    def told(self, within: float = float("inf")) -> Heartbeat | None:
        """Return how it went when the process last left word, if that is no longer ago."""
        try:
            on_progress = Heartbeat(**json.loads(self._pulse.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return on_progress if time.time() - on_progress.at < within else None


class HeartbeatObserver(RunObserver):
    """A run's voice that is heard through the desk."""

    def __init__(self, desk: WorkerFolder, *, clock: Callable[[], float] = time.time) -> None:
        self._desk = desk
        self._clock = clock
        self._said = ""

    def on_message(self, sentence: str) -> None:
        """Pass a sentence on."""
        self._said = sentence
        self._desk.tell(Heartbeat(at=self._clock(), process=os.getpid(), message=sentence))

    def on_sending(self, *, rows: int, remaining: int) -> None:
        """Pass on that the sending begins."""
        self.on_message(f"Sending {remaining:,} of {rows:,} rows.")

    def on_row(self, outcome: Outcome) -> None:
        """Leave rows to the journal."""

    def on_progress(self, snapshot: LimiterSnapshot) -> None:
        """Pass on how the gate stands."""
        now, me = self._clock(), os.getpid()
        self._desk.tell(Heartbeat(at=now, process=me, message=self._said, **snapshot._asdict()))


async def work(runner: "Runner", run_id: str, desk: WorkerFolder) -> RunResult | None:
    """Bring a run to its end, or as far as the page wishes."""
    runner.observer.on_message("Getting ready.")
    watching = asyncio.create_task(_heed(desk, runner.cancel_token))
    try:
        return await runner.resume(run_id)
    finally:
        watching.cancel()


async def _heed(desk: WorkerFolder, cancel_token: CancelToken) -> None:
    """End the run once that is wished."""
    while (wish := desk.wished) is None:  # noqa: ASYNC110  it comes from another process
        await asyncio.sleep(_EVERY)
    cancel_token.cancel(Stopped(wish.why))
