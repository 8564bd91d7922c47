"""Create and open the SQLite file of a journal, and run transactions in it."""

import json
import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from batchlock.core.errors import BatchlockError, Stopped
from batchlock.store.journal.sql import SQLITE, Place
from batchlock.store.sqlite_errors import is_disk_full

# PRAGMA user_version of the file. It changes with the tables below and with the fields of the
# JSON in `run`, so that an older batchlock refuses a newer journal in a sentence.
_FORMAT = 3
# Journals of updates alone: `rows` has no action, `progress` no lock before and after.
_FORMAT_UPDATES = 2
# Journals of 0.1.0, which also say in `run` how the last session ended; the store says it now.
_FORMAT_0_1_0 = 1
# Journals that were made before the first format number have SQLite's default. A file that is
# no journal has it too; for that file the first query fails.
_NO_FORMAT = 0
_SCHEMA = """
CREATE TABLE run (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE rows (
    row INTEGER PRIMARY KEY, module TEXT, record_id TEXT, lock_id TEXT, reason TEXT,
    cells BLOB NOT NULL, action TEXT NOT NULL DEFAULT 'update', expected TEXT
);
CREATE TABLE progress (
    row INTEGER PRIMARY KEY, status TEXT NOT NULL, same_as INTEGER,
    http_status INTEGER, code TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '',
    remedy TEXT NOT NULL DEFAULT '', attempts INTEGER NOT NULL DEFAULT 0,
    finished_at REAL, duration REAL, previous_reason TEXT, changed_lock_id TEXT
);
CREATE TABLE problems (row INTEGER NOT NULL, "column" TEXT NOT NULL, code TEXT NOT NULL,
                       message TEXT NOT NULL);
"""
# What the earlier formats lack. Adding a column does not rewrite the rows.
_UPGRADE = (
    "ALTER TABLE rows ADD COLUMN action TEXT NOT NULL DEFAULT 'update'",
    "ALTER TABLE rows ADD COLUMN expected TEXT",
    "ALTER TABLE progress ADD COLUMN previous_reason TEXT",
    "ALTER TABLE progress ADD COLUMN changed_lock_id TEXT",
    f"PRAGMA user_version={_FORMAT}",
)


@contextmanager
def atomic_journal(path: Path) -> Iterator[Path]:
    """Yield a draft path, and rename the draft to `path` when the block ends without an error.

    The draft is flushed to the disk before it is renamed. So a journal at `path` is always
    complete, even after a power failure.
    """
    # The process id keeps the drafts of two processes apart.
    draft = path.with_suffix(f".{os.getpid()}.partial")
    try:
        yield draft
        _flush_to_disk(draft)
        draft.replace(path)
        if sys.platform != "win32":  # Windows cannot open a folder
            _flush_to_disk(path.parent)  # the new name is an entry of the folder
    finally:
        draft.unlink(missing_ok=True)


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class SqliteConnection(sqlite3.Connection):
    """A connection as the statements of a journal need it; see `Sql`."""

    dialect = SQLITE

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.create_function("as_json", 2, lambda *pair: json.dumps(pair), deterministic=True)

    def stream(self, statement: str, values: Sequence[object] = (), /) -> sqlite3.Cursor:
        """Return the rows of a query; SQLite always finds them one by one."""
        return self.execute(statement, values)


@dataclass(frozen=True, slots=True)
class SqliteDatabase:
    """The open SQLite file of a journal; see `Database`."""

    path: Path
    sql: SqliteConnection

    @property
    def name(self) -> str:
        """The journal as messages name it."""
        return f"The journal {self.path}"

    @property
    def place(self) -> Path:
        """The path of the file."""
        return self.path

    @classmethod
    def create(cls, path: Path) -> Self:
        """Create an empty journal for a plan. Raises BatchlockError when `path` cannot be used."""
        with readable_errors(path), _closed_on_error(_connect(path, "rwc")) as sql:
            # A plan that fails is deleted, and `atomic_journal` flushes a plan that succeeds.
            # So a rollback journal and a flush per transaction would only cost time.
            sql.executescript(
                "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
                f"PRAGMA user_version={_FORMAT};{_SCHEMA}"
            )
        return cls(path, sql)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an existing journal for sending and reporting.

        Raises BatchlockError when the file is missing, damaged or of another version of
        batchlock, or when SQLite's write-ahead log does not work in its folder.
        """
        with readable_errors(path), _closed_on_error(_connect(path, "rw")) as sql:
            (mode,) = sql.execute("PRAGMA journal_mode=WAL").fetchone()
            (number,) = sql.execute("PRAGMA user_version").fetchone()
            # NORMAL may lose the last commits in a power failure: a row would then be sent
            # twice, because the claim that marks it is gone.
            sql.execute("PRAGMA synchronous=FULL")
            if mode != "wal":  # a network drive has no shared memory, which the log needs
                raise BatchlockError(
                    f"The journal cannot be kept in {path.parent}: it seems to be a network drive. "
                    "Set state_directory to a folder on a local disk."
                )
            if number not in (_NO_FORMAT, _FORMAT_0_1_0, _FORMAT_UPDATES, _FORMAT):
                raise _wrong_version(path)
            database = cls(path, sql)
            if number != _FORMAT:
                database._upgrade()
        return database

    def open_other(self, place: Place) -> "SqliteDatabase":
        """Open the journal at another path. Raises as `open` does."""
        return self.open(Path(place))

    def create_other(self, place: Place) -> "SqliteDatabase":
        """Create a journal at another path. Raises as `create` does."""
        return self.create(Path(place))

    def _upgrade(self) -> None:
        """Bring a journal of an earlier format to this one, unless another process just did."""
        with self.transaction() as sql:
            if sql.execute("PRAGMA user_version").fetchone() != (_FORMAT,):
                for statement in _UPGRADE:
                    sql.execute(statement)

    def close(self) -> None:
        """Close the file."""
        with readable_errors(self.path):
            self.sql.close()

    @contextmanager
    def reading(self) -> Iterator[SqliteConnection]:
        """Yield the connection for queries."""
        with readable_errors(self.path):
            yield self.sql

    @contextmanager
    def session(self) -> Iterator[SqliteConnection]:
        """Yield the connection, which is the same one all the time."""
        with readable_errors(self.path):
            yield self.sql

    @contextmanager
    def transaction(self) -> Iterator[SqliteConnection]:
        """Commit what the block writes, or nothing when it raises."""
        with readable_errors(self.path):
            self.sql.execute("BEGIN IMMEDIATE")
            try:
                yield self.sql
                self.sql.execute("COMMIT")
            except BaseException:
                if self.sql.in_transaction:  # SQLite rolls back by itself when the disk is full
                    self.sql.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let every read in the block see the same moment, while another process writes."""
        with readable_errors(self.path):
            self.sql.execute("BEGIN")
        try:
            yield
        finally:
            with readable_errors(self.path):
                self.sql.execute("ROLLBACK")

    @contextmanager
    def attached(self, places: Mapping[str, Place]) -> Iterator[SqliteConnection]:
        """Run the block in a transaction, with other journals attached by name."""
        for name, path in places.items():
            with readable_errors(Path(path)):
                self.sql.execute(f"ATTACH ? AS {name}", (str(path),))
        try:
            with self.transaction() as sql:
                yield sql
        finally:
            for name in places:
                self.sql.execute(f"DETACH {name}")

    @contextmanager
    def reading_from(self, name: str, place: Place) -> Iterator[SqliteConnection]:
        """Attach another journal that is only read, under a name.

        Raises BatchlockError when it cannot be read.
        """
        path = Path(place)
        self.open(path).close()  # brings a journal of an earlier format to this one
        with readable_errors(path):
            # Without a mode, SQLite makes an empty file when there is none.
            self.sql.execute(f"ATTACH ? AS {name}", (f"{path.absolute().as_uri()}?mode=rw",))
            try:
                yield self.sql
            finally:
                self.sql.execute(f"DETACH {name}")

    def count(self, rows: str, values: Sequence[object] = ()) -> int:
        """Count rows; `rows` is the SQL that follows FROM."""
        with readable_errors(self.path):
            return int(self.sql.execute(f"SELECT count(*) FROM {rows}", values).fetchone()[0])

    def no_journal(self) -> BatchlockError:
        """Return the error for a file that is no journal."""
        return BatchlockError(f"{self.path} is not a batchlock journal.")

    def wrong_version(self) -> BatchlockError:
        """Return the error for a journal that another version of batchlock made."""
        return _wrong_version(self.path)


def _connect(path: Path, mode: str) -> SqliteConnection:
    """Connect to a file; mode `rw` opens an existing file only, `rwc` creates a missing one."""
    # isolation_level=None: transactions begin and end where this module says, and not where the
    # sqlite3 module guesses. The sender commits from worker threads, one at a time, so the check
    # for the creating thread is off.
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        factory=SqliteConnection,
    )


@contextmanager
def _closed_on_error(connection: SqliteConnection) -> Iterator[SqliteConnection]:
    try:
        yield connection
    except BaseException:
        connection.close()
        raise


def _wrong_version(path: Path) -> BatchlockError:
    """Return the error for a journal that another version of batchlock made."""
    return BatchlockError(
        f"The journal {path} was made by another version of batchlock. Use that version for it."
    )


@contextmanager
def readable_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors in the block into sentences that name the file.

    Raises Stopped when the disk is full, and BatchlockError for every other error of SQLite.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "")
        if is_disk_full(error):
            raise Stopped(
                f"The disk with {path.parent} is full. What was recorded is safe; make room, "
                "then resume."
            ) from error
        if "no such table" in str(error):  # SQLite has no code of its own for this
            raise BatchlockError(f"{path} is not a batchlock journal.") from error
        if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            raise BatchlockError(f"The journal {path} is damaged.") from error
        raise BatchlockError(f"The journal {path} cannot be used: {error}.") from error
