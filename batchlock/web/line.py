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

from batchlock import orglock
from batchlock.errors import BatchlockError
from batchlock.history import History
from batchlock.journal import End, Journal
from batchlock.web.store import Asked, State, Store
from batchlock.web.worker import Desk

_EVERY = 0.5
"""Seconds between two looks at the run at work."""
_HEARD = 10.0
"""Seconds after which a process that says nothing is not there, or not ours."""
_TRIES = 3
"""Starts of a run whose process was killed, before a person has to ask for it again."""
_NO_FAULT = (None, 7, 129, 130, 143)
"""Ends that say nothing against starting a run again: the server was gone, another run was
quicker, the machine is going down."""

_log = logging.getLogger(__name__)


class Line:
    """The runs of one org that were asked for on the page."""

    def __init__(self, store: Store, history: History, state: Path, options: Sequence[str]) -> None:
        """Start runs of this history; `options` are those of the command line for each."""
        self._store = store
        self._history = history
        self._state = state
        self._options = options
        self._process: asyncio.subprocess.Process | None = None
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
        self._end(run_id, State.PAUSED, f"Paused by {who}.")

    def stop(self, run_id: str, who: str) -> None:
        """End a run, of which what is left can still be sent; raises as `pause` does."""
        self._end(run_id, State.ENDED, f"Stopped by {who}.")

    def desk(self, run_id: str) -> Desk:
        """Return where word is left for the process of a run."""
        return Desk(self._store.folder / "work" / run_id)

    def ahead(self, run_id: str) -> int:
        """Count the runs that come before this one."""
        order = self._store.runs(self._history.org, State.WORKING, State.WAITING)
        return next((at for at, run in enumerate(order) if run.run_id == run_id), 0)

    def blocked(self) -> str:
        """Return why the first in line is not at work, in a sentence; empty when it is."""
        if self._store.runs(self._history.org, State.WORKING):
            return ""
        told = self._at_work()
        return f"Another run is at work on this org: {told}." if told else ""

    def elsewhere(self, run_id: str) -> bool:
        """Tell whether a run is at work at a terminal, where the page cannot end it."""
        is_ours = self._process is not None or self.desk(run_id).told(_HEARD) is not None
        return not is_ours and self.names(run_id)

    def _end(self, run_id: str, state: State, why: str) -> None:
        asked = self._store.run(self._history.org, run_id)
        if self.elsewhere(run_id):
            raise BatchlockError("This run is at work at a terminal; it is ended there.")
        if asked is not None and (asked.state is State.WORKING or self.names(run_id)):
            self.desk(run_id).wish(why)  # its process ends it, and its end is then read
        elif asked is not None and asked.state in (State.WAITING, State.PAUSED):
            self._store.set_run(run_id, state, why=why)
        else:
            raise BatchlockError("This run has ended already.")
        self._news.set()

    # -- the line ------------------------------------------------------------------------

    async def keep(self) -> None:
        """Start what comes next and see to its end, until cancelled."""
        while True:
            try:
                await self._turn()
            except Exception:
                _log.exception("The line of runs has stumbled, and goes on.")
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_EVERY):
                    await self._news.wait()

    async def _turn(self) -> None:
        for run in self._store.runs(self._history.org, State.WORKING):
            if not self._is_at_work(run):
                self._ended(run)
        for run in self._store.runs(self._history.org, State.WAITING, State.PAUSED):
            if self.names(run.run_id) and not self.elsewhere(run.run_id):
                self._store.set_run(run.run_id, State.WORKING)
            elif (end := self._end_of(run.run_id)) is not None and end.closed:
                self._store.set_run(run.run_id, State.ENDED)
        waiting = self._store.runs(self._history.org, State.WAITING)
        working = self._store.runs(self._history.org, State.WORKING)
        if waiting and not working and self._at_work() is None:
            await self._start(waiting[0])

    def _at_work(self) -> str | None:
        return orglock.at_work(self._state, self._history.org)

    def at_work(self) -> str | None:
        """Return the id of the run that is at work, whoever has started it."""
        match (self._at_work() or "").replace(",", " ").split():
            case ["run", run_id, *_]:
                return run_id
        return None

    def names(self, run_id: str) -> bool:
        """Tell whether this very run is at work."""
        return self.at_work() == run_id

    def _is_at_work(self, run: Asked) -> bool:
        """Tell whether a run is at work; one that has just been started may not show it yet."""
        if self._process is not None:
            return self._process.returncode is None
        return self.desk(run.run_id).told(_HEARD) is not None or self.names(run.run_id)

    async def _start(self, run: Asked) -> None:
        desk = self.desk(run.run_id)
        desk.clear()
        with (desk.folder / "said").open("wb") as said:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "batchlock",
                "work",
                run.run_id,
                str(desk.folder),
                *self._options,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        self._store.set_run(run.run_id, State.WORKING, tries=run.tries + 1)

    def _ended(self, run: Asked) -> None:
        """Take in that the process of a run has ended, or was gone when the server started."""
        process, self._process = self._process, None
        code = None if process is None else process.returncode
        end = self._end_of(run.run_id)
        wish = self.desk(run.run_id).wished
        if end is not None and end.closed:
            self._store.set_run(run.run_id, State.ENDED)
        elif wish:
            paused = wish.startswith("Paused")
            self._store.set_run(run.run_id, State.PAUSED if paused else State.ENDED, why=wish)
        elif code in _NO_FAULT:
            self._store.set_run(run.run_id, State.WAITING, tries=run.tries - 1)
        elif code < 0 and run.tries < _TRIES:
            self._store.set_run(run.run_id, State.WAITING)
        else:
            self._store.set_run(run.run_id, State.ENDED, why=self._why(run.run_id, end, code))

    def _end_of(self, run_id: str) -> End | None:
        try:
            with Journal.open(self._history.path(run_id)) as journal:
                return journal.end
        except BatchlockError:  # whoever starts it says what is wrong
            return None

    def _why(self, run_id: str, end: End | None, code: int | None) -> str:
        """Return why a run has ended before its last row."""
        if end is not None and end.ended_by and end.exit_code == code:
            return end.ended_by
        try:
            said = (self.desk(run_id).folder / "said").read_text("utf-8", "replace")
        except OSError:
            said = ""
        last = [line for line in said.splitlines() if line.strip()][-1:]
        return last[0] if last else "It ended unexpectedly, and can go on."
