"""The facts of a journal: what the run is, how its file was read, and what it has cost."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from batchlock.core.reading import FileReading
from batchlock.core.records import FindPlan
from batchlock.core.runs import RunInfo, Totals
from batchlock.store.journal.sql import Database, Sql

_T = TypeVar("_T")


class JournalFacts:
    """The table `run` of a journal: one JSON value for each name."""

    database: Database

    def set_info(self, info: RunInfo) -> None:
        """Store what the run is."""
        self._write("about", info.to_json())

    @property
    def info(self) -> RunInfo:
        """What the run is."""
        info = self._read("about", RunInfo.from_json)
        if info is None:
            raise self.database.no_journal()
        return info

    def set_reading(self, reading: FileReading) -> None:
        """Store how the file was read, and its notes."""
        self._write("reading", reading.to_json())

    @property
    def reading(self) -> FileReading:
        """How the file was read; without any fact in a journal of 0.1.0."""
        return self._read("reading", FileReading.from_json) or FileReading()

    def set_finished_before(self, finished_at: datetime) -> None:
        """Store when the same thing was finished before this plan was made."""
        self._write("finished_before", {"at": finished_at.isoformat()})

    @property
    def finished_before(self) -> datetime | None:
        """When the same thing was finished before; None when it was not."""
        return self._read("finished_before", lambda value: datetime.fromisoformat(value["at"]))

    def set_day_credits(self, credits_: int) -> None:
        """Store about how many credits the org has in a day."""
        self._write("day_credits", {"credits": credits_})

    @property
    def day_credits(self) -> int | None:
        """About how many credits the org has in a day; None when that is not known."""
        return self._read("day_credits", lambda value: int(value["credits"]))

    @staticmethod
    def put_compared(sql: Sql) -> None:
        """Store that the earlier runs of the same thing were considered; the caller commits."""
        put(sql, "earlier", {})

    @property
    def is_compared(self) -> bool:
        """Whether the earlier runs of the same thing were considered."""
        return self._read("earlier", lambda _: True) or False

    def set_changes_reasons(self) -> None:
        """Store that a row that locks gives a record that is locked already its reason."""
        self._write("change_reason", {})

    @property
    def changes_reasons(self) -> bool:
        """Whether a row that locks gives a record that is locked already its reason."""
        return self._read("change_reason", lambda _: True) or False

    def set_previous_reason(self, setting: str) -> None:
        """Store the setting `results.previous_reason`, on which the number of calls depends."""
        self._write("previous_reason", {"setting": setting})

    @property
    def previous_reason(self) -> str:
        """The setting `results.previous_reason` when the run was planned."""
        return self._read("previous_reason", lambda value: str(value["setting"])) or "auto"

    @property
    def totals(self) -> Totals:
        """The cost of the run so far."""
        return self._read("totals", lambda values: Totals(**values)) or Totals()

    @property
    def find_plan(self) -> FindPlan:
        """What the run searches, and how far it has come; empty for any other run."""
        return self._read("find", FindPlan.from_json) or FindPlan()

    def _read(self, name: str, parse: Callable[[dict[str, Any]], _T]) -> _T | None:
        with self.database.reading() as sql:
            value = sql.execute("SELECT value FROM run WHERE name = ?", (name,)).fetchone()
        if value is None:
            return None
        try:
            return parse(json.loads(value[0]))
        except (KeyError, TypeError):
            raise self.database.wrong_version() from None

    def _write(self, name: str, value: Mapping[str, object]) -> None:
        with self.database.transaction() as sql:
            put(sql, name, value)


def put(sql: Sql, name: str, value: Mapping[str, object]) -> None:
    """Store a fact; the caller holds the transaction."""
    text = json.dumps(value)
    if not sql.execute("UPDATE run SET value = ? WHERE name = ?", (text, name)).rowcount:
        sql.execute("INSERT INTO run (name, value) VALUES (?, ?)", (name, text))
