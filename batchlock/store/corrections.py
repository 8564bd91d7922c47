"""The corrections of cells of uploads, and how two people do not undo each other's."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from batchlock.core.corrections import Correction
from batchlock.core.rows import Field
from batchlock.store.database import reading, writing
from batchlock.store.schema import corrections as table
from batchlock.store.schema import uploads
from batchlock.store.uploads import UploadState


@dataclass(frozen=True, slots=True, kw_only=True)
class CellChange:
    """A new text for a cell, in place of the one that the person has seen there."""

    row: int
    field: Field
    sheet: str | None
    column: str
    """The title of the column."""
    in_file: str
    """The text of the cell in the file."""
    seen: str
    """The text that the person has seen: that of the file, or of an older correction."""
    new: str
    """The text that is to stand there; that of the file takes the correction back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveResult:
    """Whether changes were saved: all of them, or none."""

    outdated: Sequence[CellChange] = ()
    """Changes of cells in which another text stands now; with any, nothing was saved."""
    is_busy: bool = False
    """Whether nothing was saved because the upload is being read."""


class CorrectionTable:
    """The table `corrections`: what stands in place of the cells of uploads.

    `save` is the only way to change it. A corrected upload is read again, so whatever was decided
    about its rows before, such as an approval, is about other rows.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def of_upload(self, upload_id: str) -> list[Correction]:
        """Return the corrections of an upload, in row order."""
        query = table.select().where(table.c.upload == upload_id)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(table.c.row, table.c.field)).mappings()
            return [_to_correction(row) for row in rows]

    def save(self, upload_id: str, changes: Sequence[CellChange], person: str) -> SaveResult:
        """Change cells of an upload for a person, and let it be read again; all in one commit.

        Nothing is changed while the upload is being read, or when one of the cells has another text
        than the person has seen.
        """
        with writing(self._engine) as connection:
            # With a server, a second call waits here for the first one's commit.
            state = sa.select(uploads.c.state).where(uploads.c.id == upload_id).with_for_update()
            is_busy = connection.scalar(state) != UploadState.CHECKED.value
            outdated = tuple(_outdated(connection, upload_id, changes))
            if outdated or is_busy:
                return SaveResult(outdated=outdated, is_busy=is_busy)
            for change in changes:
                connection.execute(table.delete().where(*_is_cell(upload_id, change)))
                if change.new != change.in_file:
                    values = _to_columns(upload_id, change, person)
                    connection.execute(table.insert().values(values))
            reading_again = {"state": UploadState.READING.value}
            connection.execute(
                uploads.update().where(uploads.c.id == upload_id).values(reading_again)
            )
        return SaveResult()


def _outdated(
    connection: sa.Connection, upload_id: str, changes: Sequence[CellChange]
) -> Iterator[CellChange]:
    for change in changes:
        query = sa.select(table.c.new).where(*_is_cell(upload_id, change))
        row = connection.execute(query).one_or_none()
        if (change.in_file if row is None else row.new) != change.seen:
            yield change


def _is_cell(upload_id: str, change: CellChange) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        table.c.upload == upload_id,
        table.c.row == change.row,
        table.c.field == change.field.value,
    )


def _to_columns(upload_id: str, change: CellChange, person: str) -> dict[str, object]:
    return {
        "upload": upload_id,
        "row": change.row,
        "field": change.field.value,
        "sheet": change.sheet,
        "title": change.column,
        "old": change.in_file,
        "new": change.new,
        "person": person,
        "at": time.time(),
    }


def _to_correction(row: sa.RowMapping) -> Correction:
    return Correction(
        row=row["row"],
        field=Field(row["field"]),
        sheet=row["sheet"],
        column=row["title"],
        old=row["old"],
        new=row["new"],
        person=row["person"],
        at=row["at"],
    )
