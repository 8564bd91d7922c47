"""Copy the store of a state folder into a database that many machines share.

    <state>/store.sqlite ─▶ every table of the schema but those of LEFT_OUT
    <state>/runs/        ─▶ the tables of the journals
    <state>/web/files/   ─▶ the files of uploads, and their plans

Everything is copied in one transaction, and the folder is only read. So a kill changes nothing, and
the next call begins again. What the database has already stays as it is there: a second call adds
what the folder has got since then.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from batchlock.core.errors import BatchlockError, DatabaseUnavailable, Stopped, UsageError
from batchlock.core.org import OrgFacts
from batchlock.core.runs import RunState
from batchlock.store.database import open_database, reading, writing
from batchlock.store.folder_snapshot import FolderSnapshot, snapshot_of
from batchlock.store.journal.loading import copy_journal, delete_rows
from batchlock.store.journal.postgres import ServerSql
from batchlock.store.people import folded, lock_names
from batchlock.store.postgres import open_postgres
from batchlock.store.schema import metadata, oidc_people, orgs, people, runs, secrets, uploads
from batchlock.store.sealing import KEY_FILE, Sealed, find_keys
from batchlock.store.settings import SecretsSettings
from batchlock.store.upload_files import insert_files

LEFT_OUT = {
    "sessions": "people sign in again",
    "pending_sign_ins": "a person begins again",
    "oidc_people": "they sign in again; their names may be those of other people there",
    "tokens": "each is asked for again, and lives for an hour",
    "workers": "a state folder has none, and they record themselves",
    "facts": "facts about the store itself",
}
"""The tables that are not copied, and why."""

# Two calls at a time would both find a run missing. The number is arbitrary.
_COPY_LOCK = 7_233_417_011
# The columns of orgs that say which process sends to them.
_OF_NOBODY: dict[str, Any] = {
    **dict.fromkeys(("holder", "process", "leaseholder", "lease_until")),
    "epoch": 0,
}


@dataclass(frozen=True, slots=True)
class CopiedFolder:
    """What was added to the database."""

    rows: Counter[str] = field(default_factory=Counter)
    """The number of new rows by table; those of the journals are in `journal_rows`."""
    journal_rows: int = 0
    waiting: int = 0
    """How many of the new runs wait in the queue."""
    warnings: tuple[str, ...] = ()
    """What could not be copied, and why."""


def copy_folder(folder: Path, database_url: str, settings: SecretsSettings) -> CopiedFolder:
    """Copy the store of a state folder into the database at `database_url`.

    `settings` name the key that opens the secrets of the orgs. Raises AlreadyRunning while the
    folder is used, and UsageError when it has no store, when the key is another one, or when an org
    of the database has the name of another org; then nothing is copied.
    """
    engine = open_postgres(database_url)
    try:
        with snapshot_of(folder) as snapshot, _readable_errors():
            source = open_database(snapshot.store.state)
            try:
                _check_secrets(source, folder, settings)
                with writing(engine) as connection:
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_COPY_LOCK)))
                    _check_orgs(source, connection)
                    _check_people(source, connection)
                    journal_rows, warnings = _copy_journals(snapshot, connection)
                    _copy_upload_files(snapshot, source, connection)
                    waiting = _waiting_runs(source, connection)
                    rows = _copy_tables(source, connection)
            finally:
                source.dispose()
    finally:
        engine.dispose()
    return CopiedFolder(rows, journal_rows, waiting, tuple(warnings))


def copied_tables() -> list[sa.Table]:
    """Return the tables of the schema that are copied."""
    return [table for table in metadata.sorted_tables if table.name not in LEFT_OUT]


def _check_secrets(source: sa.Engine, folder: Path, settings: SecretsSettings) -> None:
    """Raise UsageError when a secret cannot be opened with the keys of the settings."""
    with reading(source) as connection:
        rows = connection.execute(secrets.select().order_by(secrets.c.org)).all()
    if not rows:
        return
    keys = find_keys(settings, folder, is_shared=True)
    path = folder / KEY_FILE
    if keys is not None and (keys.has_all(row.key_id for row in rows) or not path.exists()):
        for row in rows:
            keys.open(row.org, row.field, Sealed(row.key_id, row.sealed))
        return
    if path.exists():
        raise UsageError(
            f"The secrets of the orgs in {folder} are sealed with the key in {path}, which other "
            "machines do not have. Nothing was copied. Copy that file to a place that only "
            "batchlock can read, name it with secrets.key_file on each machine, and migrate again."
        )
    raise UsageError(
        f"The secrets of the orgs in {folder} are sealed, and no key is set. Nothing was copied. "
        "Set secrets.key_file to the key that the folder was used with, then migrate again."
    )


def _check_orgs(source: sa.Engine, connection: sa.Connection) -> None:
    """Raise UsageError when a name stands for one org of Zoho here, and for another there."""
    there = {row.org: row.facts for row in connection.execute(orgs.select())}
    with reading(source) as rows:
        for row in rows.execute(orgs.select()):
            ids, ids_there = _org_ids(row.facts), _org_ids(there.get(row.org))
            if ids and ids_there and not ids & ids_there:
                raise UsageError(
                    f"The org {row.org} of the folder is the org {min(ids)} in Zoho, but {row.org} "
                    f"in the database is {min(ids_there)}. Nothing was copied. Give one of them "
                    "another name first."
                )


def _check_people(source: sa.Engine, connection: sa.Connection) -> None:
    """Raise UsageError when a password here would open the account of another person there."""
    lock_names(connection)
    there = {folded(name) for name in connection.scalars(sa.select(oidc_people.c.name))}
    with reading(source) as rows:
        for name in rows.scalars(sa.select(people.c.name)):
            if folded(name) in there:
                raise UsageError(
                    f"{name} has a password in the folder, and somebody of this name signs in with "
                    "OpenID Connect in the database. Nothing was copied. Remove the one in the "
                    "folder first, with `batchlock serve --remove-user NAME`."
                )


def _org_ids(facts: Any) -> set[str]:
    try:
        return set(OrgFacts.from_json(facts).ids)
    except (KeyError, TypeError, ValueError):  # none, or of a version with other fields
        return set()


def _copy_journals(snapshot: FolderSnapshot, connection: sa.Connection) -> tuple[int, list[str]]:
    """Copy the rows of the runs that the database does not have; return their number."""
    driver: Any = connection.connection.driver_connection
    sql, count, warnings = ServerSql(driver), 0, []
    known = set(connection.scalars(sa.select(runs.c.id)))
    for run in snapshot.runs():
        if run.run_id in known:
            continue
        try:
            with snapshot.journal(run) as journal:
                delete_rows(sql, run.run_id)
                copy_journal(journal, sql, run.run_id)
                count += journal.count("rows")
        except (Stopped, UsageError):
            raise
        except BatchlockError as error:
            warnings.append(f"The rows of run {run.run_id} were not copied. {error}")
    return count, warnings


def _copy_upload_files(
    snapshot: FolderSnapshot, source: sa.Engine, connection: sa.Connection
) -> None:
    known = set(connection.scalars(sa.select(uploads.c.id)))
    with reading(source) as rows:
        new = set(rows.scalars(sa.select(uploads.c.id))) - known
    for upload_id in sorted(new):
        with snapshot.plan(upload_id) as plan:
            folder = snapshot.upload_files.folder(upload_id)
            insert_files(connection, upload_id, folder, plan)


def _copy_tables(source: sa.Engine, connection: sa.Connection) -> Counter[str]:
    """Copy the rows that the database does not have; return their number by table."""
    added: Counter[str] = Counter()
    with reading(source) as rows_of:
        for table in copied_tables():
            key = _key(table)
            known = {tuple(row) for row in connection.execute(sa.select(*key))}
            names = [column.name for column in key]
            rows = [dict(row) for row in rows_of.execute(table.select()).mappings()]
            new = [row for row in rows if tuple(row[name] for name in names) not in known]
            if table is orgs:
                _complete_orgs(rows, connection)
                new = [row | _OF_NOBODY for row in new]
            for row in new:
                if table.autoincrement_column is not None:
                    del row[table.autoincrement_column.name]
            if new:
                connection.execute(table.insert(), new)
            added[table.name] = len(new)
    return added


def _key(table: sa.Table) -> list[sa.Column[Any]]:
    """Return the columns by which a row is found again: of a log, all but its number."""
    if table.autoincrement_column is None:
        return list(table.primary_key)
    return [column for column in table.columns if column is not table.autoincrement_column]


def _complete_orgs(rows: Sequence[dict[str, Any]], connection: sa.Connection) -> None:
    """Copy orgs that the database knows from their runs only, and that a person has added here."""
    for row in rows:
        if row["added_at"] is not None:
            values = {name: value for name, value in row.items() if name not in _OF_NOBODY}
            only_runs = (orgs.c.org == row["org"], orgs.c.added_at.is_(None))
            connection.execute(orgs.update().where(*only_runs).values(values))


def _waiting_runs(source: sa.Engine, connection: sa.Connection) -> int:
    """Count the runs that wait in the queue of the folder, and are new to the database."""
    known = set(connection.scalars(sa.select(runs.c.id)))
    is_waiting = runs.c.state == RunState.QUEUED.value
    with reading(source) as rows:
        return len(set(rows.scalars(sa.select(runs.c.id).where(is_waiting))) - known)


@contextmanager
def _readable_errors() -> Iterator[None]:
    """Turn the errors of the database while the rows of journals are copied into sentences."""
    try:
        yield
    except psycopg.Error as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise DatabaseUnavailable(
            f"The database cannot take the rows: {reason}. Nothing was copied. Migrate again."
        ) from error
