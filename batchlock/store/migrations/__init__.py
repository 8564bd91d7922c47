"""The Alembic migrations of the store, and the revision that this version of batchlock needs."""

import logging
from pathlib import Path

import sqlalchemy as sa

HEAD = "0013"
"""The newest revision. A test compares it with the scripts in `versions/`."""


def upgrade(connection: sa.Connection) -> None:
    """Bring the schema to the newest revision."""
    from alembic import command
    from alembic.config import Config

    # It would otherwise log two lines.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def stamp(connection: sa.Connection) -> None:
    """Record that the schema is at the newest revision, in the table of Alembic."""
    connection.execute(
        sa.text(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
            " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
    )
    connection.execute(sa.text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
