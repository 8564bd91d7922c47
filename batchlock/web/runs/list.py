"""The list of all runs of an org; a run that has ended is read from its journal only once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from batchlock.core.errors import BatchlockError
from batchlock.store.history import History
from batchlock.store.journal import Journal, RunInfo, SessionEnd, Totals
from batchlock.store.page import ACTIVE, QueuedRun


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRun:
    """A run, as the lists show it."""

    info: RunInfo
    end: SessionEnd | None
    rows: int
    settled: int
    totals: Totals
    queued: QueuedRun | None = None
    """None for a run of the command line."""
    is_at_work: bool = False

    @property
    def file_name(self) -> str:
        """The name of its file."""
        return self.queued.file_name if self.queued else displayable_name(self.info.file)

    @property
    def user(self) -> str:
        """Who requested it."""
        return self.queued.user if self.queued else "command line"

    @property
    def state(self) -> str:
        """One of `waiting`, `working`, `paused`, `finished` and `unfinished`."""
        if self.is_at_work:
            return "working"
        if self.queued is not None and self.queued.state in ACTIVE:
            return self.queued.state.value
        return "finished" if self.end is not None and self.end.closed else "unfinished"

    @property
    def is_active(self) -> bool:
        """Whether it waits, is running or is paused."""
        return self.state in ACTIVE

    def matches(self, words: str) -> bool:
        """Return whether every one of the words occurs in what the list shows of the run."""
        text = (
            f"{self.file_name} {self.info.run_id} {self.user} "
            f"{self.info.started_at:%Y-%m-%d} {self.state}"
        ).casefold()
        return all(word in text for word in words.casefold().split())


class RunList:
    """All runs of an org, newest first."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._closed: dict[str, ListedRun] = {}

    def all(self, queued: Mapping[str, QueuedRun], at_work: str | None) -> list[ListedRun]:
        """Return all runs with their entries in the queue; `at_work` is the id of a run."""
        return [
            replace(run, queued=queued.get(run.info.run_id), is_at_work=run.info.run_id == at_work)
            for run in self.from_journals()
        ]

    def from_journals(self) -> list[ListedRun]:
        """Return all runs with what their journals say, without the queue."""
        runs: list[ListedRun] = []
        closed: dict[str, ListedRun] = {}
        for run_id in self._history.ids():
            path = self._history.path(run_id)
            try:
                run = self._closed.get(run_id) or _read(path)
            except BatchlockError:
                continue  # it is being created, or was removed
            if run.end is not None and run.end.closed and not _is_open_elsewhere(path):
                closed[run_id] = run
            runs.append(run)
        self._closed = closed
        return runs


def displayable_name(file: str) -> str:
    """Return a file's name as text: on POSIX a name may hold bytes that are no UTF-8."""
    return Path(file).name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _read(path: Path) -> ListedRun:
    with Journal.open(path) as journal, journal.snapshot():
        return ListedRun(
            info=journal.info,
            end=journal.end,
            rows=sum(journal.counts().values()),
            settled=journal.settled(),
            totals=journal.totals,
        )


def _is_open_elsewhere(path: Path) -> bool:
    """Return whether a process has the journal open: SQLite removes the WAL at the last close."""
    return os.path.exists(f"{path}-wal")  # noqa: PTH110  a suffix on a whole name
