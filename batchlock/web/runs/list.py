"""The runs there are, as a list shows them: one that has ended is looked at once."""

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
    """A run."""

    about: RunInfo
    end: SessionEnd | None
    rows: int
    settled: int
    totals: Totals
    asked: QueuedRun | None = None
    """None for a run of the command line."""
    is_at_work: bool = False

    @property
    def name(self) -> str:
        """The name of its file."""
        return self.asked.name if self.asked else shown_name(self.about.file)

    @property
    def stands(self) -> str:
        """How it stands: `waiting`, `working`, `paused`, `finished` or `unfinished`."""
        if self.is_at_work:
            return "working"
        if self.asked is not None and self.asked.state in ACTIVE:
            return self.asked.state.value
        return "finished" if self.end is not None and self.end.closed else "unfinished"


class RunList:
    """All runs of an org."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._known: dict[str, ListedRun] = {}

    def all(self, asked: Mapping[str, QueuedRun], current_holder: str | None) -> list[ListedRun]:
        """Return them, newest first; `at_work` is the id of the one that is."""
        return [
            replace(
                past,
                asked=asked.get(past.about.run_id),
                is_at_work=past.about.run_id == current_holder,
            )
            for past in self.bare()
        ]

    def bare(self) -> list[ListedRun]:
        """Return them without what the page knows beside the journals."""
        found = []
        known: dict[str, ListedRun] = {}
        for run_id in self._history.ids():
            path = self._history.path(run_id)
            past = self._known.get(run_id)
            try:
                past = past or _look(path)
            except BatchlockError:
                continue  # it is being made, or was removed
            if past.end is not None and past.end.closed and not _has_news(path):
                known[run_id] = past
            found.append(past)
        self._known = known
        return found


def shown_name(file: str) -> str:
    """Return the name of a file as it can be shown: not every name is text."""
    return Path(file).name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _look(path: Path) -> ListedRun:
    with Journal.open(path) as journal, journal.snapshot():
        return ListedRun(
            about=journal.info,
            end=journal.end,
            rows=sum(journal.counts().values()),
            settled=journal.settled(),
            totals=journal.totals,
        )


def _has_news(path: Path) -> bool:
    """Tell whether somebody has the journal open, and may write to it."""
    return os.path.exists(f"{path}-wal")  # noqa: PTH110  a suffix on a whole name
