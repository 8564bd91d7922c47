"""The tables of the job queue (procrastinate) in the database of the store.

procrastinate has its tables and their changes as scripts, but does not record which of them were
run. The store does: the last script is in `facts`.
"""

from pathlib import Path

import sqlalchemy as sa

from batchlock.store.schema import facts

_FACT = "job_queue_script"
_FIRST_TABLE = "procrastinate_jobs"


def upgrade_job_queue(connection: sa.Connection) -> None:
    """Make the tables of the job queue, or run the scripts that are new since the last time."""
    from procrastinate.schema import SchemaManager

    scripts = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    newest = scripts[-1].name
    done = connection.scalar(sa.select(facts.c.value).where(facts.c.name == _FACT))
    if not sa.inspect(connection).has_table(_FIRST_TABLE):
        # Also when somebody has removed the tables: nothing in them is needed again.
        _execute(connection, SchemaManager.get_schema())
    else:
        for script in scripts:
            if done is not None and script.name > done:
                _execute(connection, script.read_text(encoding="utf-8"))
    connection.execute(sa.delete(facts).where(facts.c.name == _FACT))
    connection.execute(sa.insert(facts).values(name=_FACT, value=newest))


def _execute(connection: sa.Connection, script: str) -> None:
    # Without parameters psycopg sends the text as it is, and a text may hold many statements.
    cursor = connection.connection.cursor()
    cursor.execute(script)
    cursor.close()
