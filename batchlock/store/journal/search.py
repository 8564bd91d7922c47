"""Find rows that match a filter, and count rows over time, for the page."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from batchlock.core.results import Result
from batchlock.store.journal.progress import SETTLED_WORDS
from batchlock.store.journal.results import RESULT_BY_STATUS, placeholders
from batchlock.store.journal.sql import Dialect, Sql

# Ids of Zoho have at least as many digits as this one. A shorter number may be a row number.
_SHORTEST_ID = len("5843104000")
# A chart of bars that are shorter than a second shows noise.
_SHORTEST_SPAN_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFilter:
    """The result rows that a person wants to see."""

    results: frozenset[Result] = frozenset()
    """The results to include; empty for all."""
    above: int | None = None
    """Only rows above this one; None for all."""
    text: str = ""
    """A part of a cell, a code or a message, or a row number; empty for all rows."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """How many rows finished in each of some equal spans of time."""

    started_at: datetime
    """When the first row finished; UTC."""
    span_seconds: float
    settled: tuple[int, ...]
    """Rows per span that are as the file asks."""
    others: tuple[int, ...]
    """Rows per span that are not."""


def count_rows(sql: Sql, row_filter: RowFilter) -> int:
    """Count the rows that match a filter."""
    condition, values = _condition(row_filter, sql.dialect)
    (count,) = sql.execute(
        f"SELECT count(*) FROM progress AS p JOIN rows AS r USING (row) WHERE {condition}", values
    ).fetchone()
    return int(count)


def row_numbers(sql: Sql, row_filter: RowFilter, *, offset: int, limit: int) -> list[int]:
    """Return the numbers of some of the rows that match a filter, in order."""
    condition, values = _condition(row_filter, sql.dialect)
    rows = sql.execute(
        f"SELECT p.row FROM progress AS p JOIN rows AS r USING (row) WHERE {condition}"
        " ORDER BY p.row LIMIT ? OFFSET ?",
        (*values, limit, offset),
    )
    return [row for (row,) in rows]


def throughput(sql: Sql, spans: int) -> Throughput | None:
    """Return how many rows finished in each of `spans` equal spans; None before any has.

    A run that is too short for so many spans has fewer.
    """
    first, last = sql.execute("SELECT min(finished_at), max(finished_at) FROM progress").fetchone()
    if first is None:
        return None
    span = max((last - first) / spans, _SHORTEST_SPAN_SECONDS)
    settled, others = [0] * spans, [0] * spans
    # The last moment lies at the end of the last span, and belongs to it.
    index_of = sql.dialect.whole.format("(finished_at - ?) / ?")
    for index, is_settled, count in sql.execute(
        f"SELECT {index_of}, status IN ({SETTLED_WORDS}), count(*) FROM progress"
        " WHERE finished_at IS NOT NULL GROUP BY 1, 2",
        (first, span),
    ):
        (settled if is_settled else others)[min(index, spans - 1)] += count
    used = min(spans, int((last - first) / span) + 1)
    started_at = datetime.fromtimestamp(first, UTC)
    return Throughput(started_at, span, tuple(settled[:used]), tuple(others[:used]))


def _condition(row_filter: RowFilter, dialect: Dialect) -> tuple[str, tuple[object, ...]]:
    """Return a filter as SQL over progress (p) and rows (r), with its values."""
    parts, values = ["true"], list[object]()
    if row_filter.results:
        statuses = [
            status for status, result in RESULT_BY_STATUS.items() if result in row_filter.results
        ]
        parts.append(f"p.status IN ({placeholders(statuses)})")
        values += statuses
    if row_filter.above is not None:
        parts.append("p.row < ?")
        values.append(row_filter.above)
    if text := row_filter.text.strip():
        escaped = re.sub(r"([\\%_])", r"\\\1", text)  # the wildcards of LIKE
        like = f"{dialect.like} ? ESCAPE '\\'"
        cells = dialect.cells_as_text.format("r.cells")
        alternatives = [f"{column} {like}" for column in (cells, "p.message", "p.code")]
        values += [f"%{escaped}%"] * len(alternatives)
        alternatives.append(f"p.row IN (SELECT row FROM problems WHERE message {like} OR code = ?)")
        values += [f"%{escaped}%", text]
        if text.isdecimal() and len(text) < _SHORTEST_ID:
            alternatives.append("p.row = ?")
            values.append(int(text))
        parts.append(f"({' OR '.join(alternatives)})")
    return " AND ".join(parts), tuple(values)
