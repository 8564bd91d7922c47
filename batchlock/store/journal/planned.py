"""Count and show the rows that a plan sends, before and after they are sent."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from batchlock.core.preview import ModuleRows
from batchlock.core.rows import RecordId, Update
from batchlock.store.journal.progress import (
    REMAINING_UNLOCKS,
    UPDATE_COLUMNS,
    needs_lookup,
    update_of,
)
from batchlock.store.journal.results import placeholders
from batchlock.store.journal.sql import Sql

# The rows that the plan sends, whatever became of them since: neither a problem nor a duplicate,
# nor done by an earlier run. A row that a run found unchanged has a time at which it finished.
_PLANNED = (
    "rows JOIN progress USING (row) WHERE status NOT IN ('invalid', 'duplicate')"
    " AND (status <> 'unchanged' OR finished_at IS NOT NULL)"
)


_LETTER_BEYOND_ASCII = re.compile(r"[^\W\d_\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class PlannedModule:
    """The planned rows of one module and action."""

    module: str
    action: str
    rows: int
    lookups: int
    """How many of them need a look at the lock first."""


def planned_modules(sql: Sql, previous_reason: str) -> list[PlannedModule]:
    """Count the planned rows by module and action, the most frequent first.

    `previous_reason` is the setting of this name, which some look-ups depend on.
    """
    counts = sql.execute(
        f"SELECT module, action, count(*), sum(CASE WHEN {needs_lookup(previous_reason)}"
        f" THEN 1 ELSE 0 END) FROM {_PLANNED} GROUP BY module, action"
        " ORDER BY 3 DESC, module, action"
    )
    return [PlannedModule(*count) for count in counts]


def unlocks_by_module(sql: Sql) -> list[tuple[str, int]]:
    """Count the rows that are left to unlock by module, the most frequent module first."""
    return sql.execute(
        f"SELECT module, count(*) FROM {REMAINING_UNLOCKS} GROUP BY module ORDER BY 2 DESC, module"
    ).fetchall()


def rows_to_send(sql: Sql, *, with_done: bool) -> list[ModuleRows]:
    """Count the rows that are left by module and action, the most frequent first.

    With `with_done`, all rows that the plan sends, also those that are done.
    """
    source = _to_send(with_done=with_done)
    counts = sql.execute(
        f"SELECT module, action, count(*) FROM {source} GROUP BY module, action"
        " ORDER BY 3 DESC, module, action"
    )
    return [ModuleRows(module=module, action=action, rows=n) for module, action, n in counts]


def digest(sql: Sql, *, with_done: bool) -> str:
    """Return the SHA-256 in hexadecimal digits of the rows of `rows_to_send` as they are sent.

    Of each row these count: its number, module, record, lock, reason, action, and the lock that an
    undo must find.
    """
    sha256 = hashlib.sha256()
    for row in sql.stream(
        f"SELECT {UPDATE_COLUMNS} FROM {_to_send(with_done=with_done)} ORDER BY row"
    ):
        sha256.update(json.dumps(list(row)).encode() + b"\n")
    return sha256.hexdigest()


def _to_send(*, with_done: bool) -> str:
    # A row never gets one of these two statuses, or another one after it, once it is planned.
    condition = "NOT IN ('invalid', 'duplicate')" if with_done else "IN ('pending', 'sending')"
    return f"rows JOIN progress USING (row) WHERE status {condition}"


def planned_records(sql: Sql) -> list[tuple[str, RecordId]]:
    """Return module and record id of the planned rows, in the file's order."""
    return sql.execute(f"SELECT module, record_id FROM {_PLANNED} ORDER BY row").fetchall()


def updates(sql: Sql, rows: Sequence[int]) -> list[Update]:
    """Return what some rows ask for, in the file's order, without those that have a problem."""
    found = sql.execute(
        f"SELECT {UPDATE_COLUMNS} FROM rows WHERE module IS NOT NULL"
        f" AND row IN ({placeholders(rows)}) ORDER BY row",
        rows,
    )
    return [update_of(*columns) for columns in found]


def samples(sql: Sql, limit: int) -> list[Update]:
    """Return some planned rows; those with letters beyond ASCII come first.

    Such letters are what a wrong encoding garbles, so these rows show most.
    """
    # A letter beyond ASCII takes several bytes. Other characters do too, so the text is searched.
    bytes_ = sql.dialect.bytes_of.format("reason")
    beyond_ascii = sql.stream(
        f"SELECT row, reason FROM {_PLANNED} AND length(reason) < {bytes_} ORDER BY row"
    )
    numbers = list(
        islice((row for row, reason in beyond_ascii if _LETTER_BEYOND_ASCII.search(reason)), limit)
    )
    # At most `limit` of these rows are chosen already.
    others = sql.execute(f"SELECT row FROM {_PLANNED} ORDER BY row LIMIT ?", (2 * limit,))
    numbers += [row for (row,) in others if row not in numbers]
    return [_update(sql, row) for row in numbers[:limit]]


def _update(sql: Sql, row: int) -> Update:
    columns = sql.execute(f"SELECT {UPDATE_COLUMNS} FROM rows WHERE row = ?", (row,)).fetchone()
    return update_of(*columns)
