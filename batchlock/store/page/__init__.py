"""The database of the web page: people, uploads, the queue of runs, remembered columns, audit log.

<state>/web/web.sqlite

    people    name, secret                    a password hash
    sessions  key, name, seen                 a hash of the cookie
    files     id, org, name, who, at, …       an upload, and how it is read
    runs      run_id, org, file, who, at, …   a run that was requested on the page, and its state
    columns   titles, chosen                  columns that a person chose for such titles
    encodings titles, chosen                  an encoding that a person chose for such titles
    log       at, org, who, what, about       who did what

The names of tables and columns, and the stored values, are those of 0.1.0.
"""

import os
import sqlite3
from pathlib import Path

from batchlock.core.errors import UsageError
from batchlock.store.page.audit_log import AuditLog, LogEntry
from batchlock.store.page.columns import RememberedColumns, RememberedEncodings
from batchlock.store.page.people import People, Sessions
from batchlock.store.page.queue import ACTIVE, QueuedRun, QueueState, QueueTable
from batchlock.store.page.uploads import ReadChoices, Upload, UploadState, UploadTable

__all__ = (
    "ACTIVE",
    "LogEntry",
    "PageStore",
    "QueueState",
    "QueuedRun",
    "ReadChoices",
    "Upload",
    "UploadState",
)

# Each CREATE says IF NOT EXISTS, so that the script also opens a database of an earlier start.
# WITHOUT ROWID: these keys are texts, which would need a second index otherwise.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS people (name TEXT PRIMARY KEY, secret TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sessions (
    key TEXT PRIMARY KEY, name TEXT NOT NULL, seen REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    id TEXT PRIMARY KEY, org TEXT NOT NULL, name TEXT NOT NULL, who TEXT NOT NULL,
    at REAL NOT NULL, state TEXT NOT NULL, refusal TEXT NOT NULL DEFAULT '',
    columns TEXT NOT NULL DEFAULT '[]', sheets TEXT NOT NULL DEFAULT '[]',
    sheet TEXT, chosen TEXT NOT NULL DEFAULT '{}', remembered INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, org TEXT NOT NULL, file TEXT, name TEXT NOT NULL,
    who TEXT NOT NULL, at REAL NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL DEFAULT '',
    tries INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS columns (
    titles TEXT PRIMARY KEY, chosen TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS encodings (
    titles TEXT PRIMARY KEY, chosen TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log (
    at REAL NOT NULL, org TEXT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, about TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS log_at ON log (at);
"""

# Columns that 0.1.0 did not have. ALTER TABLE has no IF NOT EXISTS.
_ADDED_COLUMNS = {
    "encoding": "ALTER TABLE files ADD COLUMN encoding TEXT",
    "readings": "ALTER TABLE files ADD COLUMN readings TEXT NOT NULL DEFAULT '[]'",
    "visible_only": "ALTER TABLE files ADD COLUMN visible_only INTEGER NOT NULL DEFAULT 0",
    "constants": "ALTER TABLE files ADD COLUMN constants TEXT NOT NULL DEFAULT '{}'",
}

# Another process may be writing: `serve --add-user`, or the page of another org.
_BUSY_TIMEOUT_SECONDS = 10


class PageStore:
    """One connection to the database, and one attribute for each topic in it.

    It may be used by one thread only.
    """

    def __init__(self, state: Path) -> None:
        """Open the database below the state folder, and create it if it does not exist.

        Raises UsageError if the folder cannot be used.
        """
        self.folder = state / "web"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self.folder / "web.sqlite"
            # SQLite would create the file with the umask's permissions, and it holds hashes.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            sql = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_TIMEOUT_SECONDS)
            # NORMAL suffices: the journals of runs (FULL) hold everything that must survive.
            sql.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _SCHEMA)
            existing = {row[1] for row in sql.execute("PRAGMA table_info(files)")}
            for column, statement in _ADDED_COLUMNS.items():
                if column not in existing:
                    sql.execute(statement)
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(
                f"The state folder {self.folder} cannot be used: {reason}. Set state_directory to "
                "a folder that can be written."
            ) from None
        self._sql = sql
        self.people = People(sql)
        self.sessions = Sessions(sql)
        self.uploads = UploadTable(sql, self.folder / "files")
        self.columns = RememberedColumns(sql)
        self.encodings = RememberedEncodings(sql)
        self.queue = QueueTable(sql)
        self.audit_log = AuditLog(sql)

    def close(self) -> None:
        """Close the connection."""
        self._sql.close()
