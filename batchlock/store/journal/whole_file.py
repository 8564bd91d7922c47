"""Find what only the whole file shows: rounded ids, conflicts and duplicates.

SQL does it in the journal, so that the plan never holds all rows in memory.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from batchlock.core import messages
from batchlock.core.reading import Note, row_ranges
from batchlock.core.rows import Field, Problem
from batchlock.store.journal.planning import mark_invalid
from batchlock.store.journal.sql import Sql

_ID_FIELDS = (Field.RECORD_ID, Field.LOCK_ID)
# Spreadsheets keep 15 digits of a number.
_EXACT_DIGITS = 15
# Ids that end in zeros are refused when chance alone gives so many of them with less than this
# probability. A single id of 19 digits ends in four zeros with 0.0001, which is below it; one
# among a hundred ids does with 0.01, which is above.
_CHANCE_LIMIT = 0.001
# Below this probability they are worth a look: one among a thousand ids of 19 digits. Without a
# bound, every large file would have a note about ids that end in zeros by chance.
_NOTE_LIMIT = 0.1


class _Rounded(NamedTuple):
    """The ids of a column that end in zeros as a spreadsheet leaves them, and their rows."""

    ids: Sequence[tuple[int, str]]
    is_certain: bool


def check_whole_file(sql: Sql, titles: Mapping[Field, str]) -> Sequence[Note]:
    """Mark rounded ids and conflicts as invalid, and repeated rows as duplicates.

    `titles` are the titles of the columns in the file, for the problems. The caller holds the
    transaction. Returns notes about ids that may be rounded. The order matters: a rounded id may
    be that of another record, so its row takes no part in the later comparisons, and a row in a
    conflict is no duplicate.
    """
    sql.execute(
        "CREATE TEMP VIEW valid AS SELECT rows.*, status FROM rows JOIN progress"
        " USING (row) WHERE status <> 'invalid'"
    )
    rounded = [(titles[field], _rounded_ids(sql, field)) for field in _ID_FIELDS]
    mark_invalid(
        sql,
        [
            Problem(row, title, "rounded_id", messages.rounded_id(id_))
            for title, one in rounded
            if one.is_certain
            for row, id_ in one.ids
        ],
    )
    # min() and max() ignore NULL, so a blank lock id fits every lock id of the same record.
    sql.execute(
        "CREATE TEMP TABLE repeated AS SELECT module, record_id,"
        " min(action) <> max(action) AS actions_differ,"
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
    return [
        Note.of_rows(
            "maybe_rounded_id",
            messages.maybe_rounded_id(title, one.ids[0][1], row_ranges(rows)),
            rows,
        )
        for title, one in rounded
        if one.ids and not one.is_certain
        for rows in [[row for row, _ in one.ids]]
    ]


def _rounded_ids(sql: Sql, column: Field) -> _Rounded:
    """Return the text ids that a spreadsheet seems to have rounded to 15 digits.

    One correct id in ten thousand of 19 digits ends in four zeros. So such ids are refused only
    when the column has more of them than chance gives, and left out when chance may give them.
    """
    is_rounded = (
        f"length({column}) > {_EXACT_DIGITS} AND length(rtrim({column}, '0')) <= {_EXACT_DIGITS}"
    )
    # Equal ids count once: a rounded id may stand in many rows.
    (rounded,) = sql.execute(
        f"SELECT count(DISTINCT {column}) FROM valid WHERE status = 'pending' AND {is_rounded}"
    ).fetchone()
    if not rounded:
        return _Rounded((), is_certain=False)
    lengths = sql.execute(
        f"SELECT length({column}), count(DISTINCT {column}) FROM valid"
        f" WHERE status = 'pending' AND length({column}) > {_EXACT_DIGITS} GROUP BY 1"
    )
    expected = sum(ids * 10.0 ** (_EXACT_DIGITS - length) for length, ids in lengths)
    chance = _chance_of_at_least(rounded, expected)
    if chance >= _NOTE_LIMIT:
        return _Rounded((), is_certain=False)
    ids = sql.execute(
        f"SELECT row, {column} FROM valid WHERE status = 'pending' AND {is_rounded} ORDER BY row"
    ).fetchall()
    return _Rounded(ids, is_certain=chance < _CHANCE_LIMIT)


def _chance_of_at_least(count: int, expected: float) -> float:
    """Return the Poisson probability of `count` or more events when `expected` are usual."""
    # Logarithms, because factorials of thousands overflow a float.
    fewer = math.fsum(
        math.exp(number * math.log(expected) - expected - math.lgamma(number + 1))
        for number in range(count)
    )
    return max(0.0, 1.0 - fewer)


def _contradictions(sql: Sql, titles: Mapping[Field, str]) -> Iterator[Problem]:
    """Yield a problem for each row that contradicts another row about the same record."""
    groups = sql.execute(
        "SELECT actions_differ, reasons_differ, group_concat(row) FROM"
        " (SELECT * FROM valid JOIN repeated USING (module, record_id)"
        "  WHERE actions_differ OR reasons_differ OR lock_ids_differ ORDER BY row)"
        " GROUP BY module, record_id ORDER BY min(row)"
    )
    for actions_differ, reasons_differ, rows in groups:
        if actions_differ:
            yield from _conflict(rows, titles[Field.ACTION], messages.DIFFERENT_ACTIONS)
        elif reasons_differ:
            yield from _conflict(rows, titles[Field.REASON], messages.DIFFERENT_REASONS)
        else:
            yield from _conflict(rows, titles[Field.LOCK_ID], messages.DIFFERENT_LOCK_IDS)


def _shared_locks(sql: Sql, titles: Mapping[Field, str]) -> Iterator[Problem]:
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
