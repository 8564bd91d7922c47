"""One commit for many runs, on the tables of all journals.

A worker serves many orgs. A transaction for each of its runs would cost as much as the rows, so
it commits what all of them have to record in one. Each commit begins by locking the leases of the
orgs: the runs whose lease was lost take no part in it, and nothing of them is written.

A commit may be repeated when its answer was lost: outcomes and totals are set to the same values
again. The rows that the lost commit has claimed were not sent; `claimed_since` finds them, once
`wait_for_commit` has returned.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from batchlock.core.results import Outcome
from batchlock.core.rows import PreviousLock, Update
from batchlock.core.runs import Totals
from batchlock.store.journal.finding import found_cells
from batchlock.store.journal.progress import UPDATE_COLUMNS, update_of
from batchlock.store.leases import Lease

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What a run has to record, and how many rows it needs next."""

    run_id: str
    lease: Lease
    totals: Totals
    """The cost of the run so far, with that of its earlier sessions."""
    outcomes: Sequence[Outcome] = ()
    released: Sequence[int] = ()
    """Claimed rows that were not sent."""
    previous_locks: Sequence[PreviousLock] = ()
    """Of claimed rows that wait for this commit before they change their locks."""
    claim: int = 0
    """How many rows are claimed at most."""
    after_row: int = -1
    """The last row that this session has claimed."""


_LOCK_LEASES = """
SELECT o.org, o.epoch, o.leaseholder FROM orgs AS o
JOIN unnest(%s::text[], %s::bigint[], %s::text[]) AS b (org, epoch, holder)
  ON o.org = b.org AND o.epoch = b.epoch AND o.leaseholder = b.holder
ORDER BY o.org FOR KEY SHARE OF o
"""
_LOCK_COMMITS = "SELECT pg_advisory_xact_lock(%s)"
# A row has no outcome while it is sent, so only a repeated commit finds the same one.
_RECORD = """
UPDATE progress AS p SET
  status = n.status, http_status = n.http_status, code = n.code, message = n.message,
  remedy = n.remedy, finished_at = n.finished_at, duration = n.duration,
  attempts = p.attempts + CASE WHEN p.status = n.status
    AND p.finished_at IS NOT DISTINCT FROM n.finished_at THEN 0 ELSE n.attempts END,
  previous_reason = coalesce(n.previous_reason, p.previous_reason),
  changed_lock_id = coalesce(n.lock_id, p.changed_lock_id)
FROM unnest(%s::text[], %s::int[], %s::text[], %s::int[], %s::text[], %s::text[], %s::text[],
  %s::int[], %s::float8[], %s::float8[], %s::text[], %s::text[]) AS n (run, row, status,
  http_status, code, message, remedy, attempts, finished_at, duration, previous_reason, lock_id)
WHERE p.run = n.run AND p.row = n.row
"""
_RELEASE = """
UPDATE progress AS p SET status = 'pending', previous_reason = NULL, changed_lock_id = NULL
FROM unnest(%s::text[], %s::int[]) AS n (run, row) WHERE p.run = n.run AND p.row = n.row
"""
_KEEP_PREVIOUS = """
UPDATE progress AS p SET previous_reason = n.reason, changed_lock_id = n.lock_id
FROM unnest(%s::text[], %s::int[], %s::text[], %s::text[]) AS n (run, row, reason, lock_id)
WHERE p.run = n.run AND p.row = n.row
"""
_PUT_TOTALS = """
INSERT INTO run_facts AS f (run, name, value)
SELECT run, 'totals', value FROM unnest(%s::text[], %s::text[]) AS n (run, value)
ON CONFLICT (run, name) DO UPDATE SET value = excluded.value
"""
_FOUND_RECORDS = """
SELECT run, row, module, record_id FROM rows
JOIN unnest(%s::text[], %s::int[]) AS n (run, row) USING (run, row)
"""
_FILL_IN = """
UPDATE rows AS r SET lock_id = n.lock_id, cells = n.cells
FROM unnest(%s::text[], %s::int[], %s::text[], %s::bytea[]) AS n (run, row, lock_id, cells)
WHERE r.run = n.run AND r.row = n.row
"""
_CLAIM = f"""
WITH claimed AS (
  UPDATE progress AS p SET status = 'sending'
  FROM (
    SELECT n.run, next.row FROM unnest(%s::text[], %s::int[], %s::int[]) AS n (run, after, claim)
    CROSS JOIN LATERAL (
      SELECT q.row FROM progress AS q
      WHERE q.run = n.run AND q.status = 'pending' AND q.row > n.after
      ORDER BY q.row LIMIT n.claim
    ) AS next
  ) AS chosen
  WHERE p.run = chosen.run AND p.row = chosen.row RETURNING p.run, p.row
)
SELECT run, {UPDATE_COLUMNS} FROM claimed JOIN rows USING (run, row) ORDER BY run, row
"""


def commit_batches(
    connection: "psycopg.Connection[Any]", batches: Sequence[Batch], *, lock: int | None = None
) -> list[list[Update] | None]:
    """Record what many runs have to record, and claim their next rows, in one commit.

    Returns the claimed rows of each batch in order, fewer than requested only when no more are
    pending; None when the lease of its org was lost, and nothing of it was written. The connection
    must be outside of a transaction, and see the tables of the store. `lock` is the number of an
    advisory lock that the transaction holds to its end; see `wait_for_commit`.

    Raises psycopg.Error; then nothing is written, or everything, if the answer was lost.
    """
    with connection.transaction():
        if lock is not None:  # first, so that a wait for it keeps no org locked
            connection.execute(_LOCK_COMMITS, (lock,))
        held_batches = _lock_leases(connection, batches)
        if not held_batches:
            return [None] * len(batches)
        with connection.pipeline():  # the answers are awaited once, after the last statement
            _record(connection, held_batches)
            claims = _claim(connection, held_batches)
            claimed: dict[str, list[Update]] = {batch.run_id: [] for batch in held_batches}
            for run_id, *columns in claims or ():
                claimed[run_id].append(update_of(*columns))
    return [claimed[batch.run_id] if batch in held_batches else None for batch in batches]


def wait_for_commit(connection: "psycopg.Connection[Any]", lock: int) -> None:
    """Return when no commit with this lock is under way on the server any more.

    A commit whose connection was lost may still be. It sends its claims only after it has the lock,
    so afterwards `claimed_since` finds all of them.
    """
    connection.execute(_LOCK_COMMITS, (lock,))  # given back at the end of the statement


def claimed_since(connection: "psycopg.Connection[Any]", run_id: str, row: int) -> list[int]:
    """Return the rows of a run after `row` that are marked as being sent, in order."""
    query = (
        "SELECT row FROM progress WHERE run = %s AND row > %s AND status = 'sending' ORDER BY row"
    )
    return [number for (number,) in connection.execute(query, (run_id, row))]


def _lock_leases(
    connection: "psycopg.Connection[Any]", batches: Sequence[Batch]
) -> Sequence[Batch]:
    """Keep others from taking the orgs over until the commit; return the batches that may write."""
    keys = [(batch.lease.org, batch.lease.epoch, batch.lease.holder) for batch in batches]
    held_keys = set(connection.execute(_LOCK_LEASES, _columns(keys, 3)))
    return [batch for batch, key in zip(batches, keys, strict=True) if key in held_keys]


def _record(connection: "psycopg.Connection[Any]", batches: Sequence[Batch]) -> None:
    outcomes = [(batch.run_id, each) for batch in batches for each in batch.outcomes]
    _run(connection, _RECORD, [_outcome_columns(run_id, each) for run_id, each in outcomes], 12)
    if found := [(run_id, each) for run_id, each in outcomes if each.seen_lock is not None]:
        _fill_in(connection, found)
    _run(connection, _RELEASE, [(one.run_id, row) for one in batches for row in one.released], 2)
    locks = [(batch.run_id, each) for batch in batches for each in batch.previous_locks]
    values = [(run_id, one.row, _storable(one.reason), one.lock_id) for run_id, one in locks]
    _run(connection, _KEEP_PREVIOUS, values, 4)
    totals = [(batch.run_id, json.dumps(asdict(batch.totals))) for batch in batches]
    _run(connection, _PUT_TOTALS, totals, 2)


def _outcome_columns(run_id: str, outcome: Outcome) -> tuple[object, ...]:
    return (
        run_id,
        outcome.row,
        outcome.status.value,
        outcome.http_status,
        outcome.code,
        _storable(outcome.message),
        _storable(outcome.remedy),
        outcome.attempts,
        outcome.finished_at and outcome.finished_at.timestamp(),
        outcome.duration,
        _storable(outcome.previous_reason),
        outcome.lock_id,
    )


def _fill_in(
    connection: "psycopg.Connection[Any]", outcomes: Sequence[tuple[str, Outcome]]
) -> None:
    """Fill in the cells of rows whose lock was found."""
    keys = [(run_id, outcome.row) for run_id, outcome in outcomes]
    records = {
        (run_id, row): (module, record_id)
        for run_id, row, module, record_id in connection.execute(_FOUND_RECORDS, _columns(keys, 2))
    }
    values = [
        (run_id, outcome.row, lock.lock_id, found_cells(*records[run_id, outcome.row], lock))
        for run_id, outcome in outcomes
        if (lock := outcome.seen_lock) is not None
    ]
    _run(connection, _FILL_IN, values, 4)


def _claim(
    connection: "psycopg.Connection[Any]", batches: Sequence[Batch]
) -> "psycopg.Cursor[Any] | None":
    claims = [(one.run_id, one.after_row, one.claim) for one in batches if one.claim > 0]
    return _run(connection, _CLAIM, claims, 3)


def _run(
    connection: "psycopg.Connection[Any]",
    statement: str,
    rows: Sequence[tuple[object, ...]],
    width: int,
) -> "psycopg.Cursor[Any] | None":
    """Run a statement with some rows as arrays of columns, unless there are none."""
    return connection.execute(statement.encode(), _columns(rows, width)) if rows else None


def _columns(rows: Iterable[tuple[object, ...]], width: int) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def _storable(text: str | None) -> str | None:
    # Only PostgreSQL refuses this character, which Zoho's messages may hold.
    return text if text is None else text.replace("\0", "\ufffd")
