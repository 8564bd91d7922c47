"""Read the rows of a run back as result rows, problems and groups of one cause."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from batchlock.core import messages
from batchlock.core.messages import Explanation
from batchlock.core.reading import ResultSample
from batchlock.core.results import Result, ResultRow, Status
from batchlock.core.rows import Cell, Problem, row_checksum
from batchlock.store.journal.cells import unpack
from batchlock.store.journal.progress import SETTLED_WORDS
from batchlock.store.journal.sql import Sql

# Looked up once per row: this takes 0.04 µs, and Result.of(Status(…)) takes 1.1 µs.
RESULT_BY_STATUS = {status.value: Result.of(status) for status in Status}

# The codes of problems that may not be found again in a results file.
_NOT_IN_RESULTS = frozenset({"bad_value", "broken_line"})

_NO_CORRECTIONS: Mapping[int, str] = {}

# Problems of one code among which the examples are looked for.
_SEARCHED = 1_000


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that ended the same way for the same reason."""

    result: Result
    code: str
    message: str
    """The message of the first such row."""
    remedy: str
    count: int
    rows: Iterator[int]
    """The row numbers in order. Read them before the next group is requested."""


def problems(sql: Sql, rows: Sequence[int] | None = None) -> Iterator[Problem]:
    """Yield the problems of all rows, or of some rows, in the order of the rows."""
    condition, values = "", tuple[object, ...]()
    if rows is not None:
        condition, values = f" WHERE row IN ({placeholders(rows)})", tuple(rows)
    for problem in sql.stream(
        f'SELECT row, "column", code, message FROM problems{condition} ORDER BY row, rowid', values
    ):
        yield Problem(*problem)


def result_rows(
    sql: Sql,
    rows: Sequence[int] | None = None,
    *,
    closed_because: str = "",
    corrections: Mapping[int, str] = _NO_CORRECTIONS,
) -> Iterator[ResultRow]:
    """Yield one result row for each row, or for each of some rows, in the file's order.

    `closed_because` says why the run cannot be resumed; it is empty while the run can be.
    `corrections` say which cells of a row were corrected, by row number.
    """
    condition, values = "", tuple[object, ...]()
    if rows is not None:
        condition, values = f" WHERE r.row IN ({placeholders(rows)})", tuple(rows)
    records = sql.stream(
        "SELECT r.row, module, record_id, lock_id, reason, action, cells, p.status, p.same_as,"
        " o.status, p.http_status, p.code, p.message, p.remedy, p.attempts, p.finished_at,"
        " p.duration, p.previous_reason FROM rows AS r JOIN progress AS p USING (row)"
        f" LEFT JOIN progress AS o ON o.row = p.same_as{condition} ORDER BY r.row",
        values,
    )
    # Both queries are in the order of the rows, so they are read side by side: the problems of
    # a file can be as many as its rows.
    remaining_problems = problems(sql, rows)
    problem = next(remaining_problems, None)
    for row, *final_form, cells, status, duplicate_of, earlier_status, http_status, code, \
            message, remedy, attempts, finished_at, duration, \
            previous_reason in records:  # fmt: skip
        result = RESULT_BY_STATUS[status]
        if result in messages.UNFINISHED:
            message, remedy = messages.unfinished(result, closed_because=closed_because)
        elif result is Result.DUPLICATE:
            message, remedy = messages.duplicate(duplicate_of, Status(earlier_status))
        elif result is Result.INVALID:
            row_problems = []
            while problem is not None and problem.row == row:
                row_problems.append(problem)
                problem = next(remaining_problems, None)
            code = ", ".join(dict.fromkeys(each.code for each in row_problems))
            message = "\n".join(f"{each.column}: {each.message}" for each in row_problems)
            remedy = messages.CORRECT_THE_ROW
        yield ResultRow(
            row=row,
            cells=unpack(cells),
            result=result,
            http_status=http_status,
            code=code,
            message=message,
            previous_reason=previous_reason,
            reason=final_form[3] or "",
            remedy=remedy,
            attempts=attempts,
            finished_at=None if finished_at is None else datetime.fromtimestamp(finished_at, UTC),
            duration=duration,
            corrections=corrections.get(row, ""),
            checksum=row_checksum(*final_form)
            if final_form[0] and _has_checksum(result, code)
            else "",
        )


def _has_checksum(result: Result, code: str) -> bool:
    """Return whether the result row has a checksum, by which `plan` recognises the row later.

    An invalid row has one only for a bad value or a broken line. The results do not show a filled
    cell beyond the last title, and not that a line was short: the checksum shows that the row was
    not corrected.
    """
    return result is not Result.INVALID or not _NOT_IN_RESULTS.isdisjoint(code.split(", "))


def groups(sql: Sql, *, closed_because: str = "") -> Iterator[Group]:
    """Yield the rows that were not done, and the duplicates, grouped by cause.

    The largest group of each result comes first.
    """
    # Messages of one cause may differ from row to row, so they do not take part in the grouping.
    causes = sql.execute(
        "SELECT status, code, remedy, min(row), count(*) FROM progress WHERE status NOT IN"
        f" ({SETTLED_WORDS}, 'invalid') GROUP BY status, code, remedy"
        " ORDER BY status DESC, 5 DESC, code, remedy"
    ).fetchall()
    for status, code, remedy, first_row, count in causes:
        rows = sql.stream(
            "SELECT row FROM progress WHERE status = ? AND code = ? AND remedy = ? ORDER BY row",
            (status, code, remedy),
        )
        result = RESULT_BY_STATUS[status]
        if result in messages.UNFINISHED:
            explanation = messages.unfinished(result, closed_because=closed_because)
        elif result is Result.DUPLICATE:
            explanation = Explanation(messages.SAME_AS_AN_EARLIER_ROW, remedy)
        else:
            explanation = Explanation(_message_of(sql, first_row), remedy)
        yield Group(result, code, *explanation, count, (row for (row,) in rows))
    invalid = sql.execute(
        "SELECT code, count(DISTINCT row), min(rowid) FROM problems GROUP BY code"
        " ORDER BY 2 DESC, 3"
    ).fetchall()
    for code, count, first in invalid:
        (message,) = sql.execute(
            "SELECT message FROM problems WHERE rowid = ?", (first,)
        ).fetchone()
        rows = sql.stream("SELECT DISTINCT row FROM problems WHERE code = ? ORDER BY row", (code,))
        yield Group(
            Result.INVALID, code, message, messages.CORRECT_THE_ROW, count, (row for (row,) in rows)
        )


def examples(sql: Sql, code: str, limit: int) -> list[tuple[Problem, tuple[Cell, ...]]]:
    """Return some problems of a code with the cells of their rows, in order.

    Problems with different messages come first: they show more than the same message again.
    """
    # Among the first problems only, since a million of them would have to be sorted.
    first = (
        "(SELECT rowid AS id, row, message FROM problems WHERE code = ?"
        f" ORDER BY row, rowid LIMIT {_SEARCHED}) AS p"
    )
    numbers = [
        number
        for number, _ in sql.execute(
            f"SELECT min(id), min(row) FROM {first} GROUP BY message ORDER BY 2, message LIMIT ?",
            (code, limit),
        )
    ]
    others = sql.execute(f"SELECT id FROM {first} ORDER BY row, id LIMIT ?", (code, 2 * limit))
    numbers += [number for (number,) in others if number not in numbers]
    return [
        (Problem(*problem), unpack(cells))
        for *problem, cells in sql.execute(
            'SELECT row, "column", code, message, cells FROM problems JOIN rows USING (row)'
            f" WHERE problems.rowid IN ({placeholders(numbers[:limit])})"
            " ORDER BY row, problems.rowid",
            numbers[:limit],
        )
    ]


def has_results(sql: Sql, samples: Sequence[ResultSample]) -> bool:
    """Return whether all of some rows of a results file are from these results."""
    rows = {
        row: (row_checksum(*final_form), finished_at)
        for row, *final_form, finished_at in sql.execute(
            "SELECT r.row, module, record_id, lock_id, reason, action, finished_at"
            " FROM rows AS r JOIN progress AS p USING (row) WHERE module IS NOT NULL"
            f" AND finished_at IS NOT NULL AND r.row IN ({placeholders(samples)})",
            [sample.source_row for sample in samples],
        )
    }
    matches = (
        sample.source_row in rows
        and (sample.checksum, sample.finished_at)
        == (rows[sample.source_row][0], in_results(rows[sample.source_row][1]))
        for sample in samples
    )
    return bool(samples) and all(matches)


def in_results(finished_at: float) -> str:
    """Return a time, in seconds since 1970, as results show it under Finished at."""
    moment = datetime.fromtimestamp(finished_at, UTC).replace(tzinfo=None)
    return f"{moment.isoformat(timespec='seconds')}Z"


def _message_of(sql: Sql, row: int) -> str:
    (message,) = sql.execute("SELECT message FROM progress WHERE row = ?", (row,)).fetchone()
    return str(message)


def placeholders(values: Sequence[object]) -> str:
    """Return as many SQL placeholders as there are values."""
    # An empty list is no SQL in PostgreSQL, and nothing equals NULL.
    return ", ".join("?" * len(values)) or "NULL"
