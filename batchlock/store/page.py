"""What the page remembers beside the journals: people, files, runs that were asked for, the log.

<state>/web/web.sqlite

    people    name, secret                    a scrypt hash
    sessions  key, name, seen                 a hash of the cookie
    files     id, org, name, who, at, …       an upload, and how to read it
    runs      run_id, org, file, who, at, …   a run that was asked for here, and how it stands
    columns   titles, chosen                  columns that were chosen by hand, for next time
    log       at, org, who, what, about       who did what
"""

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from batchlock.core.errors import UsageError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS people (name TEXT PRIMARY KEY, secret TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sessions (
    key TEXT PRIMARY KEY, name TEXT NOT NULL, seen REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    id TEXT PRIMARY KEY, org TEXT NOT NULL, name TEXT NOT NULL, who TEXT NOT NULL,
    at REAL NOT NULL, state TEXT NOT NULL, refusal TEXT NOT NULL DEFAULT '',
    columns TEXT NOT NULL DEFAULT '[]', sheets TEXT NOT NULL DEFAULT '[]',
    sheet TEXT, chosen TEXT NOT NULL DEFAULT '{}', remembered INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, org TEXT NOT NULL, file TEXT, name TEXT NOT NULL,
    who TEXT NOT NULL, at REAL NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL DEFAULT '',
    tries INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS columns (
    titles TEXT PRIMARY KEY, chosen TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log (
    at REAL NOT NULL, org TEXT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, about TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS log_at ON log (at);
"""


class ReadState(StrEnum):
    """How far an upload is."""

    READING = "reading"
    CHECKED = "checked"
    REFUSED = "refused"


class State(StrEnum):
    """How a run stands that was asked for here."""

    WAITING = "waiting"
    """In line."""
    WORKING = "working"
    PAUSED = "paused"
    """By a person, who is to say when it goes on."""
    ENDED = "ended"
    """Nothing will happen by itself, be it finished or not."""


ACTIVE = (State.WAITING, State.WORKING, State.PAUSED)
"""Of these runs, something is still to be expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """An upload."""

    id: str
    org: str
    name: str
    """As shown to people; the file itself has a name of ours."""
    who: str
    at: float
    state: ReadState
    refusal: str
    """Why it cannot be read as a table; empty when it can."""
    columns: tuple[str, ...]
    """What there is to choose from, where a choice would mend the refusal; so too the next."""
    sheets: tuple[str, ...]
    sheet: str | None
    chosen: Mapping[str, str]
    """The columns chosen by hand, by field."""
    remembered: bool
    """Whether they were chosen for an earlier file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedRun:
    """A run that was asked for here."""

    run_id: str
    org: str
    file: str | None
    """The upload's id; None for a run of the command line that goes on here."""
    name: str
    who: str
    at: float
    state: State
    why: str
    """Why it is not at work, in a sentence; empty when there is nothing to say."""
    tries: int
    """How often it was started since a person last asked for it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the log."""

    at: float
    org: str
    who: str
    what: str
    about: str


class Store:
    """The file; for one thread."""

    def __init__(self, state: Path) -> None:
        """Open it, and make it if need be, for this user only; raises UsageError."""
        self.folder = state / "web"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self.folder / "web.sqlite"
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._sql = sqlite3.connect(path, isolation_level=None, timeout=10)
            self._sql.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _SCHEMA)
        except (OSError, sqlite3.Error) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise UsageError(
                f"The state folder {self.folder} cannot be used: {why}. Set state_directory to a "
                "folder that can be written."
            ) from None

    def close(self) -> None:
        """Close it."""
        self._sql.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._sql.execute("ROLLBACK")
            raise
        self._sql.execute("COMMIT")

    # -- people --------------------------------------------------------------------------

    def people(self) -> list[str]:
        """Return the names of all who may sign in."""
        return [name for (name,) in self._sql.execute("SELECT name FROM people ORDER BY name")]

    def secret(self, name: str) -> str | None:
        """Return a person's hash; None for who is unknown."""
        found = self._sql.execute("SELECT secret FROM people WHERE name = ?", (name,)).fetchone()
        return None if found is None else str(found[0])

    def put_person(self, name: str, secret: str) -> None:
        """Add a person, or change the password; whoever is signed in by that name is out.

        So is, with the first person, whoever came in by a link.
        """
        with self._transaction():
            is_first = not self.people()
            self._sql.execute("INSERT OR REPLACE INTO people VALUES (?, ?)", (name, secret))
            self._sql.execute("DELETE FROM sessions WHERE name = ? OR ?", (name, is_first))

    def remove_person(self, name: str) -> bool:
        """Remove a person, who is signed out at once; tell whether there was one."""
        with self._transaction():
            self._sql.execute("DELETE FROM sessions WHERE name = ?", (name,))
            return self._sql.execute("DELETE FROM people WHERE name = ?", (name,)).rowcount > 0

    def put_session(self, key: str, name: str) -> None:
        """Begin a session."""
        self._sql.execute("INSERT INTO sessions VALUES (?, ?, ?)", (key, name, time.time()))

    def session(self, key: str, *, longest: float) -> str | None:
        """Return whose session it is, unless nothing was heard of it for `longest` seconds."""
        now = time.time()
        found = self._sql.execute(
            "SELECT name, seen FROM sessions WHERE key = ?", (key,)
        ).fetchone()
        if found is None:
            return None
        name, seen = found
        if now - seen > longest:
            self._sql.execute("DELETE FROM sessions WHERE seen < ?", (now - longest,))
            return None
        if now - seen > longest / 100:
            self._sql.execute("UPDATE sessions SET seen = ? WHERE key = ?", (now, key))
        return str(name)

    def end_session(self, key: str) -> None:
        """End a session."""
        self._sql.execute("DELETE FROM sessions WHERE key = ?", (key,))

    # -- files ---------------------------------------------------------------------------

    def place(self, file_id: str) -> Path:
        """Return the folder of an upload."""
        return self.folder / "files" / file_id

    def add_file(self, file_id: str, org: str, name: str, who: str) -> None:
        """Add an upload that is about to be read."""
        self._sql.execute(
            "INSERT INTO files (id, org, name, who, at, state) VALUES (?, ?, ?, ?, ?, ?)",
            (file_id, org, name, who, time.time(), ReadState.READING.value),
        )

    def set_file(self, file_id: str, state: ReadState, **told: Any) -> None:
        """Say how far an upload is, and what else is known: the fields of `File`."""
        told = {"state": state.value, **told}
        for name in ("columns", "sheets", "chosen"):
            if name in told:
                told[name] = json.dumps(told[name], ensure_ascii=True)
        fields = ", ".join(f"{name} = ?" for name in told)
        self._sql.execute(f"UPDATE files SET {fields} WHERE id = ?", (*told.values(), file_id))

    def file(self, org: str, file_id: str) -> File | None:
        """Return an upload; None when there is none such."""
        found = self._files("id = ? AND org = ?", (file_id, org))
        return found[0] if found else None

    def files(self, org: str, *, most: int = 20) -> list[File]:
        """Return the newest uploads of which no run was made."""
        return self._files(
            "org = ? AND id NOT IN (SELECT file FROM runs WHERE file IS NOT NULL)"
            " ORDER BY at DESC LIMIT ?",
            (org, most),
        )

    def unread(self, org: str) -> list[File]:
        """Return the uploads that were being read when the server ended."""
        return self._files("org = ? AND state = ?", (org, ReadState.READING.value))

    def has_run(self, file_id: str) -> bool:
        """Tell whether a run was made of an upload."""
        asked = self._sql.execute("SELECT 1 FROM runs WHERE file = ?", (file_id,))
        return asked.fetchone() is not None

    def file_ids(self) -> set[str]:
        """Return the ids of all uploads, of whatever org."""
        return {file_id for (file_id,) in self._sql.execute("SELECT id FROM files")}

    def outdated(self, org: str, before: float) -> list[File]:
        """Return the uploads that are older, and of whose runs nothing is to be expected."""
        marks = ", ".join("?" * len(ACTIVE))
        return self._files(
            "org = ? AND at < ? AND id NOT IN"
            f" (SELECT file FROM runs WHERE file IS NOT NULL AND state IN ({marks}))",
            (org, before, *ACTIVE),
        )

    def remove_file(self, file_id: str) -> None:
        """Forget an upload; its folder is its own matter."""
        self._sql.execute("DELETE FROM files WHERE id = ?", (file_id,))

    def _files(self, condition: str, values: Sequence[object]) -> list[File]:
        found = self._sql.execute(
            "SELECT id, org, name, who, at, state, refusal, columns, sheets, sheet, chosen,"
            f" remembered FROM files WHERE {condition}",
            tuple(values),
        )
        return [
            File(
                id=file_id, org=org, name=name, who=who, at=at, state=ReadState(state),
                refusal=refusal, columns=tuple(json.loads(columns)),
                sheets=tuple(json.loads(sheets)), sheet=sheet, chosen=json.loads(chosen),
                remembered=bool(remembered),
            )
            for file_id, org, name, who, at, state, refusal, columns, sheets, sheet, chosen,
                remembered in found
        ]  # fmt: skip

    def remember_columns(self, titles: Sequence[str], chosen: Mapping[str, str]) -> None:
        """Keep which columns were chosen for a table with such titles."""
        self._sql.execute(
            "INSERT OR REPLACE INTO columns VALUES (?, ?)",
            (_key(titles), json.dumps(dict(chosen))),
        )

    def columns(self, titles: Sequence[str]) -> dict[str, str]:
        """Return which columns were chosen last for a table with such titles."""
        found = self._sql.execute(
            "SELECT chosen FROM columns WHERE titles = ?", (_key(titles),)
        ).fetchone()
        return {} if found is None else dict(json.loads(found[0]))

    # -- runs ----------------------------------------------------------------------------

    def put_run(self, run_id: str, org: str, name: str, who: str, *, file: str | None) -> None:
        """Put a run in line; one that was there before keeps who asked first."""
        self._sql.execute(
            "INSERT INTO runs (run_id, org, file, name, who, at, state)"
            " VALUES (?, ?, ?, ?, ?, ?, 'waiting') ON CONFLICT (run_id) DO UPDATE SET"
            " state = 'waiting', why = '', tries = 0, at = excluded.at",
            (run_id, org, file, name, who, time.time()),
        )

    def set_run(
        self, run_id: str, state: State, *, why: str = "", tries: int | None = None
    ) -> None:
        """Say how a run stands."""
        self._sql.execute(
            "UPDATE runs SET state = ?, why = ?, tries = ifnull(?, tries) WHERE run_id = ?",
            (state.value, why, tries, run_id),
        )

    def run(self, org: str, run_id: str) -> QueuedRun | None:
        """Return a run that was asked for here; None for one that was not."""
        found = self._runs("org = ? AND run_id = ?", (org, run_id))
        return found[0] if found else None

    def runs(self, org: str, *states: State) -> list[QueuedRun]:
        """Return the runs that stand so, in the order in which they were asked for."""
        marks = ", ".join("?" * len(states))
        return self._runs(f"org = ? AND state IN ({marks}) ORDER BY at", (org, *states))

    def remove_run(self, run_id: str) -> None:
        """Forget a run; its journal is its own matter."""
        self._sql.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))

    def all_runs(self, org: str) -> dict[str, QueuedRun]:
        """Return all runs that were asked for here, by their ids."""
        return {run.run_id: run for run in self._runs("org = ?", (org,))}

    def _runs(self, condition: str, values: Sequence[object]) -> list[QueuedRun]:
        found = self._sql.execute(
            "SELECT run_id, org, file, name, who, at, state, why, tries FROM runs"
            f" WHERE {condition}",
            tuple(values),
        )
        return [
            QueuedRun(run_id=run_id, org=org, file=file, name=name, who=who, at=at,
                  state=State(state), why=why, tries=tries)
            for run_id, org, file, name, who, at, state, why, tries in found
        ]  # fmt: skip

    # -- log -----------------------------------------------------------------------------

    def write(self, org: str, who: str, what: str, about: str = "") -> None:
        """Write down who did what."""
        self._sql.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?)",
                          (time.time(), org, who, what, about))  # fmt: skip

    def log_lines(self, org: str) -> int:
        """Count the lines of the log."""
        asked = self._sql.execute("SELECT count(*) FROM log WHERE org = ?", (org,))
        return int(asked.fetchone()[0])

    def log(self, org: str, *, offset: int, limit: int) -> list[Entry]:
        """Return some lines of the log, the newest first."""
        found = self._sql.execute(
            "SELECT at, org, who, what, about FROM log WHERE org = ? ORDER BY at DESC, rowid DESC"
            " LIMIT ? OFFSET ?",
            (org, limit, offset),
        )
        return [Entry(*one) for one in found]


def _key(titles: Sequence[str]) -> str:
    return json.dumps(sorted(title for title in titles if title.strip()))
