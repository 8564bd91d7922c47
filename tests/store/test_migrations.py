"""The migrations make the tables that the code uses."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from batchlock.store import migrations
from batchlock.store.database import open_database
from batchlock.store.schema import metadata


def test_the_migrations_make_the_tables_of_the_code(tmp_path: Path) -> None:
    engine = open_database(tmp_path)
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
