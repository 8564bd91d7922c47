"""Which runs of a list somebody wants to see."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from batchlock.core.runs import Run

FINISHED, UNFINISHED = "finished", "unfinished"
"""The two states of the list; a run that was superseded or refused is finished there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """What the runs of a list have in common; None and the defaults leave none out."""

    state: str | None = None
    """A RunState, FINISHED or UNFINISHED."""
    since: datetime | None = None
    until: datetime | None = None
    """Between these moments a run was started, both included."""
    only_failed: bool = False
    """Whether rows of it are not as the file asks, or its last session ended with an error."""
    file: str = ""
    """A part of the name of its file, in any case."""
    limit: int | None = None
    """The newest so many of them."""

    def select(self, runs: Iterable[Run], current: Callable[[Run], Run]) -> list[Run]:
        """Return those of `runs` that match, in their order.

        `current` returns a run with its present figures. That opens a journal if the run is being
        sent, so it is called for the runs only that match otherwise.
        """
        matches: list[Run] = []
        for run in runs:
            if len(matches) == self.limit:
                break
            if self._matches_record(run):
                run = current(run)
                if not self.only_failed or has_failed(run):
                    matches.append(run)
        return matches

    def _matches_record(self, run: Run) -> bool:
        started_at = run.info.started_at
        is_in_time = (self.since is None or self.since <= started_at) and (
            self.until is None or started_at <= self.until
        )
        is_of_file = self.file.casefold() in run.info.file_name.casefold()
        return is_in_time and is_of_file and self._has_state(run)

    def _has_state(self, run: Run) -> bool:
        if self.state in (None, FINISHED, UNFINISHED):
            return self.state is None or run.is_closed is (self.state == FINISHED)
        return run.state == self.state


def has_failed(run: Run) -> bool:
    """Return whether rows of a run are not as its file asks, or its last session had an error.

    Of a run that is being sent, or waits, rows that were not sent yet are no failure.
    """
    figures = run.figures
    not_done = figures.rows - figures.settled - figures.remaining
    is_short = run.exit_code is not None and figures.settled < figures.rows
    return not_done > 0 or is_short or bool(run.exit_code)
