"""What the journal says of the rows of a run, once they are to be reported."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from batchlock.core.results import SETTLED, Result, ResultRow, Status
from batchlock.core.rows import LockId, Problem, RecordId, Update, row_check
from batchlock.store.journal.cells import unpack

_RESULTS = {status.value: Result.of(status) for status in Status}
_STANDING = {
    Result.NOT_SENT: (
        "The run ended before this row was sent.",
        "Nothing is wrong with the row: it goes out when the run goes on.",
    ),
    Result.UNKNOWN: (
        "It was being sent when the run ended, so nobody knows yet whether it arrived.",
        "Resume the run; Zoho is asked first what became of the row.",
    ),
}
"""Message and remedy of the rows that have no outcome, while the run may go on."""

_CORRECT = "Correct the row and give the file back to batchlock."


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that ended the same way for the same reason."""

    result: Result
    code: str
    message: str
    remedy: str
    count: int
    rows: Iterator[int]
    """In order; to be read before the next group is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFilter:
    """Which lines a person wants to see."""

    results: frozenset[Result] = frozenset()
    """Empty for all."""
    words: str = ""
    """A part of a cell or of what is said of the row, or a row number."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """How many rows ended in each of some equal spans of time."""

    began: datetime
    span: float
    """Seconds."""
    settled: tuple[int, ...]
    others: tuple[int, ...]
    """Those that are not as the file asks."""


def problems(sql: sqlite3.Connection, rows: Sequence[int] | None = None) -> Iterator[Problem]:
    """Yield every problem, or every one of some rows, in the order of the rows."""
    some, values = "", tuple[object, ...]()
    if rows is not None:
        some, values = f" WHERE row IN ({_marks(rows)})", tuple(rows)
    for found in sql.execute(
        f'SELECT row, "column", code, message FROM problems{some} ORDER BY row, rowid', values
    ):
        yield Problem(*found)


def matching(sql: sqlite3.Connection, wanted: RowFilter) -> int:
    """Count the rows that are wanted."""
    some, values = _condition(wanted)
    (count,) = sql.execute(
        f"SELECT count(*) FROM progress AS p JOIN rows AS r USING (row) WHERE {some}", values
    ).fetchone()
    return int(count)


def page(
    sql: sqlite3.Connection, wanted: RowFilter, *, offset: int, limit: int, closed_by: str = ""
) -> list[ResultRow]:
    """Return some of the lines that are wanted, in the file's order."""
    some, values = _condition(wanted)
    rows = [
        row
        for (row,) in sql.execute(
            f"SELECT p.row FROM progress AS p JOIN rows AS r USING (row) WHERE {some}"
            " ORDER BY p.row LIMIT ? OFFSET ?",
            (*values, limit, offset),
        )
    ]
    return list(lines(sql, rows, closed_by=closed_by))


def pace(sql: sqlite3.Connection, spans: int) -> Throughput | None:
    """Return how many rows ended in each of so many spans; None before any has."""
    first, last = sql.execute("SELECT min(finished_at), max(finished_at) FROM progress").fetchone()
    if first is None:
        return None
    span = max((last - first) / spans, 1.0)
    settled, others = [0] * spans, [0] * spans
    for at, is_settled, count in sql.execute(
        "SELECT min(CAST((finished_at - ?) / ? AS INTEGER), ?), status IN ('updated', 'unchanged'),"
        " count(*) FROM progress WHERE finished_at IS NOT NULL GROUP BY 1, 2",
        (first, span, spans - 1),
    ):
        (settled if is_settled else others)[at] += count
    used = min(spans, int((last - first) / span) + 1)
    return Throughput(_moment(first), span, tuple(settled[:used]), tuple(others[:used]))


def _condition(wanted: RowFilter) -> tuple[str, tuple[object, ...]]:
    """Return what is wanted as SQL over progress (p) and rows (r)."""
    parts, values = ["true"], list[object]()
    if wanted.results:
        statuses = [status for status, result in _RESULTS.items() if result in wanted.results]
        parts.append(f"p.status IN ({_marks(statuses)})")
        values += statuses
    if words := wanted.words.strip():
        escaped = re.sub(r"([\\%_])", r"\\\1", words)
        told = [
            f"{what} LIKE ? ESCAPE '\\'"
            for what in ("CAST(r.cells AS TEXT)", "p.message", "p.code")
        ]
        values += [f"%{escaped}%"] * len(told)
        told.append(
            "p.row IN (SELECT row FROM problems WHERE message LIKE ? ESCAPE '\\' OR code = ?)"
        )
        values += [f"%{escaped}%", words]
        if words.isdecimal() and len(words) < len("5843104000"):  # shorter than any id
            told.append("p.row = ?")
            values.append(int(words))
        parts.append(f"({' OR '.join(told)})")
    return " AND ".join(parts), tuple(values)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def lines(
    sql: sqlite3.Connection, rows: Sequence[int] | None = None, *, closed_by: str = ""
) -> Iterator[ResultRow]:
    """Yield one line for each row, or for each of some rows, in the file's order.

    `closed_by` says why the run never goes on; empty while it may.
    """
    some, values = "", tuple[object, ...]()
    if rows is not None:
        some, values = f" WHERE r.row IN ({_marks(rows)})", tuple(rows)
    told = sql.execute(
        "SELECT r.row, module, record_id, lock_id, reason, cells, p.status, p.same_as,"
        " o.status, p.http_status, p.code, p.message, p.remedy, p.attempts, p.finished_at,"
        " p.duration FROM rows AS r JOIN progress AS p USING (row)"
        f" LEFT JOIN progress AS o ON o.row = p.same_as{some} ORDER BY r.row",
        values,
    )
    found_problems = problems(sql, rows)
    problem = next(found_problems, None)
    for row, *asked, cells, status, same_as, same_status, http_status, code, message, remedy, \
            attempts, finished_at, duration in told:  # fmt: skip
        result = _RESULTS[status]
        if result in _STANDING:
            message, remedy = _standing(result, closed_by)
        elif result is Result.DUPLICATE:
            message, remedy = _duplicate(same_as, Status(same_status))
        elif result is Result.INVALID:
            found = []
            while problem is not None and problem.row == row:
                found.append(problem)
                problem = next(found_problems, None)
            code = ", ".join(dict.fromkeys(one.code for one in found))
            message = "\n".join(f"{one.column}: {one.message}" for one in found)
            remedy = _CORRECT
        yield ResultRow(
            row=row,
            cells=unpack(cells),
            result=result,
            http_status=http_status,
            code=code,
            message=message,
            remedy=remedy,
            attempts=attempts,
            finished_at=None if finished_at is None else _moment(finished_at),
            duration=duration,
            check=row_check(*asked) if asked[0] and _has_check(result, code) else "",
        )


def groups(sql: sqlite3.Connection, *, closed_by: str = "") -> Iterator[Group]:
    """Yield the rows that were not updated, and the duplicates, by their causes.

    The largest group of each result comes first.
    """
    ended = sql.execute(
        "SELECT status, code, remedy, min(row), count(*) FROM progress WHERE status NOT IN"
        " ('updated', 'unchanged', 'invalid') GROUP BY status, code, remedy"
        " ORDER BY status DESC, count(*) DESC"
    ).fetchall()
    for status, code, remedy, first, count in ended:
        rows = sql.execute(
            "SELECT row FROM progress WHERE status = ? AND code = ? AND remedy = ? ORDER BY row",
            (status, code, remedy),
        )
        (message,) = sql.execute("SELECT message FROM progress WHERE row = ?", (first,)).fetchone()
        result = _RESULTS[status]
        if result in _STANDING:
            message, remedy = _standing(result, closed_by)
        elif result is Result.DUPLICATE:
            message = "The same as an earlier row, and not sent again."
        yield Group(result, code, message, remedy, count, (row for (row,) in rows))
    invalid = sql.execute(
        "SELECT code, message, count(DISTINCT row), min(rowid) FROM problems GROUP BY code"
        " ORDER BY 3 DESC"
    ).fetchall()
    for code, message, count, _ in invalid:
        rows = sql.execute("SELECT DISTINCT row FROM problems WHERE code = ? ORDER BY row", (code,))
        yield Group(Result.INVALID, code, message, _CORRECT, count, (row for (row,) in rows))


def update_of(row: int, module: str, record_id: str, lock_id: str | None, reason: str) -> Update:
    """Return the update that a row of the journal holds."""
    return Update(
        row, module, RecordId(record_id), None if lock_id is None else LockId(lock_id), reason
    )


def _has_check(result: Result, code: str) -> bool:
    """Tell whether a row has a check: an invalid one, when its cells do not show what is wrong."""
    return result is not Result.INVALID or "bad_value" in code.split(", ")


def _standing(result: Result, closed_by: str) -> tuple[str, str]:
    """Return the message and remedy of a row that has no outcome."""
    message, remedy = _STANDING[result]
    return message, f"This run does not go on. {closed_by}" if closed_by else remedy


def _duplicate(row: int, status: Status) -> tuple[str, str]:
    """Return the message and remedy of a row that is the same as an earlier one."""
    match Result.of(status):
        case Result.NOT_SENT:
            became = "which was not sent"
        case Result.UNKNOWN:
            became = "of which nobody knows yet whether it arrived"
        case result:
            became = f"which is {result}" if result is Result.INVALID else f"which was {result}"
    done = status in SETTLED
    return f"The same as row {row}, {became}.", "" if done else f"See row {row}."


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
