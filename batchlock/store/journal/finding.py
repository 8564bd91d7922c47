"""The rows of a run that finds locked records: added page by page, filled in as locks are found.

Until the search in a module is complete, a row with a negative number stands for it. So the run
has rows left, and can be resumed, before it has found any record.
"""

from collections.abc import Iterable, Sequence

from batchlock.core.records import LOCK_TITLES, FoundLock, Search, utc_text
from batchlock.core.reply import Lock
from batchlock.core.results import Outcome, Status
from batchlock.core.rows import Action, RecordId
from batchlock.store.journal.cells import pack
from batchlock.store.journal.sql import Sql

# As in a file, whose first row has the titles.
_FIRST_ROW = 2
_INSERT = (
    "INSERT INTO rows (row, module, record_id, reason, action, cells)"
    f" VALUES (?, ?, ?, '', '{Action.FIND.value}', ?) ON CONFLICT DO NOTHING"
)


def add_searches(sql: Sql, searches: Sequence[Search]) -> None:
    """Add the row of each search; the caller holds the transaction."""
    # A page that comes twice, after a kill or because another way begins again, adds no row twice.
    sql.execute("CREATE UNIQUE INDEX found_records ON rows (module, record_id)")
    for position, search in enumerate(searches):
        row = _row_of_search(position)
        cells = FoundLock(search.module, "")
        sql.execute(_INSERT, (row, search.module, None, pack(_padded(cells))))
        sql.execute("INSERT INTO progress (row, status) VALUES (?, ?)", (row, Status.PENDING.value))


def add_records(sql: Sql, module: str, record_ids: Iterable[RecordId]) -> int:
    """Add the records that are not there yet as pending rows; return how many they are."""
    (last,) = sql.execute("SELECT max(row) FROM rows").fetchone()
    row = first = max(last or 0, _FIRST_ROW - 1) + 1
    for record_id in record_ids:
        cells = pack(_padded(FoundLock(module, record_id)))
        row += sql.execute(_INSERT, (row, module, record_id, cells)).rowcount
    sql.execute(
        "INSERT INTO progress (row, status) SELECT row, ? FROM rows WHERE row >= ?",
        (Status.PENDING.value, first),
    )
    return row - first


def end_search(sql: Sql, position: int, search: Search) -> None:
    """Remove the row of a complete search; that of a search that Zoho refused stays."""
    row = _row_of_search(position)
    if search.refusal:
        sql.execute(
            "UPDATE progress SET status = ?, code = 'NOT_SEARCHED', message = ? WHERE row = ?",
            (Status.REJECTED.value, search.refusal, row),
        )
    elif search.is_complete:
        sql.execute("DELETE FROM progress WHERE row = ?", (row,))
        sql.execute("DELETE FROM rows WHERE row = ?", (row,))


def record_locks(sql: Sql, outcomes: Iterable[Outcome]) -> None:
    """Fill in the cells of the rows whose lock was found."""
    for outcome in outcomes:
        if (lock := outcome.seen_lock) is None:
            continue
        module, record_id = sql.execute(
            "SELECT module, record_id FROM rows WHERE row = ?", (outcome.row,)
        ).fetchone()
        sql.execute(
            "UPDATE rows SET lock_id = ?, cells = ? WHERE row = ?",
            (lock.lock_id, found_cells(module, record_id, lock), outcome.row),
        )


def found_cells(module: str, record_id: RecordId, lock: Lock) -> bytes:
    """Return the cells of a row whose lock was found, as the journal stores them."""
    found_lock = FoundLock(
        module,
        record_id,
        lock.lock_id,
        lock.reason,
        lock.record_name or None,
        lock.source or None,
        lock.locked_by or None,
        lock.locked_by_id or None,
        utc_text(lock.locked_at),
        lock.rule or None,
    )
    return pack(_padded(found_lock))


def _row_of_search(position: int) -> int:
    return -1 - position


def _padded(lock: FoundLock) -> tuple[str | None, ...]:
    """Return the cells as a plain tuple: JSON encoders take no named one."""
    cells = tuple(lock)
    assert len(cells) == len(LOCK_TITLES)
    return cells
