"""What only the whole file shows: rounded ids, conflicts, duplicates. All of it is SQL."""

import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping

from batchlock.core.rows import Field, Problem

_ROUNDED = 0.001
"""Ids that all end in zeros are taken for rounded ones when chance gives so many this seldom."""


_NAMED = 5
"""Rows that a conflict names."""


def check_whole_file(sql: sqlite3.Connection, titles: Mapping[Field, str]) -> None:
    """Mark the rows that are wrong or needless beside the others.

    `titles` are the columns' titles in the file, for the problems. Runs in a transaction of
    the caller's.
    """
    sql.execute(
        "CREATE TEMP VIEW valid AS SELECT rows.*, status FROM rows JOIN progress"
        " USING (row) WHERE status <> 'invalid'"
    )
    mark_invalid(sql, [*_rounded(sql, Field.RECORD_ID, titles[Field.RECORD_ID]),
                  *_rounded(sql, Field.LOCK_ID, titles[Field.LOCK_ID])])  # fmt: skip
    sql.execute(
        "CREATE TEMP TABLE asked_twice AS SELECT module, record_id,"
        " min(reason) <> max(reason) AS reasons,"
        " ifnull(min(lock_id) <> max(lock_id), 0) AS locks"
        " FROM valid GROUP BY module, record_id HAVING count(*) > 1"
    )
    mark_invalid(sql, [*_contradictions(sql, titles), *_shared_locks(sql, titles)])
    sql.execute(
        "UPDATE progress SET status = 'duplicate', message = '', same_as = first"
        " FROM (SELECT row, min(row) OVER (PARTITION BY module, record_id) AS first"
        "       FROM valid JOIN asked_twice USING (module, record_id)) AS found"
        " WHERE progress.row = found.row AND first < found.row AND status = 'pending'"
    )
    sql.execute("DROP TABLE asked_twice")
    sql.execute("DROP VIEW valid")


def mark_invalid(sql: sqlite3.Connection, problems: Iterable[Problem]) -> None:
    """Write problems down, and their rows as invalid."""
    problems = list(problems)
    sql.executemany(
        "INSERT INTO problems VALUES (?, ?, ?, ?)",
        [(one.row, _storable(one.column), one.code, _storable(one.message)) for one in problems],
    )
    sql.executemany(
        "UPDATE progress SET status = 'invalid', message = '' WHERE row = ?",
        [(one.row,) for one in problems],
    )


def _storable(text: str) -> str:
    """Return text that SQLite takes, which a lone surrogate is not."""
    return text.encode("utf-8", "backslashreplace").decode()


def _rounded(sql: sqlite3.Connection, column: Field, title: str) -> Iterator[Problem]:
    """Find text ids that a spreadsheet has rounded to 15 digits.

    One id in ten thousand of 19 digits ends in four zeros by itself, so they are only refused
    when there are more of them in the column than chance gives.
    """
    rounded = f"length({column}) > 15 AND length(rtrim({column}, '0')) <= 15"
    (found,) = sql.execute(
        f"SELECT count(DISTINCT {column}) FROM valid WHERE status = 'pending' AND {rounded}"
    ).fetchone()
    if not found:
        return
    lengths = sql.execute(
        f"SELECT length({column}), count(DISTINCT {column}) FROM valid"
        f" WHERE status = 'pending' AND length({column}) > 15 GROUP BY 1"
    )
    expected = sum(ids * 10.0 ** (15 - length) for length, ids in lengths)
    if _chance_of(found, expected) >= _ROUNDED:
        return
    for row, value in sql.execute(
        f"SELECT row, {column} FROM valid WHERE status = 'pending' AND {rounded}"
    ):
        yield Problem(
            row,
            title,
            "rounded_id",
            f'"{value}" looks rounded: a spreadsheet kept 15 digits and made the rest zeros, so it '
            "may name another record. Format the column as text and paste the ids again from Zoho.",
        )


def _chance_of(found: int, expected: float) -> float:
    """Return how likely `found` or more of something are, of which `expected` are usual."""
    fewer = math.fsum(
        math.exp(count * math.log(expected) - expected - math.lgamma(count + 1))
        for count in range(found)
    )
    return max(0.0, 1.0 - fewer)


def _contradictions(sql: sqlite3.Connection, titles: Mapping[Field, str]) -> Iterator[Problem]:
    """Find rows that ask for different things of one record."""
    groups = sql.execute(
        "SELECT reasons, group_concat(row) FROM"
        " (SELECT * FROM valid JOIN asked_twice USING (module, record_id)"
        "  WHERE reasons OR locks ORDER BY row)"
        " GROUP BY module, record_id ORDER BY min(row)"
    )
    for reasons, rows in groups:
        different, column = ("reasons", Field.REASON) if reasons else ("lock ids", Field.LOCK_ID)
        yield from _conflict(
            rows, titles[column], f"ask for different {different} on the same record"
        )


def _shared_locks(sql: sqlite3.Connection, titles: Mapping[Field, str]) -> Iterator[Problem]:
    """Find rows that name one lock on different records."""
    groups = sql.execute(
        "SELECT group_concat(row) FROM (SELECT * FROM valid WHERE lock_id IN"
        " (SELECT lock_id FROM valid GROUP BY lock_id"
        "  HAVING count(DISTINCT module || ' ' || record_id) > 1) ORDER BY row)"
        " GROUP BY lock_id ORDER BY min(row)"
    )
    for (rows,) in groups:
        yield from _conflict(rows, titles[Field.LOCK_ID], "name the same lock on different records")


def _conflict(rows: str, column: str, what: str) -> Iterator[Problem]:
    numbers = sorted(int(row) for row in rows.split(","))
    first, more = numbers[:_NAMED], len(numbers) - _NAMED
    named = f"{', '.join(map(str, first[:-1]))} and {first[-1]}"
    if more > 0:
        named = f"{', '.join(map(str, first))} and {more:,} more"
    for row in numbers:
        yield Problem(row, column, "conflict", f"Rows {named} {what}. Keep the one that is right.")
