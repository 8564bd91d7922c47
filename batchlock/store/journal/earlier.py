"""Mark the rows of a new run that an earlier run of the same thing has done.

earlier    updated, locked, unlocked, unchanged  →  unchanged: the row is left alone
           sending                               →  sending: Zoho is asked first
           rejected, failed                      →  pending: the row goes out again
           pending                               →  the run before that one decides

Of an undo, only rows that it has put back or that are in doubt decide: where it has changed
nothing, the run before it decides.
"""

import json
import logging
from collections.abc import Sequence
from contextlib import suppress

from batchlock.core.errors import BatchlockError
from batchlock.core.messages import DONE_BY_EARLIER_RUN_ON
from batchlock.store.journal.journal import Journal
from batchlock.store.journal.progress import SETTLED_WORDS
from batchlock.store.journal.sql import Place, Sql

_log = logging.getLogger(__name__)

# Rows that an earlier run has done, and all rows whose fate an earlier run decides.
_TABLES = ("done", "decided")

# The rows of the earlier journal that stand where an undecided row stands here.
_ROWS = (
    "progress AS p JOIN rows AS r USING (row)"
    " JOIN earlier.rows AS er ON er.row = p.row"
    " JOIN earlier.progress AS ep ON ep.row = p.row"
    " WHERE p.status = 'pending' AND p.row NOT IN (SELECT row FROM decided)"
)
# Whether they are the same row. One that is read in another way today (another reason, a module
# that was added since) is another row.
_IS_SAME = (
    " AND (er.module, er.record_id, er.lock_id, er.reason, er.action) {}"
    " (r.module, r.record_id, r.lock_id, r.reason, r.action)"
)
_CHANGED = "'updated', 'locked', 'unlocked'"
_MESSAGE = (
    "CASE WHEN ep.status = 'sending' THEN '' WHEN ep.finished_at IS NULL THEN ep.message"
    " ELSE replace(?, '{{day}}', {}) END"
)


def leave_done_rows(journal: Journal, earlier: Sequence[Place]) -> None:
    """Mark the pending rows that one of the `earlier` journals (newest first) shows as done.

    For each row the newest of them that has sent it decides: where that was with another reason,
    or where it was an undo, the row goes out again, whatever an older one did. A journal that
    cannot be read is passed over, and logged. All is written in one commit, so that a run that is
    killed here compares again when it is resumed.
    """
    with journal.database.session() as sql:
        for name in _TABLES:
            sql.execute(
                f"CREATE TEMP TABLE {name} (row INTEGER PRIMARY KEY, status TEXT, message TEXT)"
            )
        try:
            for place in earlier:
                try:
                    _find_done_rows(journal, place)
                except BatchlockError as error:
                    _log.warning("%s What it did is not known, so its rows go out again.", error)
            with journal.database.transaction():
                # Not UPDATE … FROM, which SQLite has since 3.33 only.
                sql.execute("DELETE FROM progress WHERE row IN (SELECT row FROM done)")
                sql.execute(
                    "INSERT INTO progress (row, status, message)"
                    " SELECT row, status, message FROM done"
                )
                journal.put_compared(sql)
        finally:
            for name in _TABLES:
                sql.execute(f"DROP TABLE {name}")


def send_done_rows(journal: Journal) -> None:
    """Make the rows pending that an earlier run has done, or that a results file reports as done.

    For a plan of which nothing was sent: every row that is done there was done before.
    """
    with journal.database.transaction() as sql:
        sql.execute(
            "UPDATE progress SET status = 'pending', message = '' WHERE status = 'unchanged'"
        )
        journal.put_compared(sql)


def forget_results(plan: Journal) -> bool:
    """Make the rows of a plan pending that its file reports as done; return whether it has any."""
    with plan.database.transaction() as sql:
        updated = sql.execute(
            "UPDATE progress SET status = 'pending', message = '' WHERE status = 'unchanged'"
        )
    return updated.rowcount > 0


def forget_undone_results(plan: Journal, undos: Sequence[Place]) -> bool:
    """Make the rows of a plan pending that its file reports as done, and that were put back since.

    `undos` are the journals of the undos. One that cannot be read is passed over, and logged.
    Return whether there were such rows.
    """
    changed = 0
    for place in undos:
        try:
            changed += _forget_undone(plan, place)
        except BatchlockError as error:
            _log.warning("%s What it has put back is not known.", error)
    return changed > 0


def _forget_undone(plan: Journal, place: Place) -> int:
    with plan.database.reading_from("earlier", place) as sql:
        # By record, since the rows of a results file have other numbers than those of the run.
        return sql.execute(
            "UPDATE progress SET status = 'pending', message = '' WHERE status = 'unchanged'"
            " AND row IN (SELECT r.row FROM rows AS r"
            " JOIN earlier.rows AS er ON (er.module, er.record_id) = (r.module, r.record_id)"
            " JOIN earlier.progress AS ep ON ep.row = er.row"
            f" WHERE ep.status IN ({_CHANGED}))"
        ).rowcount


def _find_done_rows(journal: Journal, place: Place) -> None:
    """Add the rows that the journal at `place` decides to the temporary tables."""
    with journal.database.reading_from("earlier", place) as sql:
        message = _MESSAGE.format(sql.dialect.minute.format("ep.finished_at"))
        is_same = _IS_SAME.format(sql.dialect.is_same)
        sql.execute(
            "INSERT INTO done"
            " SELECT p.row, CASE ep.status WHEN 'sending' THEN 'sending' ELSE 'unchanged' END,"
            f" {message} FROM {_ROWS}{is_same} AND ep.status IN ({SETTLED_WORDS}, 'sending')",
            (DONE_BY_EARLIER_RUN_ON,),
        )
        deciding = f" AND ep.status IN ({_CHANGED}, 'sending')" if _is_undo(sql) else ""
        sql.execute(
            f"INSERT INTO decided SELECT p.row, NULL, NULL FROM {_ROWS}"
            f" AND ep.status NOT IN ('pending', 'invalid', 'duplicate'){deciding}"
        )


def _is_undo(sql: Sql) -> bool:
    about = sql.execute("SELECT value FROM earlier.run WHERE name = 'about'").fetchone()
    # Text that is no JSON belongs to a journal that `open` of its run refuses.
    with suppress(ValueError):
        return about is not None and json.loads(about[0]).get("undo_of") is not None
    return False
