"""The schema of a PostgreSQL database, and what a command says about it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from procrastinate.schema import SchemaManager

from batchlock.core.errors import DatabaseUnavailable, UsageError
from batchlock.store.job_queue_schema import upgrade_job_queue
from batchlock.store.migrations import HEAD
from batchlock.store.postgres import (
    SchemaStatus,
    open_postgres,
    postgres_engine,
    schema_status,
    upgrade_schema,
)
from batchlock.store.schema import facts, metadata
from batchlock.store.store import Store


def test_a_new_database_must_be_upgraded_first(empty_database_url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="batchlock db upgrade"):
        Store(tmp_path, empty_database_url)
    engine = postgres_engine(empty_database_url)
    before, after = upgrade_schema(engine)
    assert (before.revision, after.revision) == (None, HEAD)
    assert upgrade_schema(engine) == (after, after)
    engine.dispose()
    with Store(tmp_path, empty_database_url) as store:
        assert store.runs.of_orgs(["acme"]) == []


def test_the_database_has_the_tables_of_the_code(database_url: str) -> None:
    engine = postgres_engine(database_url)

    def is_ours(_: object, name: str | None, kind: str, *__: object) -> bool:
        is_for_servers = name == "ix_runs_running"
        return not is_for_servers and (kind != "table" or name in metadata.tables)

    with engine.connect() as connection:
        options = {
            "compare_type": True, "compare_server_default": True, "include_object": is_ours,
        }  # fmt: skip
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_upgrades_at_the_same_time_make_the_tables_once(empty_database_url: str) -> None:
    def upgrade(_: int) -> str | None:
        engine = postgres_engine(empty_database_url)
        try:
            return upgrade_schema(engine)[0].revision
        finally:
            engine.dispose()

    with ThreadPoolExecutor(4) as threads:
        before = list(threads.map(upgrade, range(4)))
    assert sorted(map(str, before)) == [HEAD, HEAD, HEAD, "None"]


@pytest.mark.parametrize(("revision", "words"), [("0001", "older version"), ("9999", "newer")])
def test_a_database_of_another_version_is_refused_in_a_sentence(
    database_url: str, revision: str, words: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", (revision,))
    with pytest.raises(UsageError, match=words):
        open_postgres(database_url)


def test_a_newer_database_is_not_upgraded(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    engine = postgres_engine(database_url)
    with pytest.raises(UsageError, match="newer version"):
        upgrade_schema(engine)
    assert schema_status(engine) == SchemaStatus("9999")
    engine.dispose()


def test_a_database_that_cannot_be_reached_is_reported_without_its_password() -> None:
    with pytest.raises(DatabaseUnavailable, match="cannot be used") as caught:
        open_postgres("postgresql://me:s3cret@127.0.0.1:1/locks")
    assert "s3cret" not in str(caught.value)


def test_the_tables_of_the_job_queue_are_made_again_and_their_scripts_run_once(
    database_url: str,
) -> None:
    """Whatever is in them is not needed: the runs themselves say what is to be done."""
    newest = max(path.name for path in Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    engine = postgres_engine(database_url)
    with engine.begin() as connection:
        recorded = sa.select(facts.c.value).where(facts.c.name == "job_queue_script")
        assert connection.scalar(recorded) == newest
        upgrade_job_queue(connection)  # nothing is new
        connection.exec_driver_sql("DROP TABLE procrastinate_events, procrastinate_periodic_defers")
    engine.dispose()
