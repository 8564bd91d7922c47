"""The latest status of each row of a file, over all runs of the file and of its corrections.

    rows of each run ─▶ row of the story ─▶ its state after the run

A row of the story is a row of the first file; or a row of a later file that the first one lacks.
The rows of a run are found again by their numbers, if it has read the same sheet of the same bytes;
else by the numbers under `Source row`, if the file has the results of a run of the story; else by
module and record id.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from batchlock.core.errors import BatchlockError
from batchlock.core.runs import RunInfo
from batchlock.store.journal.journal import Journal
from batchlock.store.journal.progress import SETTLED_WORDS
from batchlock.store.journal.sql import Place, Sql

_log = logging.getLogger(__name__)

UNDONE = "undone"
"""The state of a row whose change was put back."""

# Rows of a numbering begin here times its number, so that rows of two files never meet.
_NUMBERING = 2**32
_COLUMNS = (
    "id BIGINT PRIMARY KEY, module TEXT, record_id TEXT, status TEXT, run INTEGER, update_text TEXT"
)
_TABLES = {
    # `run`: the position of the run that set `status`; `update_text`: what that run was to send.
    "story": _COLUMNS,
    "changed": _COLUMNS,
    "numbers": 'numbering INTEGER, "row" BIGINT, id BIGINT',
    "run_statuses": "id BIGINT, status TEXT, update_text TEXT",
    "spans": "first BIGINT, last BIGINT, shift BIGINT",
    # The rows that a run has not settled.
    "unsettled": "run INTEGER, id BIGINT",
}
_IS_SETTLED = f"IN ({SETTLED_WORDS})"
_STATUS = "coalesce(o.status, p.status)"
# Its first letter makes a settled status greater than all others.
_DONE_LAST = f"CASE WHEN {_STATUS} {_IS_SETTLED} THEN '1' ELSE '0' END || {_STATUS}"
_UPDATE_TEXT = " || '/' || ".join(
    f"coalesce(r.{name}, '')" for name in ("action", "module", "record_id", "reason")
)
# Whether the status in a later run replaces the one before it. A row that a run leaves alone
# because it is done already keeps the status of the run that did it, and so does a row that a later
# run has not sent; but not a row that was corrected since: what it asks for now is not done.
_TAKES_PLACE = (
    "(s.status IS NULL OR r.status IN ('updated', 'locked', 'unlocked', 'rejected', 'failed',"
    f" 'sending') OR (r.status = 'unchanged' AND s.status NOT {_IS_SETTLED})"
    " OR (r.status IN ('pending', 'invalid') AND (s.status IN ('pending', 'invalid')"
    f" OR (s.status {_IS_SETTLED} AND r.update_text <> s.update_text))))"
)
_IS_PUT_BACK = f"(r.status {_IS_SETTLED} OR r.status = 'sending')"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryRun:
    """A run of a story; the runs of a story are in the order of time."""

    info: RunInfo
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestStatuses:
    """How the rows of a story stand now."""

    counts: Mapping[str, int] = field(default_factory=dict)
    """Rows by their status in the journal, or UNDONE. A duplicate counts as the row it repeats."""
    settled_later: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Rows that the first run of a pair has not done, and the second has done, by run id."""
    unreadable: Sequence[str] = ()
    """The ids of runs whose rows cannot be read; what they did is not counted."""


def latest_statuses(journal: Journal, runs: Sequence[StoryRun]) -> LatestStatuses:
    """Return the latest status of each row; `journal` is any of the same store, for its connection.

    A journal that cannot be read is passed over, and logged.
    """
    unreadable = []
    with journal.database.session() as sql:
        for name, columns in _TABLES.items():
            sql.execute(f"CREATE TEMP TABLE {name} ({columns})")
        try:
            sql.execute("CREATE INDEX story_numbers ON numbers (numbering, row)")
            sql.execute("CREATE INDEX story_records ON story (module, record_id)")
            story = _Story(journal, sql, runs)
            for position, run in enumerate(runs):
                try:
                    story.add(position)
                except BatchlockError as error:
                    _log.warning("%s What it did is not counted.", error)
                    unreadable.append(run.info.run_id)
            return LatestStatuses(
                counts=dict(sql.execute("SELECT status, count(*) FROM story GROUP BY 1")),
                settled_later=story.settled_later(),
                unreadable=unreadable,
            )
        finally:
            for name in _TABLES:
                sql.execute(f"DROP TABLE {name}")


class _Story:
    def __init__(self, journal: Journal, sql: Sql, runs: Sequence[StoryRun]) -> None:
        self._journal = journal
        self._sql = sql
        self._runs = runs
        self._numberings: dict[tuple[str, str | None], int] = {}
        # Whether a run does what the file asks, or puts it back.
        self._does: dict[str, bool] = {}
        self._numbering_of: dict[str, int] = {}

    def add(self, position: int) -> None:
        """Add a run to the story, with the status of each of its rows."""
        info = self._runs[position].info
        undone = info.undo_of
        does = undone is None or not self._does.get(undone, True)
        with self._journal.database.reading_from("earlier", self._runs[position].place) as sql:
            number = self._number_rows(sql, info)
            sql.execute("DELETE FROM run_statuses")
            # Two rows of a later file may be about one row: the one that is done counts.
            sql.execute(
                "INSERT INTO run_statuses"
                f" SELECT n.id, substr(max({_DONE_LAST}), 2), max({_UPDATE_TEXT})"
                " FROM earlier.progress AS p LEFT JOIN earlier.progress AS o ON o.row = p.same_as"
                " LEFT JOIN earlier.rows AS r ON r.row = p.row"
                " JOIN numbers AS n ON n.numbering = ? AND n.row = p.row GROUP BY n.id",
                (number,),
            )
        self._does[info.run_id], self._numbering_of[info.run_id] = does, number
        status, condition = "r.status", _TAKES_PLACE
        if not does:
            status = f"CASE WHEN r.status {_IS_SETTLED} THEN '{UNDONE}' ELSE r.status END"
            condition = _IS_PUT_BACK
        # Not UPDATE … FROM, which SQLite has since 3.33 only.
        sql = self._sql
        sql.execute("DELETE FROM changed")
        sql.execute(
            "INSERT INTO changed"
            f" SELECT s.id, s.module, s.record_id, {status}, {position}, r.update_text"
            f" FROM story AS s JOIN run_statuses AS r ON r.id = s.id WHERE {condition}"
        )
        sql.execute("DELETE FROM story WHERE id IN (SELECT id FROM changed)")
        sql.execute("INSERT INTO story SELECT * FROM changed")
        if does:
            sql.execute(
                f"INSERT INTO unsettled SELECT {position}, id FROM run_statuses"
                f" WHERE status NOT {_IS_SETTLED}"
            )

    def settled_later(self) -> dict[tuple[str, str], int]:
        """Return how many of the rows that a run has not settled each later one has."""
        pairs = self._sql.execute(
            "SELECT o.run, s.run, count(*) FROM unsettled AS o JOIN story AS s ON s.id = o.id"
            f" WHERE s.run > o.run AND s.status {_IS_SETTLED} GROUP BY 1, 2 ORDER BY 1, 2"
        ).fetchall()
        ids = [run.info.run_id for run in self._runs]
        return {(ids[first], ids[later]): count for first, later, count in pairs}

    def _number_rows(self, sql: Sql, info: RunInfo) -> int:
        """Find the rows of a run in the story, and add the others; return its numbering."""
        key = info.sha256, info.sheet
        number = self._numberings.get(key)
        if number is None:
            number = self._numberings[key] = len(self._numberings)
            self._number_by_results(sql, info, number)
            sql.execute(
                "INSERT INTO numbers SELECT ?, r.row, s.id FROM earlier.rows AS r JOIN story AS s"
                " ON (s.module, s.record_id) = (r.module, r.record_id)"
                " WHERE r.row NOT IN (SELECT n.row FROM numbers AS n WHERE n.numbering = ?)",
                (number, number),
            )
        is_new = "r.row NOT IN (SELECT n.row FROM numbers AS n WHERE n.numbering = ?)"
        sql.execute(
            "INSERT INTO story (id, module, record_id)"
            f" SELECT ? + r.row, r.module, r.record_id FROM earlier.rows AS r WHERE {is_new}",
            (number * _NUMBERING, number),
        )
        sql.execute(
            f"INSERT INTO numbers SELECT ?, r.row, ? + r.row FROM earlier.rows AS r WHERE {is_new}",
            (number, number * _NUMBERING, number),
        )
        return number

    def _number_by_results(self, sql: Sql, info: RunInfo, number: int) -> None:
        """Find the rows of a results file by what it says under Source row."""
        source = self._numbering_of.get(info.results_of or "")
        spans = _source_spans(sql) if source is not None else ()
        if not spans:
            return
        sql.execute("DELETE FROM spans")
        sql.executemany("INSERT INTO spans VALUES (?, ?, ?)", spans)
        sql.execute(
            "INSERT INTO numbers SELECT ?, r.row, n.id FROM earlier.rows AS r"
            " JOIN spans AS s ON r.row BETWEEN s.first AND s.last"
            " JOIN numbers AS n ON n.numbering = ? AND n.row = r.row + s.shift",
            (number, source),
        )


def _source_spans(sql: Sql) -> Sequence[tuple[int, int, int]]:
    """Return the first and the last row of each span, and the offset to its source rows."""
    reading = sql.execute("SELECT value FROM earlier.run WHERE name = 'reading'").fetchone()
    # Text that is no JSON belongs to a journal that `open` of its run refuses.
    with suppress(ValueError):
        if reading is not None:
            return [tuple(span) for span in json.loads(reading[0]).get("source_rows", ())]
    return ()
