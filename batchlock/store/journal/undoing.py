"""Make the journal of a run that puts back what another run has changed.

updated    →  update to the previous reason, if the lock still has the run's reason
locked     →  unlock, if the run's lock still stands there with its reason
unlocked   →  lock with the previous reason, if the record is not locked
"""

from dataclasses import dataclass, replace

from batchlock.core.rows import Problem
from batchlock.core.runs import RunInfo
from batchlock.store.journal.journal import Journal
from batchlock.store.journal.planning import mark_invalid
from batchlock.store.journal.sql import Place

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
_LOCK_ID = "coalesce(p.changed_lock_id, r.lock_id)"
_CHANGED = (
    "rows AS r JOIN progress AS p USING (row) WHERE p.status IN ('updated', 'locked', 'unlocked')"
)
_IS_KNOWN = (
    "(p.status = 'locked' OR p.previous_reason <> '')"
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
        not_kept=count(
            f"NOT coalesce({_IS_KNOWN}, false) AND coalesce(p.previous_reason, '-') <> ''"
        ),
        no_reason=count(no_reason),
    )


def undoable_rows(source: Journal) -> int:
    """Count the rows that can be put back."""
    return source.database.count(f"{_CHANGED} AND {_IS_KNOWN}")


def copy_undone_rows(source: Journal, place: Place, info: RunInfo) -> None:
    """Make the journal of an undo at `place`.

    Rows that the run has not changed are left out. Rows whose previous reason is not known are
    invalid.
    """
    with source.create_other(place, info) as journal:
        journal.set_reading(replace(source.reading, notes=()))
    _copy_rows(source, place)
    with source.open_other(place) as journal:
        _mark_unknown(journal)
        journal.set_info(replace(info, action=_action_of(journal)))


def _copy_rows(source: Journal, target: Place) -> None:
    with source.database.attached({"other": target}) as sql:
        json_pair = sql.dialect.json_pair
        sql.execute(
            "INSERT INTO other.rows (row, module, record_id, lock_id, reason, cells, action,"
            " expected)"
            " SELECT r.row, r.module, r.record_id,"
            f" CASE WHEN p.status = 'unlocked' THEN NULL ELSE {_LOCK_ID} END,"
            " CASE WHEN p.status = 'locked' THEN '' ELSE coalesce(p.previous_reason, '') END,"
            " r.cells,"
            " CASE p.status WHEN 'updated' THEN 'update' WHEN 'locked' THEN 'unlock'"
            " ELSE 'lock' END,"
            f" CASE WHEN p.status = 'unlocked' THEN {json_pair}(NULL, NULL)"
            f" ELSE {json_pair}({_LOCK_ID}, r.reason) END"
            f" FROM {_CHANGED}"
        )
        sql.execute(
            "INSERT INTO other.progress (row, status, previous_reason)"
            f" SELECT r.row, CASE WHEN {_IS_KNOWN} THEN 'pending' ELSE 'invalid' END,"
            f" p.previous_reason FROM {_CHANGED}"
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
    with journal.database.reading() as sql:
        actions = sql.execute(
            "SELECT DISTINCT action FROM rows JOIN progress USING (row) WHERE status = 'pending'"
        ).fetchall()
    return str(actions[0][0]) if len(actions) == 1 else "mixed"
