import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.journals import OpenPlan, make_outcome, plan_journal, simple_update
from support.run_info import run_info

from batchlock.core.errors import BatchlockError, Stopped
from batchlock.core.results import Result
from batchlock.core.rows import Problem
from batchlock.store.journal import Journal


@pytest.mark.parametrize("content", [b"no journal, but long enough for a header\n" * 40, b"PK\3\4"])
def test_a_file_that_is_no_database_is_reported_as_damaged(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(BatchlockError, match="is damaged") as error:
        Journal.open(path)
    assert str(path) in str(error.value)


def test_an_empty_file_is_no_journal(path: Path) -> None:
    path.touch()
    with pytest.raises(BatchlockError) as error:
        Journal.open(path)
    assert str(path) in str(error.value)


def test_a_journal_without_its_description_is_refused(path: Path) -> None:
    plan_journal(path, [])
    with closing(sqlite3.connect(path)) as sql, sql:
        sql.execute("DELETE FROM run")
    with Journal.open(path) as journal, pytest.raises(BatchlockError, match="not a batchlock"):
        _ = journal.info


@pytest.mark.parametrize(
    "change",
    [
        "PRAGMA user_version = 99",
        """UPDATE run SET value = '{"colour": "red", ' || substr(value, 2)""",
    ],
)
def test_a_journal_of_another_version_is_refused(path: Path, change: str) -> None:
    plan_journal(path, [simple_update(2)])
    with closing(sqlite3.connect(path)) as sql, sql:
        sql.execute(change)
    wrong_version = pytest.raises(BatchlockError, match="another version of batchlock")
    with wrong_version as error, Journal.open(path) as journal:
        _ = journal.info
    assert str(path) in str(error.value)


def test_a_missing_file_is_reported_and_not_created(path: Path) -> None:
    with pytest.raises(BatchlockError, match="cannot be used"):
        Journal.open(path)
    assert not path.exists()


def test_a_missing_folder_is_reported(path: Path) -> None:
    with pytest.raises(BatchlockError, match="cannot be used"):
        Journal.create(path / "deeper", run_info())


@pytest.mark.parametrize(
    "use",
    [
        lambda journal: journal.counts(),
        lambda journal: journal.settled(),
        lambda journal: journal.remaining(),
        lambda journal: journal.in_doubt(),
        lambda journal: list(journal.result_rows()),
        lambda journal: list(journal.groups()),
        lambda journal: list(journal.problems()),
        lambda journal: journal.commit_batch([make_outcome(900)], claim=900),
    ],
)
def test_every_method_reports_damaged_pages(use: Callable[[Journal], object], path: Path) -> None:
    problems = [Problem(row, "Why", "bad_value", "odd " * 40) for row in range(2000, 3000)]
    plan_journal(path, [simple_update(row) for row in range(2, 1000)], problems=problems)
    with closing(sqlite3.connect(path)) as sql:
        (size,) = sql.execute("PRAGMA page_size").fetchone()
        schema = sql.execute("SELECT rootpage FROM sqlite_schema").fetchall()
    content = bytearray(path.read_bytes())
    pages = {page for (page,) in schema}
    for page in range(2, len(content) // size + 1):
        if page not in pages or page > 2:
            content[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(content)
    with Journal.open(path) as journal, pytest.raises(BatchlockError, match="is damaged"):
        use(journal)


def test_a_full_disk_stops_the_run_and_keeps_what_was_recorded(open_plan: OpenPlan) -> None:
    journal = open_plan([simple_update(row) for row in range(2, 50)])
    journal.commit_batch([], claim=48)
    journal.commit_batch([make_outcome(2)])
    with journal.database.reading() as sql:
        (pages,) = sql.execute("PRAGMA page_count").fetchone()
        sql.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Stopped, match="is full"):
        journal.commit_batch([make_outcome(row, message="x" * 3000) for row in range(3, 50)])
    assert journal.counts()[Result.UPDATED] == 1
    with journal.database.reading() as sql:
        sql.execute(f"PRAGMA max_page_count = {pages + 1000}")
    journal.commit_batch([make_outcome(row, message="x" * 3000) for row in range(3, 50)])
    assert journal.counts()[Result.UPDATED] == 48


@pytest.mark.skipif(sys.platform == "win32", reason="SQLite has no such file system there")
def test_a_folder_where_the_write_ahead_log_fails_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_journal(path, [simple_update(2)])
    connect = sqlite3.connect

    def without_shared_memory(address: str, **more: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(f"{address}&vfs=unix-dotfile", **more)
        return connection

    monkeypatch.setattr(sqlite3, "connect", without_shared_memory)
    with pytest.raises(BatchlockError, match="network drive") as error:
        Journal.open(path)
    assert str(path.parent) in str(error.value)
