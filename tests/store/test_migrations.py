"""The migrations make the tables that the code uses."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from batchlock.store import migrations
from batchlock.store.database import open_database
from batchlock.store.schema import metadata


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


def test_the_newest_script_is_the_revision_that_the_code_needs() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]
