"""Find what only the whole file shows: rounded ids, conflicts and duplicates.

SQL does it in the journal, so that the plan never holds all rows in memory.
"""

import math
import sqlite3
from collections.abc import Iterator, Mapping

from batchlock.core import messages
from batchlock.core.rows import Field, Problem
from batchlock.store.journal.planning import mark_invalid

# Spreadsheets keep 15 digits of a number.
_EXACT_DIGITS = 15
# Ids that end in zeros are refused when chance alone gives so many of them with less than this
# probability. A single id of 19 digits ends in four zeros with 0.0001, which is below it; one
# among a hundred ids does with 0.01, which is above.
_CHANCE_LIMIT = 0.001


def check_whole_file(sql: sqlite3.Connection, titles: Mapping[Field, str]) -> None:
    """Mark rounded ids and conflicts as invalid, and repeated rows as duplicates.

    `titles` are the titles of the columns in the file, for the problems. The caller holds the
    transaction. The order matters: a rounded id may be that of another record, so its row takes
    no part in the later comparisons, and a row in a conflict is no duplicate.
    """
    sql.execute(
        "CREATE TEMP VIEW valid AS SELECT rows.*, status FROM rows JOIN progress"
        " USING (row) WHERE status <> 'invalid'"
    )
    mark_invalid(sql, [*_rounded_ids(sql, Field.RECORD_ID, titles[Field.RECORD_ID]),
                       *_rounded_ids(sql, Field.LOCK_ID, titles[Field.LOCK_ID])])  # fmt: skip
    # min() and max() ignore NULL, so a blank lock id fits every lock id of the same record.
    sql.execute(
        "CREATE TEMP TABLE repeated AS SELECT module, record_id,"
        " min(reason) <> max(reason) AS reasons_differ,"
        " ifnull(min(lock_id) <> max(lock_id), 0) AS lock_ids_differ"
        " FROM valid GROUP BY module, record_id HAVING count(*) > 1"
    )
    mark_invalid(sql, [*_contradictions(sql, titles), *_shared_locks(sql, titles)])
    # A row that an earlier run has done stays `unchanged`, so only pending rows are duplicates.
    sql.execute(
        "UPDATE progress SET status = 'duplicate', message = '', same_as = first"
        " FROM (SELECT row, min(row) OVER (PARTITION BY module, record_id) AS first"
        "       FROM valid JOIN repeated USING (module, record_id)) AS firsts"
        " WHERE progress.row = firsts.row AND first < firsts.row AND status = 'pending'"
    )
    sql.execute("DROP TABLE repeated")
    sql.execute("DROP VIEW valid")


def _rounded_ids(sql: sqlite3.Connection, column: Field, title: str) -> Iterator[Problem]:
    """Yield a problem for each row whose text id a spreadsheet has rounded to 15 digits.

    One correct id in ten thousand of 19 digits ends in four zeros. So such ids are refused only
    when the column has more of them than chance gives.
    """
    is_rounded = (
        f"length({column}) > {_EXACT_DIGITS} AND length(rtrim({column}, '0')) <= {_EXACT_DIGITS}"
    )
    # Equal ids count once: a rounded id may stand in many rows.
    (rounded,) = sql.execute(
        f"SELECT count(DISTINCT {column}) FROM valid WHERE status = 'pending' AND {is_rounded}"
    ).fetchone()
    if not rounded:
        return
    lengths = sql.execute(
        f"SELECT length({column}), count(DISTINCT {column}) FROM valid"
        f" WHERE status = 'pending' AND length({column}) > {_EXACT_DIGITS} GROUP BY 1"
    )
    expected = sum(ids * 10.0 ** (_EXACT_DIGITS - length) for length, ids in lengths)
    if _chance_of_at_least(rounded, expected) >= _CHANCE_LIMIT:
        return
    for row, value in sql.execute(
        f"SELECT row, {column} FROM valid WHERE status = 'pending' AND {is_rounded}"
    ):
        yield Problem(row, title, "rounded_id", messages.rounded_id(value))


def _chance_of_at_least(count: int, expected: float) -> float:
    """Return the Poisson probability of `count` or more events when `expected` are usual."""
    # Logarithms, because factorials of thousands overflow a float.
    fewer = math.fsum(
        math.exp(number * math.log(expected) - expected - math.lgamma(number + 1))
        for number in range(count)
    )
    return max(0.0, 1.0 - fewer)


def _contradictions(sql: sqlite3.Connection, titles: Mapping[Field, str]) -> Iterator[Problem]:
    """Yield a problem for each row that contradicts another row about the same record."""
    groups = sql.execute(
        "SELECT reasons_differ, group_concat(row) FROM"
        " (SELECT * FROM valid JOIN repeated USING (module, record_id)"
        "  WHERE reasons_differ OR lock_ids_differ ORDER BY row)"
        " GROUP BY module, record_id ORDER BY min(row)"
    )
    for reasons_differ, rows in groups:
        if reasons_differ:
            yield from _conflict(rows, titles[Field.REASON], messages.DIFFERENT_REASONS)
        else:
            yield from _conflict(rows, titles[Field.LOCK_ID], messages.DIFFERENT_LOCK_IDS)


def _shared_locks(sql: sqlite3.Connection, titles: Mapping[Field, str]) -> Iterator[Problem]:
    """Yield a problem for each row that names a lock which another record has in the file."""
    # The space keeps module Plan1 with record 2… apart from module Plan with record 12….
    groups = sql.execute(
        "SELECT group_concat(row) FROM (SELECT * FROM valid WHERE lock_id IN"
        " (SELECT lock_id FROM valid GROUP BY lock_id"
        "  HAVING count(DISTINCT module || ' ' || record_id) > 1) ORDER BY row)"
        " GROUP BY lock_id ORDER BY min(row)"
    )
    for (rows,) in groups:
        yield from _conflict(rows, titles[Field.LOCK_ID], messages.SHARED_LOCK)


def _conflict(rows: str, title: str, contradiction: str) -> Iterator[Problem]:
    """Yield a problem for each of the rows, whose numbers are separated by commas."""
    numbers = sorted(int(row) for row in rows.split(","))  # group_concat promises no order
    message = messages.conflict(numbers, contradiction)
    for row in numbers:
        yield Problem(row, title, "conflict", message)
