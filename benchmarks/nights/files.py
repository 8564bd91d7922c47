"""The input files of the nights: what each row asks for, and what the stand-in shows for it."""

import csv
import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from batchlock.simulator.locks import lock_id_of

_TITLES = ("Action", "Module", "Record Id", "Lock Id", "Reason")
# Complete at the first look, and younger than the guard of the age allows.
_USUAL_AGE_SECONDS = 3600.0


class Action(StrEnum):
    """What a row asks for, in the words of the column `Action`."""

    UPDATE = "update"
    LOCK = "lock"
    UNLOCK = "unlock"


# The results that say that a row is as its file asks.
_SETTLED = frozenset({"updated", "locked", "unlocked", "unchanged"})
# Sent, and the answer did not arrive: the change may be made.
_MAYBE = frozenset({"unknown", "failed"})


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file. No other row of all nights has the same record, unless Zoho refuses it."""

    action: Action
    module: str
    record_id: str
    reason: str
    is_refused: bool = False
    """Whether Zoho refuses it every time."""

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells of the row."""
        lock_id = "" if self.action is Action.LOCK else lock_id_of(self.record_id)
        return (self.action.value, self.module, self.record_id, lock_id, self.reason)

    def is_settled(self, locks: dict[str, Any]) -> bool:
        """Return whether Zoho shows what the row asks for, by the record of the stand-in."""
        lock = locks.get(f"{self.module}/{self.record_id}")
        if lock is None:
            return False
        if self.action is Action.UNLOCK:
            return lock["lock_id"] is None
        return lock["lock_id"] is not None and lock["reason"] == self.reason

    def is_untrue(self, result: str, locks: dict[str, Any]) -> bool:
        """Return whether a line of the results contradicts the record of the stand-in."""
        return result not in _MAYBE and (result in _SETTLED) is not self.is_settled(locks)


@dataclass(slots=True, eq=False)
class InputFile:
    """A file that somebody has put into the folder."""

    path: Path
    """Where it was put."""
    rows: tuple[Row, ...]
    sha256: str
    place: str = ""
    """Where it was after the last night: done, attention, left, gone."""
    run_id: str | None = None
    """Its last run, by the digest of a night."""
    is_superseded: bool = False
    """Whether its results were put into the folder as another file."""
    problems: set[str] = field(default_factory=set)
    """What was wrong with it in any night, so that it counts once."""

    @property
    def name(self) -> str:
        """Its name in the folder."""
        return self.path.name


def write_rows(path: Path, rows: Sequence[Row], *, age: float = _USUAL_AGE_SECONDS) -> InputFile:
    """Write a CSV file that nobody has written to for `age` seconds."""
    draft = path.with_name(f"{path.name}.part")
    with draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_TITLES)
        writer.writerows(row.cells for row in rows)
    return _finish(draft, path, rows, age=age)


def write_bytes(path: Path, content: bytes, *, age: float = _USUAL_AGE_SECONDS) -> InputFile:
    """Write a file that is no table."""
    draft = path.with_name(f"{path.name}.part")
    draft.write_bytes(content)
    return _finish(draft, path, (), age=age)


def set_age(path: Path, age: float) -> None:
    """Let a file look as if nobody had written to it for `age` seconds."""
    moment = time.time() - age
    os.utime(path, (moment, moment))


def _finish(draft: Path, path: Path, rows: Sequence[Row], *, age: float) -> InputFile:
    """Let a file appear as a whole under its name, as copying programs do."""
    set_age(draft, age)
    draft.rename(path)
    return InputFile(path, tuple(rows), sha256_of(path))


def append_row(file: InputFile, row: Row) -> None:
    """Append a row to a file that is still being written."""
    with file.path.open("a", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerow(row.cells)
    file.rows = (*file.rows, row)
    file.sha256 = sha256_of(file.path)


def sha256_of(path: Path) -> str:
    """Return the hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def places_of(folder: Path) -> dict[str, list[str]]:
    """Return in which places of a folder each content is: left, done, attention."""
    places: dict[str, list[str]] = {}
    for place, where in (
        ("left", folder),
        ("done", folder / "done"),
        ("attention", folder / "attention"),
    ):
        for path in where.iterdir() if where.exists() else ():
            is_input = path.is_file() and not path.name.startswith(".") and path.suffix != ".txt"
            if is_input and "-results-" not in path.name:
                places.setdefault(sha256_of(path), []).append(place)
    return places


def note_beside(folder: Path, sha256: str) -> str | None:
    """Return the text beside a file in attention/; None when there is none."""
    for path in (folder / "attention").iterdir():
        if path.is_file() and path.suffix != ".txt" and sha256_of(path) == sha256:
            note = path.with_name(f"{path.name}.txt")
            return note.read_text("utf-8") if note.exists() else None
    return None


def results_of(home: Path, file: InputFile) -> list[Path]:
    """Return the results of a file, the newest last, wherever they are."""
    paths = home.rglob(f"*results*{file.run_id}*.xlsx")
    return sorted(paths, key=lambda path: path.stat().st_mtime)


def result_lines(path: Path) -> list[dict[str, str]]:
    """Return the lines of a results workbook by the titles of its columns."""
    from python_calamine import CalamineWorkbook

    titles, *lines = CalamineWorkbook.from_path(str(path)).get_sheet_by_name("Results").to_python()
    names = [str(title) for title in titles]
    return [dict(zip(names, map(_text, line), strict=True)) for line in lines]


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, float) else str(value)
