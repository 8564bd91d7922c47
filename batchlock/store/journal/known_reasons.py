"""What a run has learnt about the locks of some records: what each lock said when it ended.

updated, locked       the reason of the row
unlocked              no lock
unchanged             the reason of the row, or no lock where the row unlocks
rejected, failed      the previous reason, if Zoho was asked for it
found by a search     the reason of the lock that was found
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from batchlock.core.records import LOCK_TITLES
from batchlock.core.rows import Action
from batchlock.store.journal.cells import unpack
from batchlock.store.journal.results import placeholders
from batchlock.store.journal.sql import Sql

# The cell with the reason, in the row of a search.
_FOUND_REASON = LOCK_TITLES.index("Reason")

Record = tuple[str, str]
"""A module and the id of a record in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownReason:
    """What the lock of a record said at some moment."""

    reason: str | None
    """None: the record was not locked."""
    at: datetime
    """When Zoho said so, or did so; UTC."""


def known_reasons(sql: Sql, records: Collection[Record]) -> dict[Record, KnownReason]:
    """Return what the rows of a journal say about the locks of some records.

    A record of which they say nothing is left out. Where several rows are about one record, the
    row that ended last decides.
    """
    ids = sorted({record_id for _, record_id in records})
    rows = sql.execute(
        "SELECT module, record_id, action, reason, lock_id, cells, status, previous_reason,"
        " finished_at FROM rows JOIN progress USING (row) WHERE finished_at IS NOT NULL"
        " AND status IN ('updated', 'locked', 'unlocked', 'unchanged', 'rejected', 'failed')"
        f" AND record_id IN ({placeholders(ids)}) ORDER BY finished_at, row",
        ids,
    )
    known: dict[Record, KnownReason] = {}
    for module, record_id, action, asked, lock_id, cells, status, previous, finished_at in rows:
        if (module, record_id) not in records:
            continue
        if action == Action.FIND:
            if lock_id is None:
                continue
            reason: str | None = str(unpack(cells)[_FOUND_REASON] or "")
        elif status in ("rejected", "failed"):
            if previous is None:
                continue
            reason = previous
        else:
            reason = None if action == Action.UNLOCK else asked
        at = datetime.fromtimestamp(finished_at, UTC)
        known[module, record_id] = KnownReason(reason=reason, at=at)
    return known
