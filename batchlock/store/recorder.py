"""Write the progress of a run into its record while the run is sent."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from batchlock.core.cancel import CancelToken
from batchlock.core.observer import LimiterSnapshot, RunObserver
from batchlock.core.results import SETTLED, Outcome, Result
from batchlock.core.runs import RunFigures
from batchlock.core.stop import StopReason

if TYPE_CHECKING:
    from batchlock.store.runs import RunTable

_log = logging.getLogger(__name__)

# A click on Pause seems immediate, and a commit costs 0.2 ms of CPU.
_BEAT_SECONDS = 0.4


_DOING = {True: "Looking at", False: "Sending"}


def is_sending_begins(message: str) -> bool:
    """Return whether a message of a run is the one of `on_sending`."""
    return message.startswith(tuple(_DOING.values()))


class RunRecorder(RunObserver):
    """Keeps the record of one run up to date, and passes on a person's request to end it."""

    def __init__(self, runs: "RunTable", run_id: str, figures: RunFigures) -> None:
        """Record `run_id`, which has come as far as `figures`."""
        self._runs = runs
        self.run_id = run_id
        self.message = ""
        self.snapshot: LimiterSnapshot | None = None
        self.set_figures(figures)

    def set_figures(self, figures: RunFigures) -> None:
        """Count from these figures on."""
        self._figures = figures
        # Rows in doubt are looked up first, so they are as little done as those that are pending.
        in_doubt = figures.counts[Result.UNKNOWN]
        self._counts = dict(figures.counts) | {
            Result.NOT_SENT: figures.counts[Result.NOT_SENT] + in_doubt,
            Result.UNKNOWN: 0,
        }
        self._settled = figures.settled

    def on_message(self, sentence: str) -> None:
        """Keep a sentence for the next heartbeat."""
        self.message = sentence

    def on_sending(self, *, rows: int, remaining: int, only_looks: bool = False) -> None:
        """Keep the sentence that the sending begins, and count the rows that a search has added."""
        self._counts[Result.NOT_SENT] = remaining
        self.message = f"{_DOING[only_looks]} {remaining:,} of {rows:,} rows."

    def on_row(self, outcome: Outcome) -> None:
        """Count a row."""
        self._counts[Result.of(outcome.status)] += 1
        self._counts[Result.NOT_SENT] -= 1
        self._settled += outcome.status in SETTLED

    def on_progress(self, snapshot: LimiterSnapshot) -> None:
        """Keep the state of the call limiter for the next heartbeat."""
        self.snapshot = snapshot

    @asynccontextmanager
    async def beating(self, cancel_token: CancelToken) -> AsyncIterator[None]:
        """Write a heartbeat now and then during the block; cancel the token on a request to end."""
        ended = asyncio.Event()
        task = asyncio.create_task(self._beat_repeatedly(cancel_token, ended))
        try:
            yield
        finally:
            # Not cancelled: the thread of a heartbeat would go on, and might write its older
            # figures over those of the end.
            ended.set()
            await task

    async def _beat_repeatedly(self, cancel_token: CancelToken, ended: asyncio.Event) -> None:
        while not ended.is_set():
            try:
                # In a thread, since a commit waits for the disk.
                reason = await asyncio.to_thread(self._beat)
            except Exception as error:
                _log.warning("The progress of the run cannot be recorded: %s", error)
            else:
                if reason is not None:
                    cancel_token.cancel(reason)
            with suppress(TimeoutError):
                async with asyncio.timeout(_BEAT_SECONDS):
                    await ended.wait()

    @property
    def figures(self) -> RunFigures:
        """How far the run has come."""
        return replace(self._figures, counts=self._counts.copy(), settled=self._settled)

    def _beat(self) -> StopReason | None:
        return self._runs.beat(
            self.run_id, message=self.message, snapshot=self.snapshot, figures=self.figures
        )
