"""Write the rows of a plan into a journal."""

import json
from collections.abc import Collection, Iterable, Sequence

from batchlock.core.messages import DONE_BY_EARLIER_RUN
from batchlock.core.results import Status
from batchlock.core.rows import Action, Cell, Problem, Update
from batchlock.store.journal.cells import pack
from batchlock.store.journal.sql import Sql


def add_rows(
    sql: Sql,
    cells: Iterable[tuple[int, Sequence[Cell]]],
    *,
    updates: Sequence[Update],
    problems: Sequence[Problem],
    finished: Collection[int],
) -> None:
    """Insert a chunk of rows; see `Journal.add`. The caller holds the transaction."""
    update_by_row = {update.row: update for update in updates}
    rows: list[tuple[object, ...]] = []
    for row, values in cells:
        update = update_by_row.get(row)
        rows.append((row, *_columns_of(update), pack(values)))
    if not rows:
        return
    sql.executemany(
        "INSERT INTO rows (row, module, record_id, lock_id, reason, action, expected, cells)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    # One statement for the chunk is faster than one per row; a chunk's row numbers ascend.
    sql.execute(
        "INSERT INTO progress (row, status) SELECT row, CASE WHEN module IS NULL THEN ? ELSE ? END"
        " FROM rows WHERE row BETWEEN ? AND ?",
        (Status.INVALID.value, Status.PENDING.value, rows[0][0], rows[-1][0]),
    )
    sql.executemany(
        "UPDATE progress SET status = ?, message = ? WHERE row = ?",
        [
            (Status.UNCHANGED.value, DONE_BY_EARLIER_RUN, row)
            for row in finished
            if row in update_by_row
        ],
    )
    mark_invalid(sql, problems)


def _columns_of(update: Update | None) -> tuple[str | None, ...]:
    """Return module, record id, lock id, reason, action and expected lock as they are stored."""
    if update is None:
        return None, None, None, None, Action.UPDATE.value, None
    expected = update.expected
    return (
        update.module,
        update.record_id,
        update.lock_id,
        update.reason,
        update.action.value,
        None if expected is None else json.dumps([expected.lock_id, expected.reason]),
    )


def mark_invalid(sql: Sql, problems: Iterable[Problem]) -> None:
    """Store problems and mark their rows as invalid."""
    problems = list(problems)
    sql.executemany(
        'INSERT INTO problems (row, "column", code, message) VALUES (?, ?, ?, ?)',
        [
            (problem.row, _storable(problem.column), problem.code, _storable(problem.message))
            for problem in problems
        ],
    )
    sql.executemany(
        "UPDATE progress SET status = 'invalid', message = '' WHERE row = ?",
        [(problem.row,) for problem in problems],
    )


def _storable(text: str) -> str:
    # Cells of damaged files hold lone surrogates. SQLite stores UTF-8, which cannot hold them.
    return text.encode("utf-8", "backslashreplace").decode()
