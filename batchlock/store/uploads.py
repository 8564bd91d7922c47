"""The uploads, and how each is read."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from batchlock.core.encodings import TextReading
from batchlock.core.runs import ACTIVE, CLOSED
from batchlock.store import approvals
from batchlock.store.database import reading, writing
from batchlock.store.schema import corrections
from batchlock.store.schema import runs as run_table
from batchlock.store.schema import uploads as table

_ACTIVE = [state.value for state in ACTIVE]


class UploadState(StrEnum):
    """How far the check of an upload is."""

    READING = "reading"
    CHECKED = "checked"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadChoices:
    """What a person chose about the reading of a file."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """The titles of the columns, by field."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """The one value of all rows, by field."""
    sheet: str | None = None
    encoding: str | None = None
    visible_only: bool = False
    """Whether the rows are left out that the spreadsheet does not show."""
    header_row: int | None = None
    """The row of the titles, from 1; None: it is searched for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An uploaded file."""

    id: str
    org: str
    name: str
    """The safe file name that people see."""
    user: str
    uploaded_at: float
    """Seconds since 1970."""
    state: UploadState
    refusal: str
    """Why it cannot be read as a table; empty when it can."""
    columns: tuple[str, ...]
    """Titles to choose from, where another choice of columns can help against the refusal."""
    samples: tuple[tuple[str, ...], ...]
    """Some values of each of the columns, in their order; empty when they are not known."""
    sheets: tuple[str, ...]
    """Sheets to choose from, where a choice of the sheet can help against the refusal."""
    readings: tuple[TextReading, ...]
    """How a text reads in each encoding that it may be in, the likeliest first."""
    choices: ReadChoices
    """What a person chose, for this file or for one with the same titles."""
    are_remembered: bool
    """Whether columns or encoding were chosen for an earlier file with the same titles."""

    @property
    def is_unreadable(self) -> bool:
        """Whether it cannot be read as a table, and no choice of a person can help."""
        is_refused = self.state is UploadState.REFUSED
        return is_refused and not (self.columns or self.sheets or self.readings)

    @property
    def sheet(self) -> str | None:
        """The chosen sheet."""
        return self.choices.sheet

    @property
    def encoding(self) -> str | None:
        """The chosen encoding."""
        return self.choices.encoding

    @property
    def visible_only(self) -> bool:
        """Whether the rows are left out that the spreadsheet does not show."""
        return self.choices.visible_only

    @property
    def explicit_columns(self) -> Mapping[str, str]:
        """The titles of the chosen columns, by field."""
        return self.choices.columns

    @property
    def constants(self) -> Mapping[str, str]:
        """The chosen values of all rows, by field."""
        return self.choices.constants


class UploadTable:
    """The table `uploads`, and where the files are."""

    def __init__(self, engine: sa.Engine, folder: Path) -> None:
        """Use `folder` as the parent of each upload's own folder."""
        self._engine = engine
        self.parent_folder = folder

    def folder(self, upload_id: str) -> Path:
        """Return the folder of an upload."""
        return self.parent_folder / upload_id

    def add(self, upload_id: str, org: str, name: str, user: str) -> None:
        """Add an upload that is about to be read."""
        upload = Upload(
            id=upload_id,
            org=org,
            name=name,
            user=user,
            uploaded_at=time.time(),
            state=UploadState.READING,
            refusal="",
            columns=(),
            samples=(),
            sheets=(),
            readings=(),
            choices=ReadChoices(),
            are_remembered=False,
        )
        with writing(self._engine) as connection:
            connection.execute(table.insert().values(to_columns(upload)))

    def set_reading(self, upload_id: str, choices: ReadChoices, *, remembered: bool) -> None:
        """Record that an upload is being read with what a person chose."""
        self._update(
            upload_id,
            state=UploadState.READING.value,
            refusal="",
            readings=[],
            choices=asdict(choices),
            remembered=remembered,
        )

    def set_checked(self, upload_id: str) -> None:
        """Record that an upload was read as a table."""
        self._update(upload_id, state=UploadState.CHECKED.value)

    def set_refused(
        self,
        upload_id: str,
        refusal: str,
        *,
        columns: Sequence[str] | None = None,
        samples: Sequence[Sequence[str]] = (),
        sheets: Sequence[str] | None = None,
        readings: Sequence[TextReading] = (),
    ) -> None:
        """Record why an upload cannot be read, and the titles or sheets to choose from.

        `samples` are some values of each title. None keeps the titles or sheets of an earlier
        refusal.
        """
        values: dict[str, Any] = {"state": UploadState.REFUSED.value, "refusal": refusal}
        values["readings"] = [asdict(reading) for reading in readings]
        if columns is not None:
            values["columns"] = list(columns)
            values["samples"] = [list(one) for one in samples]
        if sheets is not None:
            values["sheets"] = list(sheets)
        self._update(upload_id, **values)

    def get(self, org: str, upload_id: str) -> Upload | None:
        """Return an upload; None if there is none with this id."""
        return next(iter(self._select(table.c.id == upload_id, table.c.org == org)), None)

    def without_run(self, org: str, *, limit: int) -> list[Upload]:
        """Return the newest uploads that have no run, newest first."""
        return self._select(table.c.org == org, ~_run_exists(), limit=limit)

    def unread(self, org: str) -> list[Upload]:
        """Return the uploads that were being read when the last server ended."""
        return self._select(table.c.org == org, table.c.state == UploadState.READING.value)

    def orgs_with_unread(self) -> set[str]:
        """Return the orgs with uploads that were being read when the last server ended."""
        is_unread = table.c.state == UploadState.READING.value
        with reading(self._engine) as connection:
            return set(connection.scalars(sa.select(table.c.org).where(is_unread).distinct()))

    def has_run(self, upload_id: str) -> bool:
        """Return whether a run was made from an upload."""
        query = sa.select(run_table.c.id).where(run_table.c.upload == upload_id).limit(1)
        with reading(self._engine) as connection:
            return connection.scalar(query) is not None

    def open_run(self, upload_id: str) -> str | None:
        """Return the id of a run of an upload that can still be sent; None when there is none."""
        is_open = run_table.c.state.not_in([state.value for state in CLOSED])
        query = sa.select(run_table.c.id).where(run_table.c.upload == upload_id, is_open).limit(1)
        with reading(self._engine) as connection:
            return connection.scalar(query)

    def ids(self) -> set[str]:
        """Return the ids of all uploads of all orgs."""
        with reading(self._engine) as connection:
            return set(connection.scalars(sa.select(table.c.id)))

    def older_than(self, org: str, before: float) -> list[Upload]:
        """Return the uploads from before a moment, except those whose run is still active."""
        is_active = run_table.c.state.in_(_ACTIVE)
        return self._select(
            table.c.org == org, table.c.uploaded_at < before, ~_run_exists(is_active)
        )

    def refused(self, org: str, before: float) -> list[Upload]:
        """Return the uploads from before a moment that were refused and have no run."""
        is_refused = table.c.state == UploadState.REFUSED.value
        return self._select(
            table.c.org == org, is_refused, table.c.uploaded_at < before, ~_run_exists()
        )

    def remove(self, upload_id: str) -> None:
        """Remove an upload with its corrections and the request for approval that waits.

        The caller removes its folder.
        """
        with writing(self._engine) as connection:
            connection.execute(corrections.delete().where(corrections.c.upload == upload_id))
            connection.execute(table.delete().where(table.c.id == upload_id))
            approvals.remove_upload(connection, upload_id)

    def _update(self, upload_id: str, **values: Any) -> None:
        with writing(self._engine) as connection:
            connection.execute(table.update().where(table.c.id == upload_id).values(values))

    def _select(
        self, *conditions: sa.ColumnElement[bool], limit: int | None = None
    ) -> list[Upload]:
        query = table.select().where(*conditions).order_by(table.c.uploaded_at.desc()).limit(limit)
        with reading(self._engine) as connection:
            return [_to_upload(row) for row in connection.execute(query).mappings()]


def _run_exists(*conditions: sa.ColumnElement[bool]) -> sa.Exists:
    """Return the condition that a run of the upload exists that meets some conditions."""
    return sa.exists().where(run_table.c.upload == table.c.id, *conditions)


def to_columns(upload: Upload) -> dict[str, Any]:
    """Return an upload as a row of the table."""
    return {
        "id": upload.id,
        "org": upload.org,
        "name": upload.name,
        "person": upload.user,
        "uploaded_at": upload.uploaded_at,
        "state": upload.state.value,
        "refusal": upload.refusal,
        "columns": list(upload.columns),
        "samples": [list(one) for one in upload.samples],
        "sheets": list(upload.sheets),
        "readings": [asdict(reading) for reading in upload.readings],
        "choices": asdict(upload.choices),
        "remembered": upload.are_remembered,
    }


def _to_upload(row: sa.RowMapping) -> Upload:
    return Upload(
        id=row["id"],
        org=row["org"],
        name=row["name"],
        user=row["person"],
        uploaded_at=row["uploaded_at"],
        state=UploadState(row["state"]),
        refusal=row["refusal"],
        columns=tuple(row["columns"]),
        samples=tuple(map(tuple, row["samples"] or ())),  # None before revision 0006
        sheets=tuple(row["sheets"]),
        readings=tuple(map(to_reading, row["readings"])),
        choices=ReadChoices(**row["choices"]),
        are_remembered=row["remembered"],
    )


def to_reading(values: Mapping[str, Any]) -> TextReading:
    """Return a reading that the table holds."""
    return TextReading(**{**values, "samples": tuple(values["samples"])})
