"""Open the store on one machine: `<state>/store.sqlite`, at the schema of this version.

`postgres.py` opens a store that many machines share; its transactions are here, too.

SQLAlchemy takes 0.15 s to import, so only the commands that open the store import this module.
Alembic is imported only when there is something to migrate.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from filelock import FileLock

from batchlock.core.errors import BatchlockError, Stopped, UsageError
from batchlock.core.paths import make_private_folder, refuse_missing_home
from batchlock.store.migrations import HEAD, stamp, upgrade
from batchlock.store.schema import metadata
from batchlock.store.sqlite_errors import is_disk_full

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

NAME = "store.sqlite"
# Another process may be writing: a run, the page, or `serve --add-user`.
_BUSY_TIMEOUT_SECONDS = 30


def open_database(state: Path) -> sa.Engine:
    """Open the database of a state folder, and create or migrate it when needed.

    Raises UsageError when the folder cannot be used, or when a newer version of batchlock has
    used it; then nothing is changed.
    """
    make_state_folder(state)
    path = state / NAME
    refuse_newer(path)
    engine = _engine(path)
    try:
        if _revision(engine) != HEAD:
            with FileLock(state / f"{NAME}.lock", mode=0o600):
                _migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def make_state_folder(folder: Path) -> None:
    """Make a folder that only this user can read. Raises UsageError when that fails."""
    refuse_missing_home(folder)
    try:
        make_private_folder(folder)
    except OSError as error:
        raise UsageError(
            f"The state folder {folder} cannot be made: {error.strerror}. "
            "Set state_directory to a folder that can be written."
        ) from None


def refuse_newer(path: Path) -> None:
    """Raise UsageError when the store at `path` has a revision that this version does not know.

    The file is opened for reading only, so that nothing of it is touched.
    """
    if not path.exists():
        return
    # Without a write-ahead log no process has the file open. A connection that may not expect
    # this would make an empty log, also when it only reads.
    has_log = path.with_name(f"{path.name}-wal").exists()
    try:
        uri = f"{path.absolute().as_uri()}?{'mode=ro' if has_log else 'immutable=1'}"
        connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_SECONDS)
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        return  # a store that was never completed, or that the next step reports
    if row is not None and row[0] > HEAD:
        raise newer_version(path.parent)


def newer_version(folder: Path) -> UsageError:
    """Return the error for a state folder that a newer version has used."""
    return UsageError(
        f"The state folder {folder} was used by a newer version of batchlock, and this "
        "version cannot read it. Nothing was changed. Use the newer version, or set "
        "state_directory to another folder."
    )


def _engine(path: Path) -> sa.Engine:
    try:
        # SQLite would create the file with the umask's permissions, and it holds password hashes.
        # Only a new file is opened: on POSIX, closing one ends all locks that this process has on
        # it. Another process would then take its last connection for the last of all, and remove
        # the write-ahead log, into which this process goes on to write.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise UsageError(
            f"The state folder {path.parent} cannot be used: {error.strerror}. Set "
            "state_directory to a folder that can be written."
        ) from None
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        connect_args={"timeout": _BUSY_TIMEOUT_SECONDS},
    )
    sa.event.listen(engine, "connect", _set_up)
    return engine


def _set_up(connection: sqlite3.Connection, _: object) -> None:
    # Transactions begin in `writing`, and not where sqlite3 guesses. A read needs none.
    connection.isolation_level = None
    (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    if mode != "wal":  # a network drive has no shared memory, which the log needs
        raise UsageError(
            "The list of runs cannot be kept in the state folder: it seems to be on a network "
            "drive. Set state_directory to a folder on a local disk."
        )
    # NORMAL may lose the last commits in a power failure: the record of a run, for example, whose
    # journal shows rows that were sent.
    connection.execute("PRAGMA synchronous=FULL")


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Commit what the block writes, or nothing when it raises.

    Raises Stopped when the disk is full, and BatchlockError for every other error of the database.
    """
    with _readable_errors(engine), engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # A transaction that begins with a read cannot always be upgraded to a write.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


def upsert(
    connection: sa.Connection, table: sa.Table, key: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    """Set values in the row with this key, and insert the row when there is none."""
    # One statement, since two processes of a server may do it at the same time.
    statement = _insert(connection, table).values({**key, **values})
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=values))


def _insert(connection: sa.Connection, table: sa.Table) -> "postgresql.Insert | sqlite.Insert":
    # Each dialect is loaded where it is used: that of a server takes 50 ms and some megabytes.
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Yield a connection for queries. Raises as `writing` does."""
    with _readable_errors(engine), engine.connect() as connection:
        yield connection


def _revision(engine: sa.Engine) -> str | None:
    with reading(engine) as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        revision = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return None if revision is None else str(revision)


def _migrate(engine: sa.Engine) -> None:
    """Bring the schema to the newest revision, in one transaction."""
    with writing(engine) as connection:
        if sa.inspect(connection).get_table_names():
            upgrade(connection)
        else:
            # The same tables without Alembic, which takes 0.1 s to import.
            metadata.create_all(connection)
            stamp(connection)


@contextmanager
def _readable_errors(engine: sa.Engine) -> Iterator[None]:
    """Turn the errors of the database in the block into sentences."""
    try:
        yield
    except sa.exc.TimeoutError as error:  # only a server has a pool that is used up
        from batchlock.store.postgres import all_in_use

        raise all_in_use() from error
    except sa.exc.DBAPIError as error:
        if engine.dialect.name == "postgresql":
            from batchlock.store.postgres import database_error

            raise database_error(error) from error
        state = Path(engine.url.database or "").parent
        name = getattr(error.orig, "sqlite_errorname", "")
        if is_disk_full(error.orig):
            raise Stopped(
                f"The disk with {state} is full. Make room, then resume.",
                page_message="The disk of the server is full. Ask the administrator to make room, "
                "then try again.",
            ) from error
        if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            raise BatchlockError(
                f"The list of runs, {state / NAME}, is damaged. Move it away: the next start makes "
                "a new one from the journals of the runs.",
                page_message="The list of runs is damaged. Ask the administrator, who finds in the "
                "log of the server what to do.",
            ) from error
        raise UsageError(
            f"The state folder {state} cannot be used: {error.orig}. Set state_directory to a "
            "folder that can be written.",
            page_message="What the server stores cannot be used at the moment. Ask the "
            "administrator, who finds the reason in the log of the server.",
        ) from error
