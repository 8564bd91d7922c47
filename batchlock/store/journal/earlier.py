"""Mark the rows of a new run that an earlier run of the same thing has done.

earlier    updated, locked, unlocked, unchanged  →  unchanged: the row is left alone
           sending                               →  sending: Zoho is asked first
           rejected, failed                      →  pending: the row goes out again
           pending                               →  the run before that one decides

Of an undo, only rows that it has put back or that are in doubt decide: where it has changed
nothing, the run before it decides.
"""

import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from batchlock.core.errors import BatchlockError
from batchlock.core.messages import DONE_BY_EARLIER_RUN_ON
from batchlock.store.journal.database import Database, readable_errors
from batchlock.store.journal.journal import Journal
from batchlock.store.journal.progress import SETTLED_WORDS

_log = logging.getLogger(__name__)

# Rows that an earlier run has done, and all rows whose fate an earlier run decides.
_TABLES = ("done", "decided")

# The rows of the earlier journal that stand where an undecided row stands here.
_ROWS = (
    "progress AS p JOIN rows AS r USING (row)"
    " JOIN earlier.rows AS er ON er.row = p.row"
    " JOIN earlier.progress AS ep ON ep.row = p.row"
    " WHERE p.status = 'pending' AND p.row NOT IN (SELECT row FROM temp.decided)"
)
# Whether they are the same row. One that is read in another way today (another reason, a module
# that was added since) is another row.
_IS_SAME = (
    " AND (er.module, er.record_id, er.lock_id, er.reason, er.action)"
    " IS (r.module, r.record_id, r.lock_id, r.reason, r.action)"
)
_CHANGED = "'updated', 'locked', 'unlocked'"
_IS_UNDO = (
    "EXISTS (SELECT 1 FROM earlier.run WHERE name = 'about'"
    " AND json_extract(value, '$.undo_of') IS NOT NULL)"
)
# `strftime` writes the same minute as the messages of a run do.
_MESSAGE = (
    "CASE WHEN ep.status = 'sending' THEN '' WHEN ep.finished_at IS NULL THEN ep.message"
    " ELSE replace(?, '{day}', strftime('%Y-%m-%d at %H:%M UTC', ep.finished_at, 'unixepoch')) END"
)


def leave_done_rows(journal: Journal, earlier: Sequence[Path]) -> None:
    """Mark the pending rows that one of the `earlier` journals (newest first) shows as done.

    For each row the newest of them that has sent it decides: where that was with another reason,
    or where it was an undo, the row goes out again, whatever an older one did. A journal that
    cannot be read is passed over, and logged. All is written in one commit, so that a run that is
    killed here compares again when it is resumed.
    """
    sql = journal.database.sql
    with readable_errors(journal.path):
        for name in _TABLES:
            sql.execute(f"CREATE TEMP TABLE {name} (row INTEGER PRIMARY KEY, status, message)")
    try:
        for path in earlier:
            try:
                _find_done_rows(sql, path)
            except BatchlockError as error:
                _log.warning("%s What it did is not known, so its rows go out again.", error)
        with journal.database.transaction():
            # Not UPDATE … FROM, which SQLite has since 3.33 only.
            sql.execute(
                "INSERT OR REPLACE INTO progress (row, status, message)"
                " SELECT row, status, message FROM temp.done"
            )
            journal.put_compared()
    finally:
        with readable_errors(journal.path):
            for name in _TABLES:
                sql.execute(f"DROP TABLE temp.{name}")


def send_done_rows(journal: Journal) -> None:
    """Make the rows pending that an earlier run has done, or that a results file reports as done.

    For a plan of which nothing was sent: every row that is done there was done before.
    """
    with journal.database.transaction() as sql:
        sql.execute(
            "UPDATE progress SET status = 'pending', message = '' WHERE status = 'unchanged'"
        )
        journal.put_compared()


def forget_results(plan: Journal) -> bool:
    """Make the rows of a plan pending that its file reports as done; return whether it has any."""
    with plan.database.transaction() as sql:
        updated = sql.execute(
            "UPDATE progress SET status = 'pending', message = '' WHERE status = 'unchanged'"
        )
    return updated.rowcount > 0


def forget_undone_results(plan: Journal, undos: Sequence[Path]) -> bool:
    """Make the rows of a plan pending that its file reports as done, and that were put back since.

    `undos` are the journals of the undos. One that cannot be read is passed over, and logged.
    Return whether there were such rows.
    """
    changed = 0
    for path in undos:
        try:
            changed += _forget_undone(plan, path)
        except BatchlockError as error:
            _log.warning("%s What it has put back is not known.", error)
    return changed > 0


def _forget_undone(plan: Journal, path: Path) -> int:
    Database.open(path).close()  # brings a journal of an earlier format to this one
    with readable_errors(path), plan.database.attached({"earlier": path}) as sql:
        # By record, since the rows of a results file have other numbers than those of the run.
        return sql.execute(
            "UPDATE progress SET status = 'pending', message = '' WHERE status = 'unchanged'"
            " AND row IN (SELECT r.row FROM rows AS r"
            " JOIN earlier.rows AS er ON (er.module, er.record_id) = (r.module, r.record_id)"
            " JOIN earlier.progress AS ep ON ep.row = er.row"
            f" WHERE ep.status IN ({_CHANGED}))"
        ).rowcount


def _find_done_rows(sql: sqlite3.Connection, path: Path) -> None:
    """Add the rows that the journal at `path` decides to the temporary tables."""
    Database.open(path).close()  # brings a journal of an earlier format to this one
    with readable_errors(path):
        # Without a mode, SQLite makes an empty file when there is none.
        sql.execute("ATTACH ? AS earlier", (f"{path.absolute().as_uri()}?mode=rw",))
        try:
            sql.execute(
                "INSERT INTO temp.done"
                " SELECT p.row, CASE ep.status WHEN 'sending' THEN 'sending' ELSE 'unchanged' END,"
                f" {_MESSAGE} FROM {_ROWS}{_IS_SAME}"
                f" AND ep.status IN ({SETTLED_WORDS}, 'sending')",
                (DONE_BY_EARLIER_RUN_ON,),
            )
            sql.execute(
                f"INSERT INTO temp.decided SELECT p.row, NULL, NULL FROM {_ROWS}"
                " AND ep.status NOT IN ('pending', 'invalid', 'duplicate')"
                f" AND (ep.status IN ({_CHANGED}, 'sending') OR NOT {_IS_UNDO})"
            )
        finally:
            sql.execute("DETACH earlier")
