"""The uploads, and how each is read."""

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from batchlock.core.encodings import TextReading
from batchlock.store.page.queue import ACTIVE


class UploadState(StrEnum):
    """How far the check of an upload is."""

    READING = "reading"
    CHECKED = "checked"
    REFUSED = "refused"


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
    sheets: tuple[str, ...]
    """Sheets to choose from, where a choice of the sheet can help against the refusal."""
    readings: tuple[TextReading, ...]
    """How a text reads in each encoding that it may be in, the likeliest first."""
    sheet: str | None
    encoding: str | None
    """The encoding that a person chose, for this file or for one with the same titles."""
    explicit_columns: Mapping[str, str]
    """The titles that a person chose, by field."""
    constants: Mapping[str, str]
    """The one value of all rows that a person chose, by field."""
    visible_only: bool
    """Whether a person chose to leave out the rows that the spreadsheet does not show."""
    are_remembered: bool
    """Whether explicit columns or encoding come from an earlier file with the same titles."""


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


class UploadTable:
    """The table `files`, and where the files are."""

    def __init__(self, sql: sqlite3.Connection, folder: Path) -> None:
        """Use `folder` as the parent of each upload's own folder."""
        self._sql = sql
        self.parent_folder = folder

    def folder(self, upload_id: str) -> Path:
        """Return the folder of an upload."""
        return self.parent_folder / upload_id

    def add(self, upload_id: str, org: str, name: str, user: str) -> None:
        """Add an upload that is about to be read."""
        self._sql.execute(
            "INSERT INTO files (id, org, name, who, at, state) VALUES (?, ?, ?, ?, ?, ?)",
            (upload_id, org, name, user, time.time(), UploadState.READING.value),
        )

    def set_reading(self, upload_id: str, choices: ReadChoices, *, remembered: bool) -> None:
        """Record that an upload is being read with what a person chose."""
        self._sql.execute(
            "UPDATE files SET state = ?, refusal = '', readings = '[]', chosen = ?,"
            " constants = ?, sheet = ?, encoding = ?, visible_only = ?, remembered = ?"
            " WHERE id = ?",
            (
                UploadState.READING.value,
                _json(choices.columns),
                _json(choices.constants),
                choices.sheet,
                choices.encoding,
                choices.visible_only,
                remembered,
                upload_id,
            ),
        )

    def set_checked(self, upload_id: str) -> None:
        """Record that an upload was read as a table."""
        self._sql.execute(
            "UPDATE files SET state = ? WHERE id = ?", (UploadState.CHECKED.value, upload_id)
        )

    def set_refused(
        self,
        upload_id: str,
        refusal: str,
        *,
        columns: Sequence[str] | None = None,
        sheets: Sequence[str] | None = None,
        readings: Sequence[TextReading] = (),
    ) -> None:
        """Record why an upload cannot be read, and the titles or sheets to choose from.

        None keeps the titles or sheets of an earlier refusal.
        """
        self._sql.execute(
            "UPDATE files SET state = ?, refusal = ?, columns = ifnull(?, columns),"
            " sheets = ifnull(?, sheets), readings = ? WHERE id = ?",
            (
                UploadState.REFUSED.value,
                refusal,
                None if columns is None else _json(columns),
                None if sheets is None else _json(sheets),
                json.dumps([asdict(reading) for reading in readings]),
                upload_id,
            ),
        )

    def get(self, org: str, upload_id: str) -> Upload | None:
        """Return an upload; None if there is none with this id."""
        uploads = self._select("id = ? AND org = ?", (upload_id, org))
        return uploads[0] if uploads else None

    def without_run(self, org: str, *, limit: int) -> list[Upload]:
        """Return the newest uploads that have no run, newest first."""
        return self._select(
            "org = ? AND id NOT IN (SELECT file FROM runs WHERE file IS NOT NULL)"
            " ORDER BY at DESC LIMIT ?",
            (org, limit),
        )

    def unread(self, org: str) -> list[Upload]:
        """Return the uploads that were being read when the last server ended."""
        return self._select("org = ? AND state = ?", (org, UploadState.READING.value))

    def has_run(self, upload_id: str) -> bool:
        """Return whether a run was made from an upload."""
        row = self._sql.execute("SELECT 1 FROM runs WHERE file = ?", (upload_id,)).fetchone()
        return row is not None

    def ids(self) -> set[str]:
        """Return the ids of all uploads of all orgs."""
        return {upload_id for (upload_id,) in self._sql.execute("SELECT id FROM files")}

    def older_than(self, org: str, before: float) -> list[Upload]:
        """Return the uploads from before a moment, except those whose run is still active."""
        marks = ", ".join("?" * len(ACTIVE))
        return self._select(
            "org = ? AND at < ? AND id NOT IN"
            f" (SELECT file FROM runs WHERE file IS NOT NULL AND state IN ({marks}))",
            (org, before, *ACTIVE),
        )

    def remove(self, upload_id: str) -> None:
        """Remove an upload from the table; the caller removes its folder."""
        self._sql.execute("DELETE FROM files WHERE id = ?", (upload_id,))

    def _select(self, condition: str, values: Sequence[object]) -> list[Upload]:
        rows = self._sql.execute(
            "SELECT id, org, name, who, at, state, refusal, columns, sheets, sheet, chosen,"
            " remembered, encoding, readings, constants, visible_only"
            f" FROM files WHERE {condition}",
            tuple(values),
        )
        return [
            Upload(
                id=upload_id, org=org, name=name, user=user, uploaded_at=uploaded_at,
                state=UploadState(state), refusal=refusal, columns=tuple(json.loads(columns)),
                sheets=tuple(json.loads(sheets)), sheet=sheet,
                explicit_columns=json.loads(explicit), are_remembered=bool(are_remembered),
                encoding=encoding, readings=_readings(readings), constants=json.loads(constants),
                visible_only=bool(visible_only),
            )
            for upload_id, org, name, user, uploaded_at, state, refusal, columns, sheets, sheet,
                explicit, are_remembered, encoding, readings, constants, visible_only in rows
        ]  # fmt: skip


def _readings(text: str) -> tuple[TextReading, ...]:
    return tuple(
        TextReading(encoding=one["encoding"], label=one["label"], samples=tuple(one["samples"]))
        for one in json.loads(text)
    )


def _json(value: Mapping[str, str] | Sequence[str]) -> str:
    # ASCII, because a title from a damaged file may hold surrogates, which SQLite refuses.
    plain = dict(value) if isinstance(value, Mapping) else list(value)
    return json.dumps(plain, ensure_ascii=True)
