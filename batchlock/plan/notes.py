"""Collect what is legal but doubtful while the rows of a table are planned."""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from batchlock.core.encodings import usual_name
from batchlock.core.reading import EncodingSource, Note, row_ranges
from batchlock.core.rows import Action, Cell, Field
from batchlock.plan.actions import default_action
from batchlock.plan.ids import read_id

if TYPE_CHECKING:
    import pandas as pd

    from batchlock.plan.read import Table
    from batchlock.plan.validate import CheckedRows

# All ids of an org begin with the same digits, of which at least this many. A telephone number or
# an order number that does so is rare.
_SHARED_DIGITS = 4
HIDDEN_ROWS = "hidden_rows"
"""The code of the note about rows that the spreadsheet does not show."""

# Where the page has the choices about a file.
_BELOW = 'under "Read the file differently" below'
# How the titles of lookups end in exports, in backups and in the API: those are ids of records too.
_LOOKUP_ENDINGS = (".id", "name", "owner", "by")


class NoteCollector:
    """Collects the notes of one table, with four bytes for each row that a note is about."""

    def __init__(self, table: "Table") -> None:
        self._table = table
        self._hidden_rows = _BitSet(table.hidden_rows())
        self._hidden = array("I")
        self._locks_like_records = array("I")
        self._lock_ids_not_used = array("I")
        self._other_actions = array("I")
        self._unused_lock_ids: Note | None = None
        self._is_first_chunk = True

    def add(self, chunk: "pd.DataFrame", checked: "CheckedRows") -> None:
        """Take note of the rows of a chunk."""
        uses_lock_ids = any(update.action is not Action.LOCK for update in checked.updates)
        if self._is_first_chunk and uses_lock_ids and Field.LOCK_ID not in self._table.fields:
            self._unused_lock_ids = _unused_lock_ids(chunk, self._table.titles, self._table.fields)
        self._is_first_chunk = False
        self._locks_like_records.extend(checked.locks_like_records)
        self._lock_ids_not_used.extend(checked.unused_lock_ids)
        self._other_actions.extend(checked.other_actions)
        if self._hidden_rows:
            self._hidden.extend(row for row in chunk.index.tolist() if row in self._hidden_rows)

    def notes(self) -> Iterator[Note]:
        """Yield the notes about all rows so far."""
        if self._table.reading.encoding_source is EncodingSource.GUESS:
            name = usual_name(self._table.encoding or "")
            yield Note(
                code="guessed_encoding",
                message=f"That the text is in {name} is a guess from its letters. If the letters "
                f"of the samples are right, --encoding {name.lower()} says so and ends this note; "
                "if one is wrong, name the right encoding with --encoding.",
                page_message=f"That the text is in {name} is a guess from its letters. If a letter "
                f"of the samples is wrong, choose the right encoding {_BELOW}.",
            )
        if self._hidden:
            yield _note(
                HIDDEN_ROWS,
                self._hidden,
                "hidden by a filter or by hand, and sent like all others. If only the rows that "
                "you see are meant, use --visible-only, or copy those rows into a new file.",
                page_description="hidden by a filter or by hand, and sent like all others. If only "
                f'the rows that you see are meant, choose "Leave out hidden rows" {_BELOW}.',
            )
        if self._unused_lock_ids is not None:
            yield self._unused_lock_ids
        if self._locks_like_records:
            title = self._table.titles[self._table.fields[Field.LOCK_ID]]
            yield _note(
                "lock_id_is_record_id",
                self._locks_like_records,
                f'filled with the record id in the column "{title}" too. A lock has an id of its '
                "own: paste the lock ids, or empty the cells, so that Zoho is asked for them.",
            )
        if rows := self._lock_ids_not_used:
            title = self._table.titles[self._table.fields[Field.LOCK_ID]]
            subject = f"{len(rows):,} row{'' if len(rows) == 1 else 's'}"
            yield Note.of_rows(
                "lock_ids_not_used",
                f'The column "{title}" has lock ids in {subject} of locks. They are not used: Zoho '
                "gives each new lock an id of its own.",
                rows,
            )
        if self._other_actions:
            action = default_action(self._table.constants)
            yield _note(
                "results_of_other_action",
                self._other_actions,
                "done by a command with another action, as the results in this file say, and "
                f"would go out as {action}s now.",
            )


class _BitSet:
    """A set of row numbers, in one byte for each row of the sheet."""

    def __init__(self, numbers: Iterable[int]) -> None:
        ascending = array("I", numbers)
        self._flags = bytearray(ascending[-1] + 1 if ascending else 0)
        for number in ascending:
            self._flags[number] = 1

    def __bool__(self) -> bool:
        return bool(self._flags)

    def __contains__(self, number: int) -> bool:
        return number < len(self._flags) and self._flags[number] == 1


def _note(code: str, rows: Sequence[int], description: str, *, page_description: str = "") -> Note:
    ranges = row_ranges(rows)
    subject = f"Row {ranges} is" if len(rows) == 1 else f"Rows {ranges} are"
    page_message = f"{subject} {page_description}" if page_description else ""
    return Note.of_rows(code, f"{subject} {description}", rows, page_message=page_message)


def _unused_lock_ids(
    chunk: "pd.DataFrame", titles: Sequence[str], fields: Mapping[Field, int]
) -> Note | None:
    """Return a note when columns that serve no field look like the ids of locks.

    They do when each cell is another id of the same org and none is the id of the row's record.
    """
    if Field.RECORD_ID not in fields:
        return None
    records = [_digits(cell) for cell in chunk[fields[Field.RECORD_ID]].tolist()]
    names = [
        titles[position]
        for position in range(len(titles))
        if position not in fields.values()
        and titles[position].strip()
        and not titles[position].strip().casefold().endswith(_LOOKUP_ENDINGS)
        and _look_like_lock_ids(chunk[position].tolist(), records)
    ]
    if not names:
        return None
    listed = ", ".join(f'"{" ".join(name.split())}"' for name in names)
    subject = f"The column {listed} looks" if len(names) == 1 else f"The columns {listed} look"
    name = " ".join(names[0].split())
    return Note(
        code="unused_lock_ids",
        message=f"{subject} like lock ids, but no title says so: Zoho is asked for the lock of "
        "each row, at one more call for each. If these are the lock ids, add "
        f'--column lock_id="{name}".',
        page_message=f"{subject} like lock ids, but no title says so: Zoho is asked for the lock "
        f'of each row, at one more call for each. If these are the lock ids, choose "{name}" as '
        f"the lock id {_BELOW}.",
    )


def _look_like_lock_ids(cells: Sequence[Cell], records: Sequence[str | None]) -> bool:
    ids = []
    for cell, record in zip(cells, records, strict=True):
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            continue
        # Exports hold no locks, and their lookups begin so.
        digits = None if str(cell).strip().casefold().startswith("zcrm_") else _digits(cell)
        if digits is None or record is None or len(digits) != len(record) or digits == record:
            return False
        if digits[:_SHARED_DIGITS] != record[:_SHARED_DIGITS]:
            return False
        ids.append(digits)
    return bool(ids) and len(set(ids)) == len(ids)


def _digits(cell: Cell) -> str | None:
    digits = read_id(cell)
    return digits if isinstance(digits, str) else None
