"""The process that sends a run for the page, and the files by which page and process communicate.

<state>/web/desks/<run id>/pulse   the heartbeat (JSON), written by the process
<state>/web/desks/<run id>/wish    the stop request (JSON), written by the page
<state>/web/desks/<run id>/said    the output of the process

These are files and not a pipe, because the process outlives the server that started it, and the
next server must find it. Names and keys are those of 0.1.0, for a process that an older server
started before an upgrade.
"""

import asyncio
import json
import os
import time
from collections.abc import Callable, Mapping
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

# A click on Pause seems immediate, and the process opens three small files a second.
_POLL_SECONDS = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The progress of a run, as its process reports it."""

    at: float
    """Seconds since 1970: it is compared across processes."""
    process: int = 0
    """The process id; 0 before the process has written anything."""
    message: str = ""
    """The last sentence of the process."""
    in_flight: int = 0
    window: int = 0
    reason: str = ""
    """Why all calls wait; empty when none has to."""
    seconds: float = 0.0
    """How much longer all calls wait."""
    credits_left: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """A person's request that a run ends early."""

    reason: str
    """Who ended it, in a sentence."""
    pause: bool
    """Whether the person means to resume it."""


class WorkerFolder:
    """The folder by which the page and the process of one run communicate."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = folder / "said"
        self._stop_request = folder / "wish"
        self._heartbeat = folder / "pulse"

    def prepare(self) -> None:
        """Make the folder ready for a process that is about to start."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.clear()
        self.write_heartbeat(Heartbeat(at=time.time()))

    def clear(self) -> None:
        """Remove the heartbeat and the stop request of a process that has ended."""
        for path in (self._stop_request, self._heartbeat):
            path.unlink(missing_ok=True)

    def write_stop_request(self, request: StopRequest) -> None:
        """Ask the process to end."""
        _replace(self._stop_request, {"why": request.reason, "pauses": request.pause})

    def stop_request(self) -> StopRequest | None:
        """Return the stop request; None while there is none."""
        try:
            values = json.loads(self._stop_request.read_text("utf-8"))
            return StopRequest(reason=values["why"], pause=values["pauses"])
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Write the heartbeat; an error is ignored, because the run can continue without it."""
        with suppress(OSError):
            _replace(self._heartbeat, asdict(heartbeat))

    def heartbeat(self, max_age_seconds: float = float("inf")) -> Heartbeat | None:
        """Return the last heartbeat; None if there is none, or it is older than that."""
        try:
            heartbeat = Heartbeat(**json.loads(self._heartbeat.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return heartbeat if time.time() - heartbeat.at < max_age_seconds else None


def _replace(path: Path, values: Mapping[str, object]) -> None:
    """Write a JSON file under another name and rename it, so that no reader sees half a file."""
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(values), "utf-8")
    draft.replace(path)


class HeartbeatObserver(RunObserver):
    """Writes what a run reports into the worker's folder."""

    def __init__(self, folder: WorkerFolder, *, clock: Callable[[], float] = time.time) -> None:
        """Use a clock that returns seconds since 1970."""
        self._folder = folder
        self._clock = clock
        self._message = ""

    def on_message(self, sentence: str) -> None:
        """Write a sentence."""
        self._message = sentence
        self._folder.write_heartbeat(
            Heartbeat(at=self._clock(), process=os.getpid(), message=sentence)
        )

    def on_sending(self, *, rows: int, remaining: int) -> None:
        """Write that the sending begins."""
        self.on_message(f"Sending {remaining:,} of {rows:,} rows.")

    def on_row(self, outcome: Outcome) -> None:
        """Write nothing: the page reads rows from the journal."""

    def on_progress(self, snapshot: LimiterSnapshot) -> None:
        """Write the state of the call limiter."""
        self._folder.write_heartbeat(
            Heartbeat(
                at=self._clock(), process=os.getpid(), message=self._message, **snapshot._asdict()
            )
        )


async def work(runner: "Runner", run_id: str, folder: WorkerFolder) -> RunResult | None:
    """Send a run until its end, or until the page requests a stop."""
    runner.observer.on_message("Getting ready.")
    watching = asyncio.create_task(_watch_stop_request(folder, runner.cancel_token))
    try:
        return await runner.resume(run_id)
    finally:
        watching.cancel()


async def _watch_stop_request(folder: WorkerFolder, cancel_token: CancelToken) -> None:
    while (request := folder.stop_request()) is None:  # noqa: ASYNC110  another process writes it
        await asyncio.sleep(_POLL_SECONDS)
    cancel_token.cancel(Stopped(request.reason))
