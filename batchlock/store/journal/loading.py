"""Copy a plan from its SQLite file into PostgreSQL, and the rows of a run back into such a file."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from batchlock.store.journal.database import SqliteDatabase
from batchlock.store.journal.postgres import PostgresDatabase, ServerSql
from batchlock.store.journal.sql import Sql
from batchlock.store.journal.tables import BASE_TABLES

# The types of the columns, which COPY needs in its binary form.
_ROWS = {
    "row": "int4",
    "module": "text",
    "record_id": "text",
    "lock_id": "text",
    "reason": "text",
    "cells": "bytea",
    "action": "text",
    "expected": "text",
}
_PROGRESS = {
    "row": "int4",
    "status": "text",
    "same_as": "int4",
    "http_status": "int4",
    "code": "text",
    "message": "text",
    "remedy": "text",
    "attempts": "int4",
    "finished_at": "float8",
    "duration": "float8",
    "previous_reason": "text",
    "changed_lock_id": "text",
}
_PROBLEMS = {"row": "int4", '"column"': "text", "code": "text", "message": "text"}
# What a comparison with an earlier run needs of its rows.
_COMPARED = {name: _ROWS[name] for name in _ROWS if name != "cells"}


def load_plan(plan: SqliteDatabase, target: PostgresDatabase) -> None:
    """Copy a plan into the journal of a run, which has no rows, in one transaction.

    Its facts (the table `run`) are copied, too.
    """
    with target.transaction() as sql:
        copy_journal(plan, sql, target.place)


def copy_journal(journal: SqliteDatabase, sql: ServerSql, run_id: str) -> None:
    """Copy everything in a SQLite journal into the tables, in the transaction of `sql`."""
    with journal.reading() as source:
        for name, value in source.execute("SELECT name, value FROM run").fetchall():
            sql.execute(
                "INSERT INTO public.run_facts (run, name, value) VALUES (?, ?, ?)",
                (run_id, name, value),
            )
        _copy_in(source, sql, run_id, "rows", _ROWS, "row")
        _copy_in(source, sql, run_id, "progress", _PROGRESS, "row")
        _copy_in(source, sql, run_id, "problems", _PROBLEMS, "rowid")


def _copy_in(
    source: Sql, sql: ServerSql, run_id: str, table: str, columns: dict[str, str], order: str
) -> None:
    names = ", ".join(columns)
    rows = source.execute(f"SELECT {names} FROM {table} ORDER BY {order}")
    # COPY takes a table only, and no view.
    statement = f"COPY public.{table} (run, {names}) FROM STDIN (FORMAT BINARY)"
    with sql.connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.set_types(["text", *columns.values()])
        for row in rows:
            copy.write_row((run_id, *row) if table == "rows" else (run_id, *_storable(row)))


def _storable(row: Sequence[Any]) -> Iterator[Any]:
    # Only PostgreSQL refuses this character, which the messages about damaged cells may hold.
    for value in row:
        yield value.replace("\0", "\ufffd") if type(value) is str and "\0" in value else value


def export_for_comparison(source: PostgresDatabase, path: Path) -> None:
    """Make a SQLite journal at `path` of what a later run of the same content compares.

    That is all but the cells, the problems and the causes of failures.
    """
    target = SqliteDatabase.create(path)
    try:
        with source.snapshot(), source.reading() as sql, target.transaction() as copy:
            facts = sql.execute("SELECT name, value FROM run").fetchall()
            copy.executemany("INSERT INTO run (name, value) VALUES (?, ?)", facts)
            names = ", ".join(_COMPARED)
            copy.executemany(
                f"INSERT INTO rows ({names}, cells) VALUES ({_marks(_COMPARED)}, x'')",
                _copy_out(sql, f"SELECT {names} FROM rows ORDER BY row", _COMPARED),
            )
            progress = {name: _PROGRESS[name] for name in ("row", "status", "finished_at")}
            names = ", ".join([*progress, "message"])
            # Of rows with an outcome the comparison needs the time only.
            copy.executemany(
                f"INSERT INTO progress ({names}) VALUES ({_marks(progress)}, ?)",
                _copy_out(
                    sql,
                    "SELECT row, status, finished_at, CASE WHEN finished_at IS NULL"
                    " THEN message ELSE '' END FROM progress ORDER BY row",
                    {**progress, "message": "text"},
                ),
            )
    finally:
        target.close()


def _marks(columns: Iterable[str]) -> str:
    return ", ".join("?" for _ in columns)


def _copy_out(sql: ServerSql, query: str, columns: dict[str, str]) -> Iterator[Sequence[Any]]:
    statement = f"COPY ({query}) TO STDOUT (FORMAT BINARY)".encode()
    with sql.connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(list(columns.values()))
        yield from copy.rows()


def delete_journal(database: PostgresDatabase) -> None:
    """Delete all rows of a run."""
    with database.transaction() as sql:
        delete_rows(sql, database.place)


def delete_rows(sql: ServerSql, run_id: str) -> None:
    """Delete all rows of a run, in the transaction of `sql`."""
    for table in BASE_TABLES:
        sql.execute(f"DELETE FROM public.{table} WHERE run = ?", (run_id,))
