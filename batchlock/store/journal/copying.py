"""Make the journal of a new run from the journal of another one."""

from collections.abc import Sequence
from pathlib import Path

from batchlock.core.runs import RunInfo
from batchlock.store.journal.database import SqliteDatabase, atomic_journal, readable_errors
from batchlock.store.journal.earlier import send_done_rows
from batchlock.store.journal.journal import Journal
from batchlock.store.journal.progress import rows_to_retry
from batchlock.store.journal.sql import Place

_ROWS = "row, module, record_id, lock_id, reason, cells, action, expected"
_PROBLEMS = 'row, "column", code, message'


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
    earlier: Sequence[Place] = (),
) -> None:
    """Make the journal of a new run at `place` from the rows that are not as the file asks.

    Invalid rows stay invalid. Rows that may or may not have reached Zoho stay in doubt. All
    other rows are pending again. Without `refused`, the rows that Zoho refused and their
    duplicates are left out.

    `earlier` are the journals of the runs before `newest`, newest first, of which refused rows
    were left out. These rows are copied too.
    """
    with newest.create_other(place, info) as journal:
        journal.set_reading(newest.reading)
        if newest.changes_reasons:
            journal.set_changes_reasons()
        journal.set_previous_reason(newest.previous_reason)
    _copy_rows(newest, place, refused=refused)
    newer = newest.database.place
    for older in earlier:
        with newest.open_other(older) as journal:
            _copy_rows(journal, place, refused=refused, newer=newer)
        newer = older


def _copy_rows(
    source: Journal, target: Place, *, refused: bool, newer: Place | None = None
) -> None:
    """Copy the rows that are not as the file asks, except those that were moved to `newer`."""
    except_newer = "" if newer is None else " AND p.row NOT IN (SELECT row FROM newer.progress)"
    places = {"other": target} if newer is None else {"other": target, "newer": newer}
    rows = rows_to_retry(refused=refused)
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
