"""The queue of an org whose runs this server sends, each with a process of its own.

That process, `batchlock work`, does not end with the server.
"""

import logging
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from batchlock.core.errors import AlreadyRunning
from batchlock.core.runs import Run, RunState
from batchlock.store.store import Store
from batchlock.web.queue import RunQueue
from batchlock.web.served_orgs import ServedOrgs

_log = logging.getLogger(__name__)

# How long a run waits after its worker found the lock of the org held by a command at a terminal
# whose plan is not finished. Its process takes a second of CPU to find that out.
_BLOCKED_SECONDS = 5.0


def start_process(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a command of batchlock in a process that outlives this one."""
    return subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, "-P", "-m", "batchlock", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Ctrl-C at the server's terminal must not reach the run (POSIX, then Windows).
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


@dataclass(slots=True)
class _Worker:
    """The process that this server started for a run."""

    run_id: str
    process: subprocess.Popen[bytes]


class ProcessQueue(RunQueue):
    """The runs of one org that people requested on the page, and the process of the first."""

    def __init__(
        self, store: Store, org: str, served_orgs: ServedOrgs, wake: Callable[[], None]
    ) -> None:
        """Start the runs of this org; `wake` makes the caller of `step` call it soon."""
        super().__init__(store, org, served_orgs)
        self._request_step = wake
        self._worker: _Worker | None = None
        self._blocked_until_monotonic = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether this server has no process of a run."""
        return self._worker is None

    def detach(self) -> None:
        """Let the process of a run continue when this server ends."""
        if self._worker is not None:
            # Popen warns about a process without a return code, and would wait for it.
            self._worker.process.returncode = 0

    def step(self) -> None:
        """Look at the records, and start the first run when no other is being sent."""
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
        if self._worker is not None or self._at_work() or self._served_orgs.is_disabled(self._org):
            return
        if time.monotonic() < self._blocked_until_monotonic:
            return
        for run in self._store.runs.queue(self._org)[:1]:
            self._start(run)

    def _wake(self) -> None:
        self._request_step()

    def _is_starting(self, run: Run) -> bool:
        return run.state is RunState.QUEUED and self._has_worker(run)

    def _has_worker(self, run: Run) -> bool:
        return self._worker is not None and self._worker.run_id == run.run_id

    def _start(self, run: Run) -> None:
        options = self._served_orgs.command_options(self._org)
        self._worker = _Worker(run.run_id, start_process(["work", run.run_id, *options]))

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
