"""Names in the store of one machine, for the shell while a person types.

The file is opened for reading only, without SQLAlchemy, which takes 0.15 s to import: a person
waits for the answer. Nothing is made, migrated or repaired here.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

# `NAME` of database.py, whose import takes SQLAlchemy with it; a test compares the two.
STORE_NAME = "store.sqlite"
# A transaction of another process takes a few milliseconds; a person does not wait for longer.
_BUSY_TIMEOUT_SECONDS = 0.2


class RunName(NamedTuple):
    """A run as a list of names shows it."""

    run_id: str
    file_name: str
    state: str


def newest_runs(
    state_folder: Path, orgs: Sequence[str], beginning: str, count: int
) -> list[RunName]:
    """Return at most `count` runs of some orgs whose ids begin with `beginning`, newest first.

    Raises sqlite3.Error and OSError when there is no store, or when it cannot be read.
    """
    marks = ", ".join("?" * len(orgs))
    # Not LIKE, in which `_` and `%` have a meaning.
    query = (
        f"SELECT id, file_name, state FROM runs WHERE org IN ({marks})"
        " AND substr(id, 1, length(?)) = ? ORDER BY id DESC LIMIT ?"
    )
    with _store(state_folder) as connection:
        rows = connection.execute(query, (*orgs, beginning, beginning, count)).fetchall()
    # The texts that people choose are stored as JSON (AnyText).
    return [RunName(run_id, str(json.loads(name)), state) for run_id, name, state in rows]


def org_names(state_folder: Path) -> list[str]:
    """Return the names of the orgs that a person has added, sorted.

    Raises as `newest_runs` does.
    """
    query = "SELECT org FROM orgs WHERE added_at IS NOT NULL ORDER BY org"
    with _store(state_folder) as connection:
        return [name for (name,) in connection.execute(query)]


@contextmanager
def _store(state_folder: Path) -> Iterator[sqlite3.Connection]:
    path = state_folder.absolute() / STORE_NAME
    # Without a write-ahead log no process has the file open, and SQLite makes none for a file that
    # cannot change.
    has_log = path.with_name(f"{path.name}-wal").exists()
    uri = f"{path.as_uri()}?{'mode=ro' if has_log else 'immutable=1'}"
    with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_SECONDS)) as connection:
        yield connection
