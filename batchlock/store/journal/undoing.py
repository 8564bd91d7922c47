"""Make the journal of a run that puts back what another run has changed.

updated    →  update to the previous reason, if the lock still has the run's reason
locked     →  unlock, if the run's lock still stands there with its reason
unlocked   →  lock with the previous reason, if the record is not locked
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from batchlock.core.errors import BatchlockError
from batchlock.core.rows import Problem
from batchlock.core.runs import RunInfo
from batchlock.store.journal.database import atomic_journal, readable_errors
from batchlock.store.journal.journal import Journal
from batchlock.store.journal.planning import mark_invalid

_COLUMN = "Previous reason"
_NOT_KEPT = Problem(
    0,
    _COLUMN,
    "no_previous_reason",
    "The run has not kept what the lock said before, so it cannot be put back. Before the next "
    "run, set results.previous_reason to always.",
)
_NO_REASON = replace(
    _NOT_KEPT,
    message="The lock had no reason before, because a rule had made it, so none can be put back. "
    "Change the reason in Zoho.",
)
# The lock that a row has changed, made or removed. Journals of 0.1.0 lack it; there it is the one
# of the file.
_LOCK_ID = "ifnull(p.changed_lock_id, r.lock_id)"
_CHANGED = (
    "rows AS r JOIN progress AS p USING (row) WHERE p.status IN ('updated', 'locked', 'unlocked')"
)
_IS_KNOWN = (
    "CASE p.status WHEN 'locked' THEN 1 ELSE p.previous_reason <> '' END"
    f" AND (p.status = 'unlocked' OR {_LOCK_ID} IS NOT NULL)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoForecast:
    """What an undo of a run would do, in rows."""

    reasons: int
    """Reasons that are put back."""
    locks: int
    """Records that are locked again."""
    unlocks: int
    """Records that are unlocked again."""
    not_kept: int
    """Rows that cannot be put back, because the run has not kept what was there before."""
    no_reason: int
    """Rows that cannot be put back, because the lock had no reason before."""

    @property
    def rows(self) -> int:
        """The number of rows that can be put back."""
        return self.reasons + self.locks + self.unlocks


def undo_forecast(source: Journal) -> UndoForecast:
    """Count what an undo of a run would do now, as far as Zoho still shows what the run left."""

    def count(condition: str) -> int:
        return source.database.count(f"{_CHANGED} AND {condition}")

    no_reason = f"NOT ({_IS_KNOWN}) AND p.previous_reason = ''"
    return UndoForecast(
        reasons=count(f"p.status = 'updated' AND {_IS_KNOWN}"),
        locks=count(f"p.status = 'unlocked' AND {_IS_KNOWN}"),
        unlocks=count(f"p.status = 'locked' AND {_IS_KNOWN}"),
        not_kept=count(f"NOT ifnull({_IS_KNOWN}, 0) AND ifnull(p.previous_reason, '-') <> ''"),
        no_reason=count(no_reason),
    )


def copy_undone_rows(source: Journal, path: Path, info: RunInfo) -> int:
    """Make the journal of an undo at `path`; return how many rows can be put back.

    Rows that the run has not changed are left out. Rows whose previous reason is not known are
    invalid. Without a row that can be put back, no journal is made.

    Raises BatchlockError when there is a file at `path`.
    """
    if path.exists():
        raise BatchlockError(f"{path} is there already.")
    if not (rows := source.database.count(f"{_CHANGED} AND {_IS_KNOWN}")):
        return 0
    with atomic_journal(path) as draft:
        with Journal.create(draft, info) as journal:
            journal.set_reading(replace(source.reading, notes=()))
        _copy_rows(source, draft)
        with Journal.open(draft) as journal:
            _mark_unknown(journal)
            journal.set_info(replace(info, action=_action_of(journal)))
    return rows


def _copy_rows(source: Journal, draft: Path) -> None:
    with readable_errors(draft), source.database.attached({"other": draft}) as sql:
        sql.create_function("as_json", 2, lambda *values: json.dumps(values), deterministic=True)
        sql.execute(
            "INSERT INTO other.rows (row, module, record_id, lock_id, reason, cells, action,"
            " expected)"
            f" SELECT r.row, r.module, r.record_id, iif(p.status = 'unlocked', NULL, {_LOCK_ID}),"
            " iif(p.status = 'locked', '', ifnull(p.previous_reason, '')), r.cells,"
            " CASE p.status WHEN 'updated' THEN 'update' WHEN 'locked' THEN 'unlock'"
            " ELSE 'lock' END,"
            f" iif(p.status = 'unlocked', as_json(NULL, NULL), as_json({_LOCK_ID}, r.reason))"
            f" FROM {_CHANGED}"
        )
        sql.execute(
            "INSERT INTO other.progress (row, status, previous_reason)"
            f" SELECT r.row, iif({_IS_KNOWN}, 'pending', 'invalid'), p.previous_reason"
            f" FROM {_CHANGED}"
        )


def _mark_unknown(journal: Journal) -> None:
    with journal.database.transaction() as sql:
        unknown = sql.execute(
            "SELECT row, previous_reason FROM progress WHERE status = 'invalid' ORDER BY row"
        ).fetchall()
        mark_invalid(
            sql,
            [
                replace(_NO_REASON if reason == "" else _NOT_KEPT, row=row)
                for row, reason in unknown
            ],
        )
        sql.execute("UPDATE progress SET previous_reason = NULL")


def _action_of(journal: Journal) -> str:
    actions = [
        action
        for (action,) in journal.database.sql.execute(
            "SELECT DISTINCT action FROM rows JOIN progress USING (row) WHERE status = 'pending'"
        )
    ]
    return str(actions[0]) if len(actions) == 1 else "mixed"
