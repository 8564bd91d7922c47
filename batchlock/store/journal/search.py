"""Find rows that match a filter, and count rows over time, for the page."""

import re
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime

from batchlock.core.results import Result
from batchlock.store.journal.progress import SETTLED_WORDS
from batchlock.store.journal.results import RESULT_BY_STATUS, placeholders

# Ids of Zoho have at least as many digits as this one. A shorter number may be a row number.
_SHORTEST_ID = len("5843104000")
# A chart of bars that are shorter than a second shows noise.
_SHORTEST_SPAN_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFilter:
    """The result rows that a person wants to see."""

    results: frozenset[Result] = frozenset()
    """The results to include; empty for all."""
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


def count_rows(sql: sqlite3.Connection, row_filter: RowFilter) -> int:
    """Count the rows that match a filter."""
    condition, values = _condition(row_filter)
    (count,) = sql.execute(
        f"SELECT count(*) FROM progress AS p JOIN rows AS r USING (row) WHERE {condition}", values
    ).fetchone()
    return int(count)


def row_numbers(
    sql: sqlite3.Connection, row_filter: RowFilter, *, offset: int, limit: int
) -> list[int]:
    """Return the numbers of some of the rows that match a filter, in order."""
    condition, values = _condition(row_filter)
    rows = sql.execute(
        f"SELECT p.row FROM progress AS p JOIN rows AS r USING (row) WHERE {condition}"
        " ORDER BY p.row LIMIT ? OFFSET ?",
        (*values, limit, offset),
    )
    return [row for (row,) in rows]


def throughput(sql: sqlite3.Connection, spans: int) -> Throughput | None:
    """Return how many rows finished in each of `spans` equal spans; None before any has.

    A run that is too short for so many spans has fewer.
    """
    first, last = sql.execute("SELECT min(finished_at), max(finished_at) FROM progress").fetchone()
    if first is None:
        return None
    span = max((last - first) / spans, _SHORTEST_SPAN_SECONDS)
    settled, others = [0] * spans, [0] * spans
    # The last moment lies at the end of the last span, and belongs to it.
    for index, is_settled, count in sql.execute(
        "SELECT min(CAST((finished_at - ?) / ? AS INTEGER), ?),"
        f" status IN ({SETTLED_WORDS}),"
        " count(*) FROM progress WHERE finished_at IS NOT NULL GROUP BY 1, 2",
        (first, span, spans - 1),
    ):
        (settled if is_settled else others)[index] += count
    used = min(spans, int((last - first) / span) + 1)
    started_at = datetime.fromtimestamp(first, UTC)
    return Throughput(started_at, span, tuple(settled[:used]), tuple(others[:used]))


def _condition(row_filter: RowFilter) -> tuple[str, tuple[object, ...]]:
    """Return a filter as SQL over progress (p) and rows (r), with its values."""
    parts, values = ["true"], list[object]()
    if row_filter.results:
        statuses = [
            status for status, result in RESULT_BY_STATUS.items() if result in row_filter.results
        ]
        parts.append(f"p.status IN ({placeholders(statuses)})")
        values += statuses
    if text := row_filter.text.strip():
        escaped = re.sub(r"([\\%_])", r"\\\1", text)  # the wildcards of LIKE
        # The cells are JSON in a BLOB, which LIKE does not search without the cast.
        alternatives = [
            f"{column} LIKE ? ESCAPE '\\'"
            for column in ("CAST(r.cells AS TEXT)", "p.message", "p.code")
        ]
        values += [f"%{escaped}%"] * len(alternatives)
        alternatives.append(
            "p.row IN (SELECT row FROM problems WHERE message LIKE ? ESCAPE '\\' OR code = ?)"
        )
        values += [f"%{escaped}%", text]
        if text.isdecimal() and len(text) < _SHORTEST_ID:
            alternatives.append("p.row = ?")
            values.append(int(text))
        parts.append(f"({' OR '.join(alternatives)})")
    return " AND ".join(parts), tuple(values)
