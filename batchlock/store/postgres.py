"""Open the store in a PostgreSQL database, and bring its schema to this version of batchlock.

The schema changes only by `batchlock db upgrade`, since several machines use it: a worker of an
older version must not find tables that it does not know.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec

import sqlalchemy as sa

from batchlock.core.errors import BatchlockError, DatabaseUnavailable, UsageError
from batchlock.store.job_queue_schema import upgrade_job_queue
from batchlock.store.migrations import HEAD, upgrade

# Of the extra `fleet`: the driver, the job queue, and the figures of a worker.
_PACKAGES = ("psycopg", "procrastinate", "prometheus_client")
# Every upgrade holds this advisory lock. The number is arbitrary, and must not change.
_UPGRADE_LOCK = 7_233_417_010
# A host that does not answer would otherwise hold a command for two minutes.
_CONNECT_TIMEOUT_SECONDS = 10
# Three workers of a server with the usual 100 connections keep 60 at most, with those of their job
# queues. More than 20 are needed for moments only: a thread that compares two runs needs two.
_KEPT_CONNECTIONS = 12
_MOST_CONNECTIONS = 48
# A process that stops in a transaction keeps its locks on leases no longer than this, which is less
# than a lease.
_BRIEF_MILLISECONDS = 5_000
# A connection that is dead without a word, after a failover for example, is noticed in half a
# minute. The operating system's own times are two hours.
_KEEPALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,  # milliseconds
}


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """The revision of a database, and the one that this version of batchlock needs."""

    revision: str | None
    """None: the database has no tables of batchlock."""
    head: str = HEAD

    @property
    def problem(self) -> str:
        """Why this version cannot use the database, and what to do; empty when it can."""
        if self.revision == self.head:
            return ""
        if self.revision is None:
            return (
                "The database has no tables of batchlock yet. Make them with `batchlock db "
                "upgrade`."
            )
        if self.revision > self.head:
            return (
                "The database was upgraded by a newer version of batchlock, and this version "
                "cannot use it. Nothing was changed. Use the newer version."
            )
        return (
            "The database has the tables of an older version of batchlock. End the workers and "
            "pages of that version, then run `batchlock db upgrade`."
        )


def connect_arguments(url: str, *, is_brief: bool = False) -> dict[str, object]:
    """Return the arguments of libpq for every connection to a database at `url`.

    `is_brief`: its transactions lock leases, and must never wait long or stand still.

    Raises UsageError when the address cannot be read.
    """
    import psycopg

    try:
        psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # Without its message, which quotes a part of the address, perhaps of the password.
        raise UsageError(
            "The address in `database` cannot be read. Write signs such as %, @, / and spaces of a "
            "password as %25, %40, %2F and %20."
        ) from None
    # The server finds out by itself that a machine is gone, and gives its locks back.
    limits = {"tcp_keepalives_idle": 10, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 4}
    if is_brief:
        limits |= {
            "idle_in_transaction_session_timeout": _BRIEF_MILLISECONDS,
            "lock_timeout": _BRIEF_MILLISECONDS,
        }
    # libpq refuses the TCP options on a socket of this machine only by ignoring them.
    return {
        "conninfo": url,
        "connect_timeout": _CONNECT_TIMEOUT_SECONDS,
        "application_name": "batchlock",
        "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
        **_KEEPALIVE,
    }


def postgres_engine(url: str, *, for_leases: bool = False) -> sa.Engine:
    """Return an engine for a database, without connecting.

    Renewals have connections of their own, so that nothing else keeps them waiting.

    Raises UsageError without the driver, and as `connect_arguments`.
    """
    if any(find_spec(package) is None for package in _PACKAGES):
        raise UsageError(
            "The setting `database` needs packages that are not installed. Install them beside "
            "batchlock: pip install 'batchlock[fleet]'"
        )
    import psycopg

    arguments = connect_arguments(url, is_brief=for_leases)

    def connect() -> "psycopg.Connection[object]":
        return psycopg.connect(**arguments)  # type: ignore[arg-type]

    return sa.create_engine(
        "postgresql+psycopg://",
        creator=connect,
        pool_pre_ping=True,
        pool_size=2 if for_leases else _KEPT_CONNECTIONS,
        max_overflow=4 if for_leases else _MOST_CONNECTIONS - _KEPT_CONNECTIONS,
    )


def open_postgres(url: str) -> sa.Engine:
    """Open a database whose schema is that of this version.

    Raises UsageError when it cannot be reached, or when its schema is another one.
    """
    engine = postgres_engine(url)
    try:
        problem = schema_status(engine).problem
    except BaseException:
        engine.dispose()
        raise
    if problem:
        engine.dispose()
        raise UsageError(problem)
    return engine


def schema_status(engine: sa.Engine) -> SchemaStatus:
    """Return the revision of a database. Raises UsageError when it cannot be reached."""
    with _reachable(), engine.connect() as connection:
        return SchemaStatus(_revision(connection))


def upgrade_schema(engine: sa.Engine) -> tuple[SchemaStatus, SchemaStatus]:
    """Bring a database to the schema of this version; return its status before and after.

    All in one transaction under an advisory lock, so two upgrades at a time change nothing twice.
    Raises UsageError when a newer version has upgraded it; then nothing is changed.
    """
    with _reachable(), engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
        before = SchemaStatus(_revision(connection))
        if before.revision is not None and before.revision > HEAD:
            raise UsageError(before.problem)
        upgrade(connection)
        upgrade_job_queue(connection)
        return before, SchemaStatus(_revision(connection))


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    revision = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return None if revision is None else str(revision)


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise database_error(error) from error
    except sa.exc.TimeoutError as error:
        raise all_in_use() from error


def all_in_use() -> DatabaseUnavailable:
    """Return the error for a process whose connections were all in use for half a minute."""
    return DatabaseUnavailable(
        "The database cannot be used: its answers take so long that all connections of this "
        "process are in use. Check the load of the database."
    )


def database_error(error: sa.exc.DBAPIError) -> BatchlockError:
    """Return an error of the database as a sentence."""
    # The first line: the next ones name the statement, or hints for programmers.
    reason = str(error.orig).strip().split("\n")[0].rstrip(".")
    is_away = isinstance(error, sa.exc.OperationalError | sa.exc.InternalError)
    if error.connection_invalidated or is_away:
        return DatabaseUnavailable(
            f"The database cannot be used: {reason}. Check that it is running, and the setting "
            "`database`.",
            # The reason names the machine and the account of the database.
            page_message="The database cannot be used at the moment. Try again in a minute. If "
            "that does not help, ask the administrator, who finds the reason in the log of the "
            "server.",
        )
    return UsageError(
        f"The database refuses a statement of batchlock: {reason}.",
        page_message="The database refuses this. Ask the administrator, who finds the reason in "
        "the log of the server.",
    )
