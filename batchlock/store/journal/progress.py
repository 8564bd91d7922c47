"""Read and change the status of rows while a run is sent."""

import sqlite3
from collections.abc import Iterable

from batchlock.core.results import SETTLED, Outcome, Result, Status
from batchlock.core.rows import LockId, RecordId, Update

_SETTLED = tuple(sorted(SETTLED))

# SQL that follows FROM, with its values. A duplicate counts as the row that it repeats.
_OWN_OR_REPEATED = "progress AS p LEFT JOIN progress AS o ON o.row = p.same_as"
SETTLED_ROWS = f"{_OWN_OR_REPEATED} WHERE ifnull(o.status, p.status) IN (?, ?)", _SETTLED
REMAINING_ROWS = "progress WHERE status IN ('pending', 'sending')"
LOOKUP_ROWS = "progress JOIN rows USING (row) WHERE status = 'pending' AND lock_id IS NULL"


def rows_to_retry(*, refused: bool) -> tuple[str, tuple[str, ...]]:
    """Return the SQL that follows FROM, and its values, for the rows that a retry sends.

    Without `refused`, the rows that Zoho refused and their duplicates are left out. The row's
    own status is `p.status`.
    """
    # No row has an empty status, so the empty value leaves out nothing.
    excluded = (*_SETTLED, "" if refused else Status.REJECTED.value)
    return f"{_OWN_OR_REPEATED} WHERE ifnull(o.status, p.status) NOT IN (?, ?, ?)", excluded


def count_by_result(sql: sqlite3.Connection) -> dict[Result, int]:
    """Count the rows by result; every result is a key, also those without rows."""
    counts = dict.fromkeys(Result, 0)
    for status, rows in sql.execute("SELECT status, count(*) FROM progress GROUP BY status"):
        counts[Result.of(Status(status))] = rows
    return counts


def updates_in_doubt(sql: sqlite3.Connection) -> list[Update]:
    """Return the rows that are marked as being sent."""
    return _updates(sql, "status = 'sending'")


def record(sql: sqlite3.Connection, outcomes: Iterable[Outcome]) -> None:
    """Store outcomes; attempts are added to those of earlier sessions."""
    sql.executemany(
        "UPDATE progress SET status = ?, http_status = ?, code = ?, message = ?,"
        " remedy = ?, attempts = attempts + ?, finished_at = ?, duration = ? WHERE row = ?",
        [
            (
                outcome.status.value,
                outcome.http_status,
                outcome.code,
                outcome.message,
                outcome.remedy,
                outcome.attempts,
                outcome.finished_at and outcome.finished_at.timestamp(),
                outcome.duration,
                outcome.row,
            )
            for outcome in outcomes
        ],
    )


def release(sql: sqlite3.Connection, rows: Iterable[int]) -> None:
    """Mark rows that were claimed and not sent as pending again."""
    sql.executemany(
        "UPDATE progress SET status = 'pending' WHERE row = ?", [(row,) for row in rows]
    )


def claim(sql: sqlite3.Connection, *, after_row: int, limit: int) -> list[Update]:
    """Mark the next pending rows as being sent, and return them in order."""
    claimed = _updates(
        sql, "status = 'pending' AND row > ? ORDER BY row LIMIT ?", (after_row, limit)
    )
    sql.executemany(
        "UPDATE progress SET status = 'sending' WHERE row = ?",
        [(update.row,) for update in claimed],
    )
    return claimed


def _updates(
    sql: sqlite3.Connection, condition: str, values: tuple[object, ...] = ()
) -> list[Update]:
    rows = sql.execute(
        "SELECT row, module, record_id, lock_id, reason FROM progress JOIN rows USING (row)"
        f" WHERE {condition}",
        values,
    )
    return [
        Update(
            row, module, RecordId(record_id), None if lock_id is None else LockId(lock_id), reason
        )
        for row, module, record_id, lock_id, reason in rows
    ]
