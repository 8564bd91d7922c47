"""The queue of an org whose runs this server sends, each with a process of its own."""

import logging
import time
from collections.abc import Callable

from batchlock.core.errors import AlreadyRunning, UsageError
from batchlock.core.runs import Run, RunState
from batchlock.core.stop import StopReason
from batchlock.store.store import Store
from batchlock.web.queue import RunQueue
from batchlock.web.run_process import RunProcess
from batchlock.web.served_orgs import ServedOrgs

_log = logging.getLogger(__name__)

# How long a run waits after its worker found the lock of the org held by a command at a terminal
# whose plan is not finished. Its process takes a second of CPU to find that out.
_BLOCKED_SECONDS = 5.0


class ProcessQueue(RunQueue):
    """The runs of one org that people requested on the page, and the process of the first."""

    def __init__(
        self, store: Store, org: str, served_orgs: ServedOrgs, wake: Callable[[], None]
    ) -> None:
        """Start the runs of this org; `wake` makes the caller of `settle` call it soon."""
        super().__init__(store, org, served_orgs)
        self._request_step = wake
        self._process: RunProcess | None = None
        self._blocked_until_monotonic = 0.0
        self._is_sent_by_older_server = False

    @property
    def is_sending(self) -> bool:
        """Whether a process sends a run that was requested on the page, as of the last look."""
        return self._process is not None or self._is_sent_by_older_server

    def detach(self) -> None:
        """Let the process of a run continue when this server ends."""
        if self._process is not None:
            self._process.detach()

    def settle(self) -> None:
        """Look at the records: end the runs whose process has ended, or that a person stopped."""
        if self._process is not None and (exit_code := self._process.poll()) is not None:
            process, self._process = self._process, None
            self._process_ended(process, exit_code)
        self._is_sent_by_older_server = False
        for run in self._store.runs.in_state(self._org, RunState.RUNNING):
            if run.is_alive and not self._has_process(run) and run.queued_at is not None:
                self._is_sent_by_older_server = True
            # Of a run at a terminal that was killed, nobody on the page asked for a new start.
            if not run.is_alive and not self._has_process(run) and run.queued_at is not None:
                self._store.settle_killed(run)
        for run in self._store.runs.queue(self._org):
            # Its process could not begin, or the server was killed while that was starting.
            if run.stop_requested is not None and not self._has_process(run):
                self._end_without_process(run, run.stop_requested)

    def start_next(self) -> bool:
        """Start the first run when no other is being sent; return whether one was started."""
        if self._process is not None or self._served_orgs.is_disabled(self._org):
            return False
        if time.monotonic() < self._blocked_until_monotonic or self._at_work():
            return False
        for run in self._store.runs.queue(self._org)[:1]:
            self._start(run)
            return True
        return False

    def _wake(self) -> None:
        self._request_step()

    def _is_starting(self, run: Run) -> bool:
        return run.state is RunState.QUEUED and self._has_process(run)

    def _has_process(self, run: Run) -> bool:
        return self._process is not None and self._process.run_id == run.run_id

    def _start(self, run: Run) -> None:
        options = self._served_orgs.command_options(self._org)
        self._process = RunProcess(run.run_id, options)

    def _process_ended(self, process: RunProcess, exit_code: int) -> None:
        """Look at a run whose process has ended: it recorded how, unless it was killed."""
        output = process.close()
        run = self._store.runs.get(process.run_id)
        if exit_code == AlreadyRunning.exit_code:
            self._blocked_until_monotonic = time.monotonic() + _BLOCKED_SECONDS
        # With exit code 0, the run is being sent by another process, which a server started that
        # was killed then.
        if not exit_code or run is None or run.state not in (RunState.QUEUED, RunState.RUNNING):
            return
        if exit_code == UsageError.exit_code and run.state is RunState.QUEUED and output:
            # It could not even read the settings, so another start would end in the same way.
            reason = StopReason.of(UsageError(" ".join(output.split())))
            self._store.runs.end_waiting(run.run_id, reason)
            return
        if exit_code != AlreadyRunning.exit_code:
            last_line = output.rpartition("\n")[2].strip() or "It has printed nothing."
            _log.warning(
                "The process of run %s ended with exit code %s: %s",
                run.run_id, exit_code, last_line,
            )  # fmt: skip
            self._store.settle_killed(run)
