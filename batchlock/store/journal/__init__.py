"""The journal of a run: what was asked, what became of each row, and what is still to do.

One SQLite file per run. What was asked never changes after the plan; what became of it does,
so the two are apart, and recording an outcome rewrites a small line only.

    run       name, value                     about the run (JSON); totals over its sessions
    rows      row, module, record_id, lock_id, reason, cells
                                              the row's final form (null when it has none)
                                              and its cells as they were in the file (JSON)
    progress  row, status, same_as, http_status, code, message, remedy,
              attempts, finished_at, duration the row's status, and its outcome once it has one
    problems  row, column, code, message      why a row is invalid
"""

import json
import os
import sqlite3
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from batchlock.core.errors import BatchlockError, Stopped
from batchlock.core.results import SETTLED, Outcome, Result, ResultRow, Status
from batchlock.core.rows import Cell, Field, Problem, Update
from batchlock.store.journal import results
from batchlock.store.journal.cells import pack
from batchlock.store.journal.results import Group, RowFilter, Throughput
from batchlock.store.journal.run_info import RunInfo, SessionEnd, Totals
from batchlock.store.journal.whole_file import check_whole_file, mark_invalid

__all__ = [
    "Group",
    "Journal",
    "RowFilter",
    "RunInfo",
    "SessionEnd",
    "Throughput",
    "Totals",
    "atomic_journal",
]

_T = TypeVar("_T")

_FORMAT = 1
"""Changes with the schema, and with the fields of what `run` holds."""
_SCHEMA = """
CREATE TABLE run (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE rows (
    row INTEGER PRIMARY KEY, module TEXT, record_id TEXT, lock_id TEXT, reason TEXT,
    cells BLOB NOT NULL
);
CREATE TABLE progress (
    row INTEGER PRIMARY KEY, status TEXT NOT NULL, same_as INTEGER,
    http_status INTEGER, code TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '',
    remedy TEXT NOT NULL DEFAULT '', attempts INTEGER NOT NULL DEFAULT 0,
    finished_at REAL, duration REAL
);
CREATE TABLE problems (row INTEGER NOT NULL, "column" TEXT NOT NULL, code TEXT NOT NULL,
                       message TEXT NOT NULL);
"""

_SETTLED = tuple(sorted(SETTLED))
_TO_RETRY = (
    "progress AS p LEFT JOIN progress AS o ON o.row = p.same_as"
    " WHERE ifnull(o.status, p.status) NOT IN (?, ?, ?)"
)
_LEFT_ALONE = "An earlier run did this row already, so it was left alone."


@contextmanager
def atomic_journal(path: Path) -> Iterator[Path]:
    """Give a place for a draft, which becomes the journal at `path` when the block is done.

    A journal that is there is whole, and durable: a half-made one is never taken for a run.
    """
    draft = path.with_suffix(f".{os.getpid()}.partial")
    try:
        yield draft
        _make_durable(draft)
        draft.replace(path)
        if sys.platform != "win32":  # where a folder cannot be opened
            _make_durable(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _make_durable(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Journal:
    """One run's file; not for two threads at once.

    Once it is open for sending, a method returns when what it wrote is on the disk.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._sql = connection
        self._claimed_up_to = -1

    # -- opening -------------------------------------------------------------------------

    @classmethod
    def create(cls, path: Path, about: RunInfo) -> Self:
        """Make the file for a plan: fast, and not durable before its caller makes it so."""
        with _told(path), _closed_on_error(sqlite3.connect(path, isolation_level=None)) as made:
            made.executescript(
                "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
                f"PRAGMA user_version={_FORMAT};{_SCHEMA}"
            )
        journal = cls(path, made)
        journal.set_info(about)
        return journal

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a planned run, for sending and reporting.

        Raises BatchlockError where the file is damaged or of another version of batchlock, or
        SQLite's write-ahead log cannot work.
        """
        address = path.absolute().as_uri() + "?mode=rw"
        with (
            _told(path),
            _closed_on_error(
                sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
            ) as connection,
        ):
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            (number,) = connection.execute("PRAGMA user_version").fetchone()
            connection.execute("PRAGMA synchronous=FULL")
            if mode != "wal":
                raise BatchlockError(
                    f"The journal cannot be kept in {path.parent}: it seems to be a network drive. "
                    "Set state_directory to a folder on a local disk."
                )
            if number not in (0, _FORMAT):  # 0: from before there were numbers, or no journal
                raise _another_version(path)
        return cls(path, connection)

    def close(self) -> None:
        """Close the file."""
        with _told(self.path):
            self._sql.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- about the run -------------------------------------------------------------------

    def set_info(self, about: RunInfo) -> None:
        """Write what the run is."""
        self._write("about", asdict(about))

    @property
    def info(self) -> RunInfo:
        """What the run is."""
        told = self._read("about")
        if told is None:
            raise BatchlockError(f"{self.path} is not a batchlock journal.")
        told["started_at"] = datetime.fromisoformat(told["started_at"])
        told["titles"] = tuple(told["titles"])
        return self._value(RunInfo, told)

    @property
    def totals(self) -> Totals:
        """What the run has cost so far."""
        return self._value(Totals, self._read("totals") or {})

    def set_end(self, end: SessionEnd) -> None:
        """Write how this session ended."""
        self._write("end", asdict(end))

    def clear_end(self) -> None:
        """Forget how the last session ended: another one begins."""
        with self._transaction() as sql:
            sql.execute("DELETE FROM run WHERE name = 'end'")

    @property
    def end(self) -> SessionEnd | None:
        """How the last session ended; None where it has not got so far."""
        told = self._read("end")
        if told is None:
            return None
        told["finished_at"] = datetime.fromisoformat(told["finished_at"])
        return self._value(SessionEnd, told)

    # -- plan ----------------------------------------------------------------------------

    def add(
        self,
        cells: Iterable[tuple[int, Sequence[Cell]]],
        *,
        updates: Sequence[Update],
        problems: Sequence[Problem],
        finished: Collection[int] = (),
    ) -> None:
        """Add rows to the plan.

        `cells` are all the rows, as they were in the file and in its order; a row without an
        update is invalid, and `finished` are rows that an earlier run has done.
        """
        asked = {update.row: update for update in updates}
        rows: list[tuple[object, ...]] = []
        for row, values in cells:
            update = asked.get(row)
            form = (None,) * 4 if update is None else _final_form(update)
            rows.append((row, *form, pack(values)))
        if not rows:
            return
        with self._transaction() as sql:
            sql.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)", rows)
            sql.execute(
                "INSERT INTO progress (row, status) SELECT row, iif(module IS NULL, ?, ?)"
                " FROM rows WHERE row BETWEEN ? AND ?",
                (Status.INVALID.value, Status.PENDING.value, rows[0][0], rows[-1][0]),
            )
            sql.executemany(
                "UPDATE progress SET status = ?, message = ? WHERE row = ?",
                [(Status.UNCHANGED.value, _LEFT_ALONE, row) for row in finished if row in asked],
            )
            mark_invalid(sql, problems)

    def check_whole_file(self, titles: Mapping[Field, str]) -> None:
        """Find what only the whole file shows: rounded ids, then conflicts, then duplicates.

        `titles` are the columns' titles in the file, for the problems.
        """
        with self._transaction() as sql:
            check_whole_file(sql, titles)

    # -- send ----------------------------------------------------------------------------

    def in_doubt(self) -> list[Update]:
        """Return the rows that were being sent when the last session was killed."""
        with _told(self.path):
            return self._updates("status = 'sending'", ())

    def commit_batch(
        self,
        outcomes: Iterable[Outcome],
        *,
        released: Iterable[int] = (),
        claim: int = 0,
        costs: Totals = Totals(),  # noqa: B008  frozen
    ) -> list[Update]:
        """Record outcomes and costs, give rows back, and claim the next ones, in one commit.

        Returns the rows claimed, in order: at most `claim`, fewer when there are no more.
        """
        with self._transaction() as sql:
            sql.executemany(
                "UPDATE progress SET status = ?, http_status = ?, code = ?, message = ?,"
                " remedy = ?, attempts = attempts + ?, finished_at = ?, duration = ? WHERE row = ?",
                [
                    (
                        outcome.status.value,
                        outcome.http_status,
                        outcome.code,
                        outcome.message,
                        outcome.remedy,
                        outcome.attempts,
                        outcome.finished_at and outcome.finished_at.timestamp(),
                        outcome.duration,
                        outcome.row,
                    )
                    for outcome in outcomes
                ],
            )
            sql.executemany(
                "UPDATE progress SET status = 'pending' WHERE row = ?",
                [(row,) for row in released],
            )
            self._put("totals", asdict(self.totals + costs))
            claimed = self._updates(
                "status = 'pending' AND row > ? ORDER BY row LIMIT ?", (self._claimed_up_to, claim)
            )
            sql.executemany(
                "UPDATE progress SET status = 'sending' WHERE row = ?",
                [(update.row,) for update in claimed],
            )
        if claimed:
            self._claimed_up_to = claimed[-1].row
        return claimed

    # -- report --------------------------------------------------------------------------

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all that is read in the block be of one moment, while another process sends."""
        with _told(self.path):
            self._sql.execute("BEGIN")
        try:
            yield
        finally:
            with _told(self.path):
                self._sql.execute("ROLLBACK")

    def counts(self) -> dict[Result, int]:
        """Count the rows by result; every result is there, zeros too."""
        counts = dict.fromkeys(Result, 0)
        with _told(self.path):
            for status, rows in self._sql.execute(
                "SELECT status, count(*) FROM progress GROUP BY status"
            ):
                counts[Result.of(Status(status))] = rows
        return counts

    def settled(self) -> int:
        """Count the rows that are as the file asks, duplicates of such rows included."""
        return self._count(
            "progress AS p LEFT JOIN progress AS o ON o.row = p.same_as"
            " WHERE ifnull(o.status, p.status) IN (?, ?)",
            _SETTLED,
        )

    def remaining(self) -> int:
        """Count the rows that are still to be sent or settled."""
        return self._count("progress WHERE status IN ('pending', 'sending')")

    def problems(self, rows: Sequence[int] | None = None) -> Iterator[Problem]:
        """Yield every problem, or every one of some rows, in the order of the rows."""
        with _told(self.path):
            yield from results.problems(self._sql, rows)

    def result_rows(self) -> Iterator[ResultRow]:
        """Yield one line for each row, in the file's order."""
        with _told(self.path):
            yield from results.lines(self._sql, closed_by=self._closed_by)

    def count_rows(self, wanted: RowFilter) -> int:
        """Count the rows that are wanted."""
        with _told(self.path):
            return results.matching(self._sql, wanted)

    def page(self, wanted: RowFilter, *, offset: int, limit: int) -> list[ResultRow]:
        """Return some of the lines that are wanted, in the file's order."""
        with _told(self.path):
            return results.page(
                self._sql, wanted, offset=offset, limit=limit, closed_by=self._closed_by
            )

    def throughput(self, spans: int) -> Throughput | None:
        """Return how many rows ended in each of so many spans of time; None before any has."""
        with _told(self.path):
            return results.pace(self._sql, spans)

    def to_look_up(self) -> int:
        """Count the rows still to be sent whose lock id is asked of Zoho first."""
        return self._count(
            "progress JOIN rows USING (row) WHERE status = 'pending' AND lock_id IS NULL"
        )

    def groups(self) -> Iterator[Group]:
        """Yield the rows that were not updated, and the duplicates, by their causes.

        The largest group of each result comes first.
        """
        with _told(self.path):
            yield from results.groups(self._sql, closed_by=self._closed_by)

    # -- another run ---------------------------------------------------------------------

    def start(self, path: Path, about: RunInfo) -> None:
        """Make the journal of a run at `path` from this one, which is a plan and stays one."""
        with atomic_journal(path) as draft:
            with _told(draft):
                self._sql.execute("VACUUM INTO ?", (str(draft),))
            with Journal.open(draft) as journal:
                journal.set_info(about)

    def to_retry(self, *, refused: bool = True) -> int:
        """Count the rows that a retry has; without `refused`, not those that Zoho refused."""
        return self._count(_TO_RETRY, _left_out(refused=refused))

    def start_retry(
        self, path: Path, about: RunInfo, *, refused: bool = True, earlier: Sequence[Path] = ()
    ) -> None:
        """Make the journal of a new run at `path` from the rows that are not as the file asks.

        Invalid rows stay invalid, rows of which nobody knows whether they were sent are settled
        first, and everything else is pending again. Without `refused`, rows that Zoho refused
        are left out, and so are their duplicates. `earlier` are the runs before this one, newest
        first, whose rows did not all go on; those that did not are taken too.
        """
        if path.exists():
            raise BatchlockError(f"{path} is there already.")
        with atomic_journal(path) as draft:
            with Journal.create(draft, about):
                pass
            self._copy_rest(draft, refused=refused)
            newer = self.path
            for one in earlier:
                with Journal.open(one) as journal:
                    journal._copy_rest(draft, refused=refused, newer=newer)  # noqa: SLF001  our own
                newer = one

    def _copy_rest(self, draft: Path, *, refused: bool, newer: Path | None = None) -> None:
        """Copy the rows that are not as the file asks, but for those that went to `newer`."""
        but = "" if newer is None else " AND p.row NOT IN (SELECT row FROM newer.progress)"
        others = {"other": draft} if newer is None else {"other": draft, "newer": newer}
        with _told(draft), self._attached(others) as sql:
            sql.execute(
                "INSERT INTO other.progress (row, status, same_as, message)"
                " SELECT p.row, CASE WHEN p.status IN ('invalid', 'duplicate', 'sending')"
                f"  THEN p.status ELSE 'pending' END, p.same_as, '' FROM {_TO_RETRY}{but}",
                _left_out(refused=refused),
            )
            sql.execute(
                "INSERT INTO other.rows SELECT * FROM rows"
                " WHERE row IN (SELECT row FROM other.progress EXCEPT SELECT row FROM other.rows)"
            )
            if newer is None:  # invalid rows always go on, so the newest run has them all
                sql.execute("INSERT INTO other.problems SELECT * FROM problems ORDER BY rowid")

    # -- below ---------------------------------------------------------------------------

    @property
    def _closed_by(self) -> str:
        """Why the run never goes on; empty while it may."""
        end = self.end
        return end.ended_by if end is not None and end.closed else ""

    @contextmanager
    def _attached(self, others: Mapping[str, Path]) -> Iterator[sqlite3.Connection]:
        for name, path in others.items():
            self._sql.execute(f"ATTACH ? AS {name}", (str(path),))
        try:
            with self._transaction() as sql:
                yield sql
        finally:
            for name in others:
                self._sql.execute(f"DETACH {name}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _told(self.path):
            self._sql.execute("BEGIN IMMEDIATE")
            try:
                yield self._sql
                self._sql.execute("COMMIT")
            except BaseException:
                if self._sql.in_transaction:  # a full disk has rolled it back already
                    self._sql.execute("ROLLBACK")
                raise

    def _count(self, rows: str, values: tuple[object, ...] = ()) -> int:
        with _told(self.path):
            return int(self._sql.execute(f"SELECT count(*) FROM {rows}", values).fetchone()[0])

    def _updates(self, condition: str, values: tuple[object, ...]) -> list[Update]:
        found = self._sql.execute(
            "SELECT row, module, record_id, lock_id, reason FROM progress JOIN rows USING (row)"
            f" WHERE {condition}",
            values,
        )
        return [results.update_of(*told) for told in found]

    def _read(self, name: str) -> dict[str, Any] | None:
        with _told(self.path):
            found = self._sql.execute("SELECT value FROM run WHERE name = ?", (name,)).fetchone()
        return None if found is None else json.loads(found[0])

    def _value(self, kind: Callable[..., _T], told: Mapping[str, Any]) -> _T:
        try:
            return kind(**told)
        except TypeError:
            raise _another_version(self.path) from None

    def _write(self, name: str, value: Mapping[str, object]) -> None:
        with self._transaction():
            self._put(name, value)

    def _put(self, name: str, value: Mapping[str, object]) -> None:
        self._sql.execute(
            "INSERT OR REPLACE INTO run VALUES (?, ?)",
            (name, json.dumps(value, default=datetime.isoformat)),
        )


def _left_out(*, refused: bool) -> tuple[str, ...]:
    """Return the statuses that `_TO_RETRY` leaves out."""
    return (*_SETTLED, "" if refused else Status.REJECTED.value)


def _final_form(update: Update) -> tuple[str, str, str | None, str]:
    return update.module, update.record_id, update.lock_id, update.reason


def _another_version(path: Path) -> BatchlockError:
    return BatchlockError(
        f"The journal {path} was made by another version of batchlock. Use that version for it."
    )


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield connection
    except BaseException:
        connection.close()
        raise


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn SQLite's words into a sentence for the person whose disk it is."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith("SQLITE_FULL"):
            raise Stopped(
                f"The disk with {path.parent} is full. What was recorded is safe; make room, "
                "then resume."
            ) from error
        if "no such table" in str(error):
            raise BatchlockError(f"{path} is not a batchlock journal.") from error
        if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            raise BatchlockError(f"The journal {path} is damaged.") from error
        raise BatchlockError(f"The journal {path} cannot be used: {error}.") from error
