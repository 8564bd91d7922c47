"""The queue of runs: one is being sent, the others wait.

Each run is sent by a process of its own, `batchlock work`, which does not end with the server. Page
and process share the record of the run: the process writes its heartbeat and how the run ended, the
page writes a person's request to end it.
"""

import asyncio
import logging
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from batchlock.core.errors import AlreadyRunning, BatchlockError
from batchlock.core.runs import Run, RunState, state_after
from batchlock.core.stop import StopCode, StopReason
from batchlock.store.store import Store

_log = logging.getLogger(__name__)

# Other processes change the records, so they are polled; a click wakes the loop at once.
_POLL_SECONDS = 0.5
# How long a run waits after its worker found the lock of the org held by a command at a terminal
# whose plan is not finished. Its process takes a second of CPU to find that out.
_BLOCKED_SECONDS = 5.0


@dataclass(slots=True)
class _Worker:
    """The process that this server started for a run."""

    run_id: str
    process: subprocess.Popen[bytes]


class RunQueue:
    """The runs of one org that people requested on the page."""

    def __init__(self, store: Store, org: str, command_options: Sequence[str]) -> None:
        """Start the runs of this org, each with these options of the command line."""
        self._store = store
        self._org = org
        self._command_options = command_options
        self._worker: _Worker | None = None
        self._blocked_until_monotonic = 0.0
        self._wake = asyncio.Event()

    def add(self, run: Run, user: str, *, file_name: str = "", upload: str | None = None) -> None:
        """Put a run at the end of the queue, unless it is in the queue or being sent.

        Raises BatchlockError if a person has stopped it and its process is still ending.
        """
        if run.state in (RunState.QUEUED, RunState.RUNNING):
            if run.stop_requested is not None:
                raise BatchlockError("It is stopping. Try again in a moment.")
        elif not self._store.runs.enqueue(
            run.run_id, requested_by=user, file_name=file_name, upload=upload
        ):
            raise BatchlockError("A newer run of the same file took its rows over.")
        self._wake.set()

    def pause(self, run: Run, user: str) -> None:
        """Pause a run until a person resumes it; raises BatchlockError if it has ended."""
        self._end(run, StopReason(code=StopCode.PAUSED, sentence=f"Paused by {user}."))

    def stop(self, run: Run, user: str) -> None:
        """Stop a run; the rest can still be sent later. Raises BatchlockError as `pause` does."""
        self._end(run, StopReason(code=StopCode.STOPPED, sentence=f"Stopped by {user}."))

    def runs_before(self, run_id: str) -> int:
        """Count the runs that come before this one."""
        order = [*self._at_work(), *self._store.runs.queue(self._org)]
        return next((number for number, run in enumerate(order) if run.run_id == run_id), 0)

    def _at_work(self) -> list[Run]:
        running = self._store.runs.in_state(self._org, RunState.RUNNING)
        return [run for run in running if run.is_alive]

    def _end(self, run: Run, reason: StopReason) -> None:
        is_starting = self._worker is not None and self._worker.run_id == run.run_id
        if run.state is RunState.RUNNING or (run.state is RunState.QUEUED and is_starting):
            self._store.runs.request_stop(run.run_id, reason)
        elif run.state in (RunState.QUEUED, RunState.PAUSED):
            self._end_without_process(run, reason)
        else:
            raise BatchlockError("This run has ended already.")
        self._wake.set()

    def _end_without_process(self, run: Run, reason: StopReason) -> None:
        figures = self._store.figures(run)
        state = state_after(reason, remaining=figures.remaining)
        self._store.runs.end_session(run.run_id, state, reason, figures=figures)

    async def process_queue(self) -> None:
        """Start each run when its turn comes; runs until cancelled."""
        while True:
            try:
                self._step()
            except Exception:
                _log.exception("A step of the queue failed; the next one follows.")
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._wake.wait()

    def detach(self) -> None:
        """Let the process of a run continue when this server ends."""
        if self._worker is not None:
            # Popen warns about a process without a return code, and would wait for it.
            self._worker.process.returncode = 0

    def _step(self) -> None:
        if self._worker is not None and self._worker.process.poll() is not None:
            worker, self._worker = self._worker, None
            self._worker_ended(worker)
        for run in self._store.runs.in_state(self._org, RunState.RUNNING):
            # Of a run at a terminal that was killed, nobody on the page asked for a new start.
            if not run.is_alive and not self._has_worker(run) and run.queued_at is not None:
                self._store.settle_killed(run)
        for run in self._store.runs.queue(self._org):
            # Its process could not begin, or the server was killed while that was starting.
            if run.stop_requested is not None and not self._has_worker(run):
                self._end_without_process(run, run.stop_requested)
        if self._worker is not None or self._at_work():
            return
        if time.monotonic() < self._blocked_until_monotonic:
            return
        for run in self._store.runs.queue(self._org)[:1]:
            self._start(run)

    def _has_worker(self, run: Run) -> bool:
        return self._worker is not None and self._worker.run_id == run.run_id

    def _start(self, run: Run) -> None:
        process = subprocess.Popen(  # noqa: S603  our own command
            [sys.executable, "-P", "-m", "batchlock", "work", run.run_id, *self._command_options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C at the server's terminal must not reach the run (POSIX, then Windows).
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._worker = _Worker(run.run_id, process)

    def _worker_ended(self, worker: _Worker) -> None:
        """Look at a run whose process has ended: it recorded how, unless it was killed."""
        run = self._store.runs.get(worker.run_id)
        exit_code = worker.process.returncode
        if exit_code == AlreadyRunning.exit_code:
            self._blocked_until_monotonic = time.monotonic() + _BLOCKED_SECONDS
        # With exit code 0, the run is being sent by another process, which a server started that
        # was killed then.
        elif exit_code and run is not None and run.state in (RunState.QUEUED, RunState.RUNNING):
            self._store.settle_killed(run)
