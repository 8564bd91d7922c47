"""The runs that were asked for: one is at work, the others wait in line.

Each is sent by a process of its own, `batchlock work`, which is not ended with the server. What
became of it is read from its journal, so that it makes no difference which server started it.
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
from batchlock.store.page import QueuedRun, State, Store
from batchlock.web.worker import StopRequest, WorkerFolder

_EVERY = 0.5
"""Seconds between two looks at the run at work."""
_HEARD = 10.0
"""Seconds after which a process that says nothing, and holds nothing, is not there."""
_TRIES = 3
"""Starts of a run whose process was killed, before a person has to ask for it again."""
_NO_FAULT = (None, 7, 129, 130, 143)
"""Ends that say nothing against starting a run again: the server was gone, another run was
quicker, the machine is going down."""

_log = logging.getLogger(__name__)


class RunQueue:
    """The runs of one org that were asked for on the page."""

    def __init__(self, store: Store, history: History, state: Path, options: Sequence[str]) -> None:
        """Start runs of this history; `options` are those of the command line for each."""
        self._store = store
        self._history = history
        self._state = state
        self._options = options
        self._own: tuple[str, subprocess.Popen[bytes]] | None = None
        """The run whose process this server has started, and that process."""
        self._seen: Holder | bool | None = False
        """Who held the org when the line was last looked through; False before."""
        self._news = asyncio.Event()

    # -- what people ask for -------------------------------------------------------------

    def add(self, run_id: str, name: str, who: str, *, file: str | None = None) -> None:
        """Put a run at the end of the line, unless it is in it.

        Raises BatchlockError while it is just ending.
        """
        asked = self._store.run(self._history.org, run_id)
        if asked is not None and asked.state is State.WORKING and self.desk(run_id).wished:
            raise BatchlockError("It is just ending. Try again in a moment.")
        if asked is None or asked.state not in (State.WAITING, State.WORKING):
            self._store.put_run(run_id, self._history.org, name, who, file=file)
        self._news.set()

    def pause(self, run_id: str, who: str) -> None:
        """End a run until somebody says that it goes on; raises BatchlockError if it cannot be."""
        self._end(run_id, StopRequest(why=f"Paused by {who}.", pauses=True))

    def stop(self, run_id: str, who: str) -> None:
        """End a run, of which what is left can still be sent; raises as `pause` does."""
        self._end(run_id, StopRequest(why=f"Stopped by {who}.", pauses=False))

    def desk(self, run_id: str) -> WorkerFolder:
        """Return where word is left for the process of a run."""
        return WorkerFolder(self._store.folder / "desks" / run_id)

    def ahead(self, run_id: str) -> int:
        """Count the runs that come before this one."""
        order = self._store.runs(self._history.org, State.WORKING, State.WAITING)
        return next((at for at, run in enumerate(order) if run.run_id == run_id), 0)

    def blocked(self) -> str:
        """Return why the first in line is not at work, in a sentence; empty when it is."""
        if self._store.runs(self._history.org, State.WORKING):
            return ""
        holder = self.holder()
        return f"Another run is at work on this org: {holder}." if holder else ""

    def holder(self) -> Holder | None:
        """Return what is at work on the org, whoever has started it."""
        return org_lock.current_holder(self._state, self._history.org)

    def is_at_work(self, run_id: str) -> bool:
        """Tell whether a run is at work, whoever has started it."""
        holder = self.holder()
        return holder is not None and holder.run_id == run_id

    def elsewhere(self, run_id: str) -> bool:
        """Tell whether a run is at work at a terminal, where the page cannot end it."""
        holder = self.holder()
        return holder is not None and holder.run_id == run_id and not self._is_ours(holder)

    def _is_ours(self, holder: Holder) -> bool:
        """Tell whether it is a process that the page has started, this server or an earlier."""
        beat = self.desk(holder.run_id).told()
        return beat is not None and beat.process == holder.process

    def _end(self, run_id: str, wish: StopRequest) -> None:
        asked = self._store.run(self._history.org, run_id)
        if self.elsewhere(run_id):
            raise BatchlockError("This run is at work at a terminal; it is ended there.")
        if asked is None or asked.state is State.ENDED:
            raise BatchlockError("This run has ended already.")
        if asked.state is State.WORKING:  # its process ends it, and its end is then read
            self.desk(run_id).wish(wish)
        else:
            self._store.set_run(run_id, State.PAUSED if wish.pauses else State.ENDED, why=wish.why)
        self._news.set()

    # -- the line ------------------------------------------------------------------------

    async def keep(self) -> None:
        """Start what comes next and see to its end, until cancelled."""
        while True:
            try:
                self._turn()
            except Exception:
                _log.exception("The line of runs has stumbled, and goes on.")
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_EVERY):
                    await self._news.wait()

    def leave(self) -> None:
        """Let the process of a run go on without this server."""
        if self._own is not None:
            self._own[1].returncode = 0  # so that nobody waits for it

    def _turn(self) -> None:
        org, holder = self._history.org, self.holder()
        for run in self._store.runs(org, State.WORKING):
            if not self._lives(run, holder):
                self._ended(run)
        if holder != self._seen:  # something has begun or ended, so it is worth a look
            for run in self._store.runs(org, State.WAITING, State.PAUSED):
                if holder and holder.run_id == run.run_id and self._is_ours(holder):
                    self._store.set_run(run.run_id, State.WORKING)
                elif (end := self._end_of(run.run_id)) is not None and end.closed:
                    self._store.set_run(run.run_id, State.ENDED)
            self._seen = holder
        waiting = self._store.runs(org, State.WAITING)
        if waiting and holder is None and not self._store.runs(org, State.WORKING):
            self._start(waiting[0])

    def _lives(self, run: QueuedRun, holder: Holder | None) -> bool:
        """Tell whether a run is at work; one that has just been started may not show it yet."""
        if self._own is not None and self._own[0] == run.run_id:
            return self._own[1].poll() is None
        is_named = holder is not None and holder.run_id == run.run_id
        return is_named or self.desk(run.run_id).told(_HEARD) is not None

    def _start(self, run: QueuedRun) -> None:
        desk = self.desk(run.run_id)
        desk.make_ready()
        self._store.set_run(run.run_id, State.WORKING, tries=run.tries + 1)
        with (desk.folder / "said").open("wb") as said:
            process = subprocess.Popen(  # noqa: S603  our own command
                [sys.executable, "-P", "-m", "batchlock", "work", run.run_id, str(desk.folder),
                 *self._options],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )  # fmt: skip
        self._own = run.run_id, process

    def _ended(self, run: QueuedRun) -> None:
        """Take in that the process of a run has ended, or was gone when the server started."""
        end, wish = self._end_of(run.run_id), self.desk(run.run_id).wished
        code = None if end is None else end.exit_code
        if self._own is not None and self._own[0] == run.run_id:
            code, self._own = self._own[1].poll(), None
        if end is not None and end.closed:
            self._store.set_run(run.run_id, State.ENDED)
        elif wish is not None:
            state = State.PAUSED if wish.pauses else State.ENDED
            self._store.set_run(run.run_id, state, why=wish.why)
        elif code in _NO_FAULT:
            self._store.set_run(run.run_id, State.WAITING, tries=run.tries - 1)
        elif code < 0 and run.tries < _TRIES:
            self._store.set_run(run.run_id, State.WAITING)
        else:
            self._store.set_run(run.run_id, State.ENDED, why=self._why(run.run_id, end, code))
        self.desk(run.run_id).clear()

    def _end_of(self, run_id: str) -> SessionEnd | None:
        try:
            with Journal.open(self._history.path(run_id)) as journal:
                return journal.end
        except BatchlockError:  # whoever starts it says what is wrong
            return None

    def _why(self, run_id: str, end: SessionEnd | None, code: int | None) -> str:
        """Return why a run has ended before its last row."""
        if end is not None and end.ended_by and end.exit_code == code:
            return end.ended_by
        try:
            said = (self.desk(run_id).folder / "said").read_text("utf-8", "replace")
        except OSError:
            said = ""
        last = [queue for queue in said.splitlines() if queue.strip()][-1:]
        return last[0] if last else "It ended unexpectedly, and can go on."
