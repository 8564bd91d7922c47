"""The queue of runs: one is being sent, the others wait.

Each run is sent by a process of its own, `batchlock work`, which does not end with the server. How
a run ended is read from its journal, so the next server can continue the queue.
"""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from batchlock.core.errors import BatchlockError
from batchlock.store import org_lock
from batchlock.store.history import History
from batchlock.store.journal import Journal, SessionEnd
from batchlock.store.org_lock import Holder
from batchlock.store.page import PageStore, QueuedRun, QueueState
from batchlock.web.worker import StopRequest, WorkerFolder

_log = logging.getLogger(__name__)

# Other processes change locks and journals, so they are polled; a click wakes the loop at once.
_POLL_SECONDS = 0.5
# After a restart of the server: a worker that has not yet taken the org lock may need some seconds
# to import everything, and writes no heartbeat meanwhile.
_START_SECONDS = 10.0
# A killed worker (out of memory, for example) is started again, but not for ever.
_MAX_STARTS = 3
# Exit codes after which a run is started again and the start does not count: another run had the
# org lock, or the machine shuts down (SIGHUP, SIGINT, SIGTERM).
_NOT_COUNTED = (7, 129, 130, 143)


class RunQueue:
    """The runs of one org that people requested on the page."""

    def __init__(
        self, store: PageStore, history: History, state: Path, command_options: Sequence[str]
    ) -> None:
        """Start the runs of this history, each with these options of the command line."""
        self._store = store
        self._history = history
        self._state = state
        self._command_options = command_options
        self._own: tuple[str, subprocess.Popen[bytes]] | None = None
        """The run whose process this server started, and that process."""
        self._last_holder: Holder | bool | None = False
        """The holder of the org lock in the last step; False before the first."""
        self._wake = asyncio.Event()

    def add(self, run_id: str, file_name: str, user: str, *, upload_id: str | None = None) -> None:
        """Put a run at the end of the queue, unless it is in the queue.

        Raises BatchlockError if a person has stopped it and its process is still ending.
        """
        queued = self._store.queue.get(self._history.org, run_id)
        if queued is not None and queued.state is QueueState.WORKING:
            if self.worker_folder(run_id).stop_request() is not None:
                raise BatchlockError("It is stopping. Try again in a moment.")
        elif queued is None or queued.state is not QueueState.WAITING:
            self._store.queue.put(run_id, self._history.org, file_name, user, upload_id=upload_id)
        self._wake.set()

    def pause(self, run_id: str, user: str) -> None:
        """Pause a run until a person resumes it; raises BatchlockError if that is impossible."""
        self._end(run_id, StopRequest(reason=f"Paused by {user}.", pause=True))

    def stop(self, run_id: str, user: str) -> None:
        """Stop a run; the rest can still be sent later. Raises BatchlockError as `pause` does."""
        self._end(run_id, StopRequest(reason=f"Stopped by {user}.", pause=False))

    def worker_folder(self, run_id: str) -> WorkerFolder:
        """Return the folder by which page and worker of a run communicate."""
        return WorkerFolder(self._store.folder / "desks" / run_id)

    def runs_before(self, run_id: str) -> int:
        """Count the runs that come before this one."""
        order = self._store.queue.in_state(
            self._history.org, QueueState.WORKING, QueueState.WAITING
        )
        return next((number for number, run in enumerate(order) if run.run_id == run_id), 0)

    def blocked_by(self) -> str:
        """Return what holds up the first run in the queue, in a sentence; empty if nothing does."""
        if self._store.queue.in_state(self._history.org, QueueState.WORKING):
            return ""
        holder = self.holder()
        return f"Another run is at work on this org: {holder}." if holder else ""

    def holder(self) -> Holder | None:
        """Return the holder of the org lock, whoever started it."""
        return org_lock.current_holder(self._state, self._history.org)

    def is_at_work(self, run_id: str) -> bool:
        """Return whether a run is being sent, by the page or at a terminal."""
        holder = self.holder()
        return holder is not None and holder.run_id == run_id

    def is_at_terminal(self, run_id: str) -> bool:
        """Return whether a run is being sent at a terminal, where the page cannot end it."""
        holder = self.holder()
        return holder is not None and holder.run_id == run_id and not self._is_ours(holder)

    def _is_ours(self, holder: Holder) -> bool:
        """Return whether a server of the page, this or an earlier one, started that process."""
        heartbeat = self.worker_folder(holder.run_id).heartbeat()
        return heartbeat is not None and heartbeat.process == holder.process

    def _end(self, run_id: str, request: StopRequest) -> None:
        queued = self._store.queue.get(self._history.org, run_id)
        if self.is_at_terminal(run_id):
            raise BatchlockError("This run is running at a terminal; stop it there.")
        if queued is None or queued.state is QueueState.ENDED:
            raise BatchlockError("This run has ended already.")
        if queued.state is QueueState.WORKING:
            # Its process ends the run, and `_process_ended` then sets the state.
            self.worker_folder(run_id).write_stop_request(request)
        else:
            self._set_stopped(run_id, request)
        self._wake.set()

    def _set_stopped(self, run_id: str, request: StopRequest) -> None:
        state = QueueState.PAUSED if request.pause else QueueState.ENDED
        self._store.queue.set_state(run_id, state, reason=request.reason)

    async def process_queue(self) -> None:
        """Start each run when its turn comes, and record how it ended; runs until cancelled."""
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
        if self._own is not None:
            # Popen warns about a process without a return code, and would wait for it.
            self._own[1].returncode = 0

    def _step(self) -> None:
        org, holder, queue = self._history.org, self.holder(), self._store.queue
        for run in queue.in_state(org, QueueState.WORKING):
            if not self._has_process(run, holder):
                self._process_ended(run)
        if holder != self._last_holder:  # journals are opened only when a run began or ended
            for run in queue.in_state(org, QueueState.WAITING, QueueState.PAUSED):
                if holder and holder.run_id == run.run_id and self._is_ours(holder):
                    queue.set_state(run.run_id, QueueState.WORKING)
                elif (end := self._session_end(run.run_id)) is not None and end.closed:
                    queue.set_state(run.run_id, QueueState.ENDED)
            self._last_holder = holder
        waiting = queue.in_state(org, QueueState.WAITING)
        if waiting and holder is None and not queue.in_state(org, QueueState.WORKING):
            self._start(waiting[0])

    def _has_process(self, run: QueuedRun, holder: Holder | None) -> bool:
        if self._own is not None and self._own[0] == run.run_id:
            return self._own[1].poll() is None
        if holder is not None and holder.run_id == run.run_id:
            return True
        return self.worker_folder(run.run_id).heartbeat(_START_SECONDS) is not None

    def _start(self, run: QueuedRun) -> None:
        folder = self.worker_folder(run.run_id)
        folder.prepare()
        self._store.queue.set_state(run.run_id, QueueState.WORKING, starts=run.starts + 1)
        with folder.output.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603  our own command
                [sys.executable, "-P", "-m", "batchlock", "work", run.run_id, str(folder.folder),
                 *self._command_options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C at the server's terminal must not reach the run (POSIX, then Windows).
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )  # fmt: skip
        self._own = run.run_id, process

    def _process_ended(self, run: QueuedRun) -> None:
        """Set the state of a run whose process has ended, or is gone since the server started."""
        folder, queue = self.worker_folder(run.run_id), self._store.queue
        end, request = self._session_end(run.run_id), folder.stop_request()
        exit_code = None if end is None else end.exit_code
        if self._own is not None and self._own[0] == run.run_id:
            exit_code, self._own = self._own[1].poll(), None
        if end is not None and end.closed:
            queue.set_state(run.run_id, QueueState.ENDED)
        elif request is not None:
            self._set_stopped(run.run_id, request)
        elif exit_code is None or exit_code in _NOT_COUNTED:
            queue.set_state(run.run_id, QueueState.WAITING, starts=run.starts - 1)
        elif exit_code < 0 and run.starts < _MAX_STARTS:
            queue.set_state(run.run_id, QueueState.WAITING)
        else:
            reason = self._end_reason(run.run_id, end, exit_code)
            queue.set_state(run.run_id, QueueState.ENDED, reason=reason)
        folder.clear()

    def _session_end(self, run_id: str) -> SessionEnd | None:
        try:
            with Journal.open(self._history.path(run_id)) as journal:
                return journal.end
        except BatchlockError:  # the worker will name the problem when it starts
            return None

    def _end_reason(self, run_id: str, end: SessionEnd | None, exit_code: int) -> str:
        """Return why a run ended before its last row: from its journal, else its last output."""
        if end is not None and end.ended_by and end.exit_code == exit_code:
            return end.ended_by
        try:
            output = self.worker_folder(run_id).output.read_text("utf-8", "replace")
        except OSError:
            output = ""
        lines = [line for line in output.splitlines() if line.strip()]
        return lines[-1] if lines else "It ended unexpectedly and can be resumed."
