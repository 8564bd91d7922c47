"""Read and change the status of rows while a run is sent."""

import json
from collections.abc import Collection, Iterable

from batchlock.core.results import SETTLED, Outcome, Result, Status
from batchlock.core.rows import Action, Expected, LockId, PreviousLock, RecordId, Update
from batchlock.store.journal.sql import Sql

# Looked up once per row, which is faster than a call of the enumeration.
_ACTIONS = {action.value: action for action in Action}
UPDATE_COLUMNS = "row, module, record_id, lock_id, reason, action, expected"

# SQL lists for IN: the words are ours, so they need no placeholders.
SETTLED_WORDS = ", ".join(f"'{status}'" for status in sorted(SETTLED))

# SQL that follows FROM. A duplicate counts as the row that it repeats.
_OWN_OR_REPEATED = "progress AS p LEFT JOIN progress AS o ON o.row = p.same_as"
IS_SETTLED = f"coalesce(o.status, p.status) IN ({SETTLED_WORDS})"
SETTLED_ROWS = f"{_OWN_OR_REPEATED} WHERE {IS_SETTLED}"
REMAINING_ROWS = "progress WHERE status IN ('pending', 'sending')"
REMAINING_UNLOCKS = (
    "progress JOIN rows USING (row) WHERE status IN ('pending', 'sending') AND action = 'unlock'"
)

_RECORD = (
    "UPDATE progress SET status = ?, http_status = ?, code = ?, message = ?, remedy = ?,"
    " attempts = attempts + ?, finished_at = ?, duration = ?,"
    " previous_reason = coalesce(?, previous_reason),"
    " changed_lock_id = coalesce(?, changed_lock_id) WHERE row = ?"
)
# A row has no outcome while it is sent, so only a repeated commit finds the same one.
_IS_NEW = "NOT (status = ? AND finished_at IS NOT DISTINCT FROM ?)"


def needs_lookup(previous_reason: str) -> str:
    """Return the SQL condition of rows whose lock is looked up before they are sent.

    It is for its id, before a change is undone, and for its reason as the setting
    `results.previous_reason` says: `auto`, `always` or `never`.
    """
    for_reason = {"auto": "'unlock'", "always": "'unlock', 'update'", "never": "''"}
    return (
        f"(expected IS NOT NULL OR action IN ({for_reason[previous_reason]})"
        " OR (action IN ('update', 'unlock') AND lock_id IS NULL))"
    )


def lookup_rows(previous_reason: str) -> str:
    """Return the SQL that follows FROM for the pending rows whose lock is looked up first."""
    condition = needs_lookup(previous_reason)
    return f"progress JOIN rows USING (row) WHERE status = 'pending' AND {condition}"


def rows_to_retry(*, refused: bool, except_remedies: Collection[str] = ()) -> str:
    """Return the SQL that follows FROM for the rows of a retry.

    Without `refused`, the rows that Zoho refused and their duplicates are left out; else those of
    them that have one of `except_remedies`, which are texts of this program. The row's own status
    is `p.status`.
    """
    condition = ""
    if not refused:
        condition = " AND coalesce(o.status, p.status) <> 'rejected'"
    elif except_remedies:
        quoted = ", ".join("'" + text.replace("'", "''") + "'" for text in sorted(except_remedies))
        condition = (
            " AND NOT (coalesce(o.status, p.status) = 'rejected'"
            f" AND CASE WHEN o.row IS NULL THEN p.remedy ELSE o.remedy END IN ({quoted}))"
        )
    return f"{_OWN_OR_REPEATED} WHERE NOT {IS_SETTLED}{condition}"


IS_SENT_BY_RETRY = "p.status NOT IN ('invalid', 'duplicate')"
"""The condition of the rows of a retry for which calls are made."""


def count_by_result(sql: Sql) -> dict[Result, int]:
    """Count the rows by result; every result is a key, also those without rows."""
    counts = dict.fromkeys(Result, 0)
    for status, rows in sql.execute("SELECT status, count(*) FROM progress GROUP BY status"):
        counts[Result.of(Status(status))] = rows
    return counts


def updates_in_doubt(sql: Sql) -> list[Update]:
    """Return the rows that are marked as being sent."""
    rows = sql.execute(
        f"SELECT {UPDATE_COLUMNS} FROM progress JOIN rows USING (row) WHERE status = 'sending'"
        " ORDER BY row"
    )
    return [update_of(*columns) for columns in rows]


def keep_previous(sql: Sql, locks: Iterable[PreviousLock]) -> None:
    """Store the locks that rows are about to change: a removed lock cannot be looked up."""
    sql.executemany(
        "UPDATE progress SET previous_reason = ?, changed_lock_id = ? WHERE row = ?",
        [(lock.reason, lock.lock_id, lock.row) for lock in locks],
    )


def previous_locks_in_doubt(sql: Sql) -> list[PreviousLock]:
    """Return what `keep_previous` has stored of the rows that are marked as being sent."""
    return [
        PreviousLock(row, LockId(lock_id), reason)
        for row, lock_id, reason in sql.execute(
            "SELECT row, changed_lock_id, previous_reason FROM progress"
            " WHERE status = 'sending' AND changed_lock_id IS NOT NULL"
        )
    ]


def record(sql: Sql, outcomes: Iterable[Outcome]) -> None:
    """Store outcomes; attempts are added to those of earlier sessions.

    An outcome without a previous reason keeps the one that is stored, and so does its lock id.
    Where a commit may be repeated, an outcome that is stored already adds no attempts.
    """
    values = [
        (
            outcome.status.value,
            outcome.http_status,
            outcome.code,
            outcome.message,
            outcome.remedy,
            outcome.attempts,
            outcome.finished_at and outcome.finished_at.timestamp(),
            outcome.duration,
            outcome.previous_reason,
            outcome.lock_id,
            outcome.row,
        )
        for outcome in outcomes
    ]
    if sql.dialect.repeats_commits:
        sql.executemany(f"{_RECORD} AND {_IS_NEW}", [(*each, each[0], each[6]) for each in values])
    else:
        sql.executemany(_RECORD, values)


def release(sql: Sql, rows: Iterable[int]) -> None:
    """Mark rows that were claimed and not sent as pending again.

    The next session looks at their locks again, which may be others by then.
    """
    sql.executemany(
        "UPDATE progress SET status = 'pending', previous_reason = NULL, changed_lock_id = NULL"
        " WHERE row = ?",
        [(row,) for row in rows],
    )


def claim(sql: Sql, *, after_row: int, limit: int) -> list[Update]:
    """Mark the next pending rows as being sent, and return them in order."""
    # The limit is inside, or PostgreSQL reads all rows of the run up to the next pending one.
    rows = sql.execute(
        f"SELECT {UPDATE_COLUMNS} FROM (SELECT row FROM progress WHERE status = 'pending'"
        " AND row > ? ORDER BY row LIMIT ?) AS p JOIN rows USING (row) ORDER BY row",
        (after_row, limit),
    )
    claimed = [update_of(*columns) for columns in rows]
    sql.executemany(
        "UPDATE progress SET status = 'sending' WHERE row = ?",
        [(update.row,) for update in claimed],
    )
    return claimed


def update_of(
    row: int,
    module: str,
    record_id: str,
    lock_id: str | None,
    reason: str,
    action: str,
    expected: str | None,
) -> Update:
    """Return an update from UPDATE_COLUMNS."""
    return Update(
        row,
        module,
        RecordId(record_id),
        None if lock_id is None else LockId(lock_id),
        reason,
        _ACTIONS[action],
        None if expected is None else Expected(*json.loads(expected)),
    )
