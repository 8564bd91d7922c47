"""How the last session of a run ended, as the journals of 0.1.0 hold it.

The store has this in the record of the run; only the journals of 0.1.0 have it in the journal.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from batchlock.store.journal.sql import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd:
    """How the last session of a run ended."""

    exit_code: int
    ended_by: str
    """Why the session ended before its last row, in a sentence; empty when it did not."""
    finished_at: datetime
    """Wall clock, UTC."""
    output: str | None
    """The path of the results; None when they were not written."""
    closed: bool
    """Whether the run cannot be resumed: no row is left, or none may be sent."""

    def to_json(self) -> dict[str, Any]:
        """Return the end as the journal stores it."""
        return asdict(self) | {"finished_at": self.finished_at.isoformat()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the end that a journal holds.

        Raises KeyError or TypeError when a field is missing or unknown.
        """
        values["finished_at"] = datetime.fromisoformat(values["finished_at"])
        return cls(**values)


def read_end(database: Database) -> SessionEnd | None:
    """Return how the last session ended; None while a session runs or after it was killed.

    Raises BatchlockError when another version of batchlock wrote the end.
    """
    with database.reading() as sql:
        value = sql.execute("SELECT value FROM run WHERE name = 'end'").fetchone()
    if value is None:
        return None
    try:
        return SessionEnd.from_json(json.loads(value[0]))
    except (KeyError, TypeError, ValueError):
        raise database.wrong_version() from None
