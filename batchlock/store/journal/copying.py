"""Make the journal of a new run from the journal of another one."""

from collections.abc import Sequence
from pathlib import Path

from batchlock.core.errors import BatchlockError
from batchlock.core.runs import RunInfo
from batchlock.store.journal.database import atomic_journal, readable_errors
from batchlock.store.journal.earlier import send_done_rows
from batchlock.store.journal.journal import Journal
from batchlock.store.journal.progress import rows_to_retry


def copy_plan(
    plan: Journal,
    path: Path,
    info: RunInfo,
    *,
    sends_done_rows: bool = False,
) -> None:
    """Make the journal of a run at `path` from a plan, which stays as it is.

    With `sends_done_rows`, rows that an earlier run has done go out again.
    """
    with atomic_journal(path) as draft:
        with readable_errors(draft):
            # VACUUM INTO copies what is committed, also from the write-ahead log.
            plan.database.sql.execute("VACUUM INTO ?", (str(draft),))
        with Journal.open(draft) as journal:
            journal.set_info(info)
            if sends_done_rows:
                send_done_rows(journal)


def copy_unsettled_rows(
    newest: Journal,
    path: Path,
    info: RunInfo,
    *,
    refused: bool = True,
    earlier: Sequence[Path] = (),
) -> None:
    """Make the journal of a new run at `path` from the rows that are not as the file asks.

    Invalid rows stay invalid. Rows that may or may not have reached Zoho stay in doubt. All
    other rows are pending again. Without `refused`, the rows that Zoho refused and their
    duplicates are left out.

    `earlier` are the journals of the runs before `newest`, newest first, of which refused rows
    were left out. These rows are copied too.

    Raises BatchlockError when there is a file at `path`.
    """
    if path.exists():
        raise BatchlockError(f"{path} is there already.")
    with atomic_journal(path) as draft:
        with Journal.create(draft, info) as journal:
            journal.set_reading(newest.reading)
            if newest.changes_reasons:
                journal.set_changes_reasons()
            journal.set_previous_reason(newest.previous_reason)
        _copy_rows(newest, draft, refused=refused)
        newer = newest.path
        for older in earlier:
            with Journal.open(older) as journal:
                _copy_rows(journal, draft, refused=refused, newer=newer)
            newer = older


def _copy_rows(source: Journal, draft: Path, *, refused: bool, newer: Path | None = None) -> None:
    """Copy the rows that are not as the file asks, except those that were moved to `newer`."""
    except_newer = "" if newer is None else " AND p.row NOT IN (SELECT row FROM newer.progress)"
    paths = {"other": draft} if newer is None else {"other": draft, "newer": newer}
    rows = rows_to_retry(refused=refused)
    with readable_errors(draft), source.database.attached(paths) as sql:
        sql.execute(
            "INSERT INTO other.progress (row, status, same_as, message, previous_reason,"
            " changed_lock_id)"
            " SELECT p.row, CASE WHEN p.status IN ('invalid', 'duplicate', 'sending')"
            "  THEN p.status ELSE 'pending' END, p.same_as, '',"
            " iif(p.status = 'sending', p.previous_reason, NULL),"
            f" iif(p.status = 'sending', p.changed_lock_id, NULL) FROM {rows}{except_newer}"
        )
        sql.execute(
            "INSERT INTO other.rows SELECT * FROM rows"
            " WHERE row IN (SELECT row FROM other.progress EXCEPT SELECT row FROM other.rows)"
        )
        if newer is None:  # every retry has all invalid rows, so the newest run has all problems
            sql.execute("INSERT INTO other.problems SELECT * FROM problems ORDER BY rowid")
