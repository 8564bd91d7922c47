"""The journal of a run in PostgreSQL: its connection, and its transactions.

A journal has no connection of its own, since a worker has a hundred runs. Each block takes one
from the pool of the store, and its settings end with its transaction.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from itertools import count
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import errors

from batchlock.core.errors import BatchlockError, ConnectionLost, LeaseLost, Stopped
from batchlock.store.journal.sql import POSTGRESQL, Place
from batchlock.store.leases import Lease

Connection = psycopg.Connection[Any]
ConnectionSource = Callable[[], AbstractContextManager[Connection]]
# The connection is gone, its statement was cancelled, or the server only reads at this moment.
_CONNECTION_ERRORS = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,
)
# Rows of a long result that one message brings: the cells of so many rows are about a megabyte.
_ROWS_PER_FETCH = 2_000

_BEGIN = (
    "SELECT set_config('search_path', 'journal', true), set_config('batchlock.journal', ?, true)"
)


class ServerSql:
    """A connection as the statements of a journal need it; see `Sql`."""

    dialect = POSTGRESQL

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._numbers = count()
        self._streams: list[psycopg.ServerCursor[Any]] = []

    def execute(self, statement: str, values: Sequence[object] = (), /) -> "psycopg.Cursor[Any]":
        """Run a statement."""
        return self.connection.execute(_translated(statement), _storable(values), binary=True)

    def executemany(
        self, statement: str, values: Iterable[Sequence[object]], /
    ) -> "psycopg.Cursor[Any]":
        """Run a statement once for each of some lists of values, without a wait between them."""
        cursor = self.connection.cursor()
        cursor.executemany(_translated(statement), map(_storable, values))
        return cursor

    def stream(self, statement: str, values: Sequence[object] = (), /) -> Iterator[Any]:
        """Yield the rows of a query that may have as many as the file."""
        cursor = self.connection.cursor(f"stream_{next(self._numbers)}")
        self._streams.append(cursor)
        cursor.itersize = _ROWS_PER_FETCH
        cursor.execute(_translated(statement), _storable(values), binary=True)
        yield from cursor
        cursor.close()

    def close_streams(self) -> None:
        """Close the streams that were not read to their end, before others use the connection."""
        for cursor in self._streams:
            cursor.close()


@lru_cache(maxsize=256)
def _translated(statement: str) -> bytes:
    """Return a statement with the placeholders of psycopg."""
    return statement.replace("%", "%%").replace("?", "%s").encode()


def _storable(values: Sequence[object]) -> list[object]:
    # Only PostgreSQL refuses this character, which Zoho's messages and damaged cells may hold.
    return [
        value.replace("\0", "\ufffd") if type(value) is str and "\0" in value else value
        for value in values
    ]


class PostgresDatabase:
    """The journal of a run in PostgreSQL; see `Database`."""

    def __init__(
        self, connections: ConnectionSource, run_id: str, lease: Lease | None = None
    ) -> None:
        """Use connections from a pool; none is taken until the first block.

        With a `lease`, a transaction raises LeaseLost when another process has the org.
        """
        self._connections = connections
        self._run_id = run_id
        self._lease = lease
        self._shared: ServerSql | None = None

    @property
    def name(self) -> str:
        """The journal as messages name it."""
        return f"The journal of run {self._run_id}"

    @property
    def place(self) -> str:
        """The id of the run."""
        return self._run_id

    def open_other(self, place: Place) -> "PostgresDatabase":
        """Return the journal of another run."""
        return PostgresDatabase(self._connections, str(place))

    def create_other(self, place: Place) -> "PostgresDatabase":
        """Return the journal of a new run: it has no table of its own."""
        return self.open_other(place)

    def close(self) -> None:
        """Do nothing: a block has given its connection back."""

    @contextmanager
    def reading(self) -> Iterator[ServerSql]:
        """Yield a connection for queries."""
        if self._shared is not None:
            yield self._shared
            return
        with self._begun() as sql:
            yield sql

    @contextmanager
    def transaction(self) -> Iterator[ServerSql]:
        """Commit what the block writes, or nothing when it raises.

        Raises ConnectionLost when the answer to the commit was lost, among others.
        """
        if self._shared is not None:  # in a session, which commits at its end
            yield self._shared
            return
        with self._begun() as sql, self._sharing(sql):
            if self._lease is not None:
                _lock_lease(sql, self._lease)
            yield sql
            sql.connection.commit()

    def session(self) -> AbstractContextManager[ServerSql]:
        """Run the block in one transaction, so that it can use temporary tables."""
        return self.transaction()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let every read in the block see the same moment, while another process writes."""
        isolation = "ISOLATION LEVEL REPEATABLE READ, READ ONLY"
        with self._begun(isolation) as sql, self._sharing(sql):
            yield

    @contextmanager
    def attached(self, places: Mapping[str, Place]) -> Iterator[ServerSql]:
        """Run the block in a transaction in which other journals have names."""
        with self.transaction() as sql:
            for name, place in places.items():
                _name_run(sql, name, str(place))
            yield sql

    @contextmanager
    def reading_from(self, name: str, place: Place) -> Iterator[ServerSql]:
        """Give another journal a name; one that does not exist has no rows."""
        with self.transaction() as sql:
            _name_run(sql, name, str(place))
            yield sql

    def count(self, rows: str, values: Sequence[object] = ()) -> int:
        """Count rows; `rows` is the SQL that follows FROM."""
        with self.reading() as sql:
            (number,) = sql.execute(f"SELECT count(*) FROM {rows}", values)
        return int(number[0])

    def no_journal(self) -> BatchlockError:
        """Return the error for a run that has no rows."""
        return BatchlockError(f"Run {self._run_id} has no journal in the database.")

    def wrong_version(self) -> BatchlockError:
        """Return the error for a journal that another version of batchlock made."""
        return BatchlockError(
            f"The journal of run {self._run_id} was made by another version of batchlock. Use that "
            "version for it."
        )

    @contextmanager
    def _begun(self, mode: str = "") -> Iterator[ServerSql]:
        with readable_errors(self.name), self._connections() as connection:
            sql = ServerSql(connection)
            try:
                if mode:
                    connection.execute(f"SET TRANSACTION {mode}")
                sql.execute(_BEGIN, (self._run_id,))
                yield sql
            finally:
                if not connection.closed:
                    sql.close_streams()
                    connection.rollback()  # after a commit it does nothing

    @contextmanager
    def _sharing(self, sql: ServerSql) -> Iterator[None]:
        self._shared = sql
        try:
            yield
        finally:
            self._shared = None


def _lock_lease(sql: ServerSql, lease: Lease) -> None:
    """Keep others from taking the org over until the commit. Raises LeaseLost."""
    # A process that stops within the transaction would keep the lock.
    sql.execute("SELECT set_config('idle_in_transaction_session_timeout', '8000', true)")
    # Only a takeover waits for this lock, and a renewal does not.
    lease_row = sql.execute(
        "SELECT 1 FROM public.orgs WHERE org = ? AND epoch = ? AND leaseholder = ? FOR KEY SHARE",
        (lease.org, lease.epoch, lease.holder),
    ).fetchone()
    if lease_row is None:
        raise LeaseLost(f"The lease of {lease.org} was lost.")


def _name_run(sql: ServerSql, name: str, run_id: str) -> None:
    sql.execute("SELECT set_config(?, ?, true)", (f"batchlock.{name}", run_id))


def pooled(engine: sa.Engine) -> ConnectionSource:
    """Return the pool of the store as a source of connections."""

    @contextmanager
    def connection() -> Generator[Connection]:
        pooled_connection = engine.raw_connection()
        driver: Any = pooled_connection.driver_connection
        try:
            yield driver
        finally:
            if driver.closed:
                pooled_connection.invalidate()
            pooled_connection.close()

    return connection


@contextmanager
def readable_errors(name: str) -> Iterator[None]:
    """Turn the errors of the database in the block into sentences about a journal.

    Raises ConnectionLost when the block may be repeated, Stopped when the disk of the database is
    full, and BatchlockError for every other error.
    """
    try:
        yield
    except sa.exc.TimeoutError as error:
        from batchlock.store.postgres import all_in_use

        raise all_in_use() from error
    except (psycopg.Error, sa.exc.DBAPIError) as error:
        cause: BaseException | None = error
        if isinstance(error, sa.exc.DBAPIError):
            cause = error.orig
        # What fails after the first error of a transaction says nothing.
        while isinstance(cause, errors.InFailedSqlTransaction) and cause.__context__ is not None:
            cause = cause.__context__
        reason = str(cause).strip().split("\n")[0].rstrip(".")
        if isinstance(cause, errors.DiskFull):
            raise Stopped(
                "The disk of the database is full. What was recorded is safe; make room, then "
                "resume."
            ) from error
        if isinstance(cause, _CONNECTION_ERRORS):
            raise ConnectionLost(
                f"The connection to the database was lost: {reason}. What was recorded is safe; "
                "resume the run when the database is there again."
            ) from error
        raise BatchlockError(f"{name} cannot be used: {reason}.") from error
