"""The commands that look at the database of many orgs, and bring its tables to this version."""

import click

from batchlock.cli.context import Context
from batchlock.cli.options import Command, CommandOptions, Group, collected, common_options
from batchlock.cli.runner import load_settings
from batchlock.cli.streams import echo
from batchlock.core.errors import UsageError


@click.group(cls=Group, example="batchlock db upgrade")
def db() -> None:
    """Make and look at the tables in the PostgreSQL database of the setting `database`."""


@db.command(cls=Command, example="batchlock db upgrade")
@common_options
@collected(CommandOptions)
def upgrade(_: Context, options: CommandOptions) -> int:
    """Bring the tables of the database to this version of batchlock.

    It may run several times, and from several machines at once: only the first changes something.
    End the workers and pages of the older version first; they use the older tables.
    """
    from batchlock.store.postgres import postgres_engine, upgrade_schema

    engine = postgres_engine(_database_url(options))
    try:
        before, after = upgrade_schema(engine)
    finally:
        engine.dispose()
    if before == after:
        echo(f"The database has the tables of this version already ({after.revision}).")
    elif before.revision is None:
        echo(f"The tables were made ({after.revision}).")
    else:
        echo(f"The tables were brought from {before.revision} to {after.revision}.")
    return 0


@db.command(cls=Command, example="batchlock db status")
@common_options
@collected(CommandOptions)
def status(_: Context, options: CommandOptions) -> int:
    """Say whether this version of batchlock can use the database; exit code 2 if not."""
    from batchlock.store.postgres import postgres_engine, schema_status

    engine = postgres_engine(_database_url(options))
    try:
        current = schema_status(engine)
    finally:
        engine.dispose()
    if current.problem:
        raise UsageError(current.problem)
    echo(f"The database has the tables of this version ({current.revision}).")
    return 0


def _database_url(options: CommandOptions) -> str:
    url = load_settings(options).database_url
    if url is None:
        raise UsageError(
            "No database is set. Set `database` in the configuration to an address like "
            "postgresql://user@host/name."
        )
    return url
