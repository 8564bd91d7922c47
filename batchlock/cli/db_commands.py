"""The commands that look at the database of many orgs, and bring its tables to this version."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchlock.cli.context import Context
from batchlock.cli.options import Command, CommandOptions, Group, collected, common_options
from batchlock.cli.runner import load_settings
from batchlock.cli.streams import echo, echo_error
from batchlock.core.errors import UsageError
from batchlock.core.words import counted

if TYPE_CHECKING:
    from batchlock.store.folder_copy import CopiedFolder

# Of the other tables nothing is said: they belong to one of these.
_COUNTED = {
    "runs": ("run",),
    "orgs": ("org",),
    "people": ("person", "people"),
    "uploads": ("upload",),
}


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


@click.command(cls=Command, example="batchlock migrate ~/.local/state/batchlock")
@click.argument("state_folder", type=click.Path(path_type=Path))
@common_options
@collected(CommandOptions)
def migrate(_: Context, options: CommandOptions, *, state_folder: Path) -> int:
    """Copy the store of STATE_FOLDER into the database of the setting `database`.

    Runs with their rows, orgs with their secrets, people, uploads and the audit log are copied; the
    folder is only read. End its page and its runs first. What the database has already stays as it
    is, so the command may be called again.
    """
    from batchlock.store.folder_copy import copy_folder

    settings = load_settings(options)
    copied = copy_folder(state_folder, _database_url(options), settings.secrets)
    for warning in copied.warnings:
        echo_error(warning)
    for sentence in _sentences(copied, state_folder):
        echo(sentence)
    return 0


def _sentences(copied: "CopiedFolder", folder: Path) -> list[str]:
    if not copied.rows.total():
        return [f"Everything in {folder} is in the database already."]
    counts = [counted(copied.rows[table], *nouns) for table, nouns in _COUNTED.items()]
    sentences = [
        f"Copied {', '.join(counts)}, and {counted(copied.journal_rows, 'row')} of the runs."
    ]
    if copied.waiting:
        sentences.append(f"Waiting for a worker: {counted(copied.waiting, 'run')}.")
    unchanged = f"{folder} was not changed, and what is done there is not in the database."
    return [*sentences, f"From now on use the database only: {unchanged}"]


def _database_url(options: CommandOptions) -> str:
    url = load_settings(options).database_url
    if url is None:
        raise UsageError(
            "No database is set. Set `database` in the configuration to an address like "
            "postgresql://user@host/name."
        )
    return url
