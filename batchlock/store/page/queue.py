"""The runs that people requested on the page, and the state of each."""

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class QueueState(StrEnum):
    """The state of a run that was requested on the page."""

    WAITING = "waiting"
    """In the queue."""
    WORKING = "working"
    """A worker process sends it."""
    PAUSED = "paused"
    """A person paused it, and a person must resume it."""
    ENDED = "ended"
    """The queue does nothing more for it, whether it is finished or not."""


# In these states a run can still change by itself or by a click, so its upload is kept.
ACTIVE = (QueueState.WAITING, QueueState.WORKING, QueueState.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedRun:
    """A run that was requested on the page."""

    run_id: str
    file_name: str
    user: str
    """Who requested it first."""
    state: QueueState
    reason: str
    """Why it is not running, in a sentence; empty when there is nothing to say."""
    starts: int
    """How often a worker was started for it since a person last requested it."""


class QueueTable:
    """The table `runs`."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql

    def put(
        self, run_id: str, org: str, file_name: str, user: str, *, upload_id: str | None
    ) -> None:
        """Put a run at the end of the queue; a run that is in the table keeps its first user."""
        # The new time moves a run that is queued again behind the others.
        self._sql.execute(
            "INSERT INTO runs (run_id, org, file, name, who, at, state)"
            " VALUES (?, ?, ?, ?, ?, ?, 'waiting') ON CONFLICT (run_id) DO UPDATE SET"
            " state = 'waiting', why = '', tries = 0, at = excluded.at",
            (run_id, org, upload_id, file_name, user, time.time()),
        )

    def set_state(
        self, run_id: str, state: QueueState, *, reason: str = "", starts: int | None = None
    ) -> None:
        """Set the state of a run, its reason, and (unless None) the count of its starts."""
        self._sql.execute(
            "UPDATE runs SET state = ?, why = ?, tries = ifnull(?, tries) WHERE run_id = ?",
            (state.value, reason, starts, run_id),
        )

    def get(self, org: str, run_id: str) -> QueuedRun | None:
        """Return a run; None if it was never requested on the page."""
        runs = self._select("org = ? AND run_id = ?", (org, run_id))
        return runs[0] if runs else None

    def in_state(self, org: str, *states: QueueState) -> list[QueuedRun]:
        """Return the runs in any of these states, in the order of the queue."""
        marks = ", ".join("?" * len(states))
        return self._select(f"org = ? AND state IN ({marks}) ORDER BY at", (org, *states))

    def all(self, org: str) -> dict[str, QueuedRun]:
        """Return all runs by their ids."""
        return {run.run_id: run for run in self._select("org = ?", (org,))}

    def remove(self, run_id: str) -> None:
        """Remove a run from the table; the caller removes its journal."""
        self._sql.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))

    def _select(self, condition: str, values: Sequence[object]) -> list[QueuedRun]:
        rows = self._sql.execute(
            f"SELECT run_id, name, who, state, why, tries FROM runs WHERE {condition}",
            tuple(values),
        )
        return [
            QueuedRun(run_id=run_id, file_name=file_name, user=user, state=QueueState(state),
                      reason=reason, starts=starts)
            for run_id, file_name, user, state, reason, starts in rows
        ]  # fmt: skip
