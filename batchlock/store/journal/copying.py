"""Make the journal of a new run from the journal of another one."""

from collections.abc import Collection, Sequence
from pathlib import Path

from batchlock.core.runs import RunInfo
from batchlock.store.journal.database import SqliteDatabase, atomic_journal, readable_errors
from batchlock.store.journal.earlier import send_done_rows
from batchlock.store.journal.journal import Journal
from batchlock.store.journal.progress import IS_SENT_BY_RETRY, rows_to_retry
from batchlock.store.journal.sql import Place

_ROWS = "row, module, record_id, lock_id, reason, cells, action, expected"
_PROBLEMS = 'row, "column", code, message'
_EXCEPT_NEWER = " AND p.row NOT IN (SELECT row FROM newer.progress)"


def copy_plan(
    plan: Path,
    path: Path,
    info: RunInfo,
    *,
    sends_done_rows: bool = False,
) -> None:
    """Make the journal of a run at `path` from the plan at `plan`, which stays as it is.

    With `sends_done_rows`, rows that an earlier run has done go out again.
    """
    with atomic_journal(path) as draft:
        database = SqliteDatabase.open(plan)
        try:
            with readable_errors(draft):
                # VACUUM INTO copies what is committed, also from the write-ahead log.
                database.sql.execute("VACUUM INTO ?", (str(draft),))
        finally:
            database.close()
        with Journal.open(draft) as journal:
            journal.set_info(info)
            if sends_done_rows:
                send_done_rows(journal)


def copy_unsettled_rows(
    newest: Journal,
    place: Place,
    info: RunInfo,
    *,
    refused: bool = True,
    except_remedies: Collection[str] = (),
    earlier: Sequence[Place] = (),
) -> None:
    """Make the journal of a new run at `place` from the rows that are not as the file asks.

    Invalid rows stay invalid. Rows that may or may not have reached Zoho stay in doubt. All
    other rows are pending again. Without `refused`, the rows that Zoho refused and their
    duplicates are left out; else those of them that have one of `except_remedies`.

    `earlier` are the journals of the runs before `newest`, newest first, of which refused rows
    were left out. These rows are copied too.
    """
    with newest.create_other(place, info) as journal:
        journal.set_reading(newest.reading)
        if newest.changes_reasons:
            journal.set_changes_reasons()
        journal.set_previous_reason(newest.previous_reason)
    rows = rows_to_retry(refused=refused, except_remedies=except_remedies)
    _copy_rows(newest, place, rows)
    newer = newest.database.place
    for older in earlier:
        with newest.open_other(older) as journal:
            _copy_rows(journal, place, rows, newer=newer)
        newer = older


def count_unsettled_rows(
    newest: Journal,
    *,
    refused: bool = True,
    except_remedies: Collection[str] = (),
    earlier: Sequence[Place] = (),
) -> int:
    """Count the rows for which a run makes calls that `copy_unsettled_rows` would make."""
    rows = (
        f"{rows_to_retry(refused=refused, except_remedies=except_remedies)} AND {IS_SENT_BY_RETRY}"
    )
    count = newest.database.count(rows)
    newer = newest.database.place
    for older in earlier:
        with newest.open_other(older) as journal:
            with journal.database.reading_from("newer", newer) as sql:
                (number,) = sql.execute(f"SELECT count(*) FROM {rows}{_EXCEPT_NEWER}").fetchone()
            count += number
        newer = older
    return count


def _copy_rows(source: Journal, target: Place, rows: str, *, newer: Place | None = None) -> None:
    """Copy the rows that are not as the file asks, except those that were moved to `newer`."""
    except_newer = "" if newer is None else _EXCEPT_NEWER
    places = {"other": target} if newer is None else {"other": target, "newer": newer}
    with source.database.attached(places) as sql:
        sql.execute(
            "INSERT INTO other.progress (row, status, same_as, message, previous_reason,"
            " changed_lock_id)"
            " SELECT p.row, CASE WHEN p.status IN ('invalid', 'duplicate', 'sending')"
            "  THEN p.status ELSE 'pending' END, p.same_as, '',"
            " CASE WHEN p.status = 'sending' THEN p.previous_reason END,"
            f" CASE WHEN p.status = 'sending' THEN p.changed_lock_id END FROM {rows}{except_newer}"
        )
        sql.execute(
            f"INSERT INTO other.rows ({_ROWS}) SELECT {_ROWS} FROM rows"
            " WHERE row IN (SELECT row FROM other.progress EXCEPT SELECT row FROM other.rows)"
        )
        if newer is None:  # every retry has all invalid rows, so the newest run has all problems
            sql.execute(
                f"INSERT INTO other.problems ({_PROBLEMS})"
                f" SELECT {_PROBLEMS} FROM problems ORDER BY rowid"
            )
