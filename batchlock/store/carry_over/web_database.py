"""Read the database of the page of 0.1.0, `<state>/web/web.sqlite`.

people    name, secret                    a password hash
sessions  key, name, seen                 a hash of the cookie
files     id, org, name, who, at, …       an upload, and how it is read
runs      run_id, org, file, who, at, …   a run that was requested on the page, and its state
columns   titles, chosen                  columns that a person chose for such titles
encodings titles, chosen                  an encoding that a person chose for such titles
log       at, org, who, what, about       who did what
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from batchlock.core.errors import BatchlockError
from batchlock.store.uploads import ReadChoices, Upload, UploadState, to_columns, to_reading

_Row = dict[str, Any]
# A server of 0.1.0 may be writing.
_BUSY_TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedRun:
    """A run that was requested on the page of 0.1.0."""

    state: str
    """`waiting`, `working`, `paused` or `ended`."""
    reason: str
    """Why it is not running, in a sentence; empty when there is nothing to say."""
    file_name: str
    user: str
    """Who requested it first."""
    upload: str | None
    requested_at: datetime
    starts: int
    """How often a worker was started for it since a person last requested it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebDatabase:
    """What the database holds, as rows of the store's tables."""

    people: Sequence[_Row] = ()
    sessions: Sequence[_Row] = ()
    uploads: Sequence[_Row] = ()
    choices: Sequence[_Row] = ()
    audit_log: Sequence[_Row] = ()
    queue: Mapping[str, RequestedRun] = field(default_factory=dict)
    """The runs by their ids. Their records are made from the journals."""


def read_web_database(path: Path) -> WebDatabase:
    """Return what the database holds; nothing when there is none.

    Raises BatchlockError when it cannot be read.
    """
    if not path.exists():
        return WebDatabase()
    try:
        # Read-only also reads a write-ahead log that a killed server left, and keeps it.
        sql = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            timeout=_BUSY_TIMEOUT_SECONDS,
        )
        with closing(sql):
            sql.row_factory = sqlite3.Row
            sql.execute("BEGIN")  # every table as of the same moment
            return _read(sql)
    except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
        raise BatchlockError(
            f"The database of the page, {path}, cannot be read: {error}. Repair it, or move it "
            "away to go on without the people and uploads in it."
        ) from error


def _read(sql: sqlite3.Connection) -> WebDatabase:
    return WebDatabase(
        people=[
            {"name": row["name"], "password_hash": row["secret"]} for row in _rows(sql, "people")
        ],
        sessions=[
            {
                "key": row["key"],
                "name": row["name"],
                "started_at": row["seen"],  # 0.1.0 kept no other time
                "last_seen": row["seen"],
            }
            for row in _rows(sql, "sessions")
        ],
        uploads=[to_columns(_upload(row)) for row in _rows(sql, "files")],
        choices=_choices(_rows(sql, "columns"), _rows(sql, "encodings")),
        audit_log=[
            {
                "at": row["at"],
                "org": row["org"],
                "person": row["who"],
                "action": row["what"],
                "subject": row["about"],
            }
            for row in _rows(sql, "log", order="rowid")
        ],
        queue={row["run_id"]: _requested_run(row) for row in _rows(sql, "runs")},
    )


def _rows(sql: sqlite3.Connection, table: str, *, order: str = "1") -> list[_Row]:
    """Return the rows of a table; none when the table is missing.

    A server that was killed at its first start left no tables, and 0.1.0 had no `encodings`.
    """
    tables = {name for (name,) in sql.execute("SELECT name FROM sqlite_master")}
    if table not in tables:
        return []
    return [dict(row) for row in sql.execute(f"SELECT * FROM {table} ORDER BY {order}")]


def _upload(row: _Row) -> Upload:
    return Upload(
        id=row["id"],
        org=row["org"],
        name=row["name"],
        user=row["who"],
        uploaded_at=row["at"],
        state=UploadState(row["state"]),
        refusal=row["refusal"],
        columns=tuple(json.loads(row["columns"])),
        samples=(),
        sheets=tuple(json.loads(row["sheets"])),
        # 0.1.0 had none of the columns with a default here.
        readings=tuple(map(to_reading, json.loads(row.get("readings", "[]")))),
        choices=ReadChoices(
            columns=json.loads(row["chosen"]),
            constants=json.loads(row.get("constants", "{}")),
            sheet=row["sheet"],
            encoding=row.get("encoding"),
            visible_only=bool(row.get("visible_only", False)),
        ),
        are_remembered=bool(row["remembered"]),
    )


def _choices(columns: Sequence[_Row], encodings: Sequence[_Row]) -> list[_Row]:
    by_titles: defaultdict[str, _Row] = defaultdict(lambda: {"columns": None, "encoding": None})
    for row in columns:
        by_titles[row["titles"]]["columns"] = json.loads(row["chosen"])
    for row in encodings:
        by_titles[row["titles"]]["encoding"] = row["chosen"]
    return [{"titles": titles, **choice} for titles, choice in by_titles.items()]


def _requested_run(row: _Row) -> RequestedRun:
    return RequestedRun(
        state=row["state"],
        reason=row["why"],
        file_name=row["name"],
        user=row["who"],
        upload=row["file"],
        requested_at=datetime.fromtimestamp(row["at"], UTC),
        starts=row["tries"],
    )
