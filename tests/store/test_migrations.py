"""The migrations make the tables that the code uses."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from batchlock.store import migrations
from batchlock.store.database import open_database
from batchlock.store.schema import audit_log, metadata


def new_database(folder: Path) -> sa.Engine:
    return open_database(folder)


def migrated_database(folder: Path) -> sa.Engine:
    """Return a database whose tables all migrations made, from the first one on."""
    engine = sa.create_engine(f"sqlite:///{folder / 'store.sqlite'}")
    with engine.begin() as connection:
        migrations.upgrade(connection)
    return engine


@pytest.mark.parametrize("database", [new_database, migrated_database])
def test_new_and_migrated_databases_have_the_tables_of_the_code(
    tmp_path: Path, database: Callable[[Path], sa.Engine]
) -> None:
    engine = database(tmp_path)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == migrations.HEAD
    engine.dispose()


def test_names_that_nobody_has_are_removed_from_refused_sign_ins(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'store.sqlite'}")
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    refusals = [("Anna", "tried to sign in"), ("secret", "tried to sign in"), ("Ben", "uploaded")]
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        connection.execute(sa.text("INSERT INTO people VALUES ('Anna', 'hash')"))
        connection.execute(sa.text("INSERT INTO sessions VALUES ('key', 'Anna', 7)"))
        for name, action in refusals:
            entry = {"at": 1.0, "org": "a", "person": name, "action": action, "subject": ""}
            connection.execute(audit_log.insert().values(entry))
        migrations.upgrade(connection)
        names = connection.scalars(sa.select(audit_log.c.person).order_by(audit_log.c.id))
        assert list(names) == ["Anna", "an unknown name", "Ben"]
        assert connection.scalar(sa.text("SELECT started_at FROM sessions")) == 7
    engine.dispose()


def test_the_newest_script_is_the_revision_that_the_code_needs() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]
