import re
import sqlite3
import stat
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from batchlock.core.errors import UsageError
from batchlock.store.history import History, new_run_id
from batchlock.store.journal import Journal, RunInfo, SessionEnd

NOW = datetime(2026, 3, 14, 2, 3, 4, tzinfo=UTC)
ABOUT = RunInfo(
    run_id="",
    kind="run",
    org="acme",
    environment="production",
    api_url="https://www.zohoapis.com",
    file="/data/locks.xlsx",
    sha256="ab",
    identity="this",
    started_at=NOW,
    version="1.0",
)
END = SessionEnd(exit_code=3, ended_by="", finished_at=NOW, output="out.xlsx", closed=True)
FIRST, SECOND, THIRD = "20260314-020304-1f3a", "20260315-020304-1f3a", "20260315-020304-2b00"


@pytest.fixture
def history(tmp_path: Path) -> History:
    history = History(tmp_path / "state", "acme")
    history.make_folder()
    return history


def put(
    history: History, run_id: str, *, identity: str = "this", closed: bool | None = None
) -> Path:
    """Put a run there; `closed` is None where no session came to its end."""
    about = replace(ABOUT, run_id=run_id, identity=identity)
    with Journal.create(history.path(run_id), about) as journal:
        if closed is not None:
            journal.set_end(replace(END, closed=closed, ended_by=run_id))
    return history.path(run_id)


def test_a_run_id_is_the_moment_in_utc_and_something_by_chance() -> None:
    here = NOW.astimezone(timezone(timedelta(hours=-9)))
    assert re.fullmatch(r"20260314-020304-[0-9a-f]{4}", new_run_id(here))
    assert len({new_run_id(NOW) for _ in range(50)}) > 1
    assert new_run_id(NOW) < new_run_id(NOW + timedelta(milliseconds=4))
    assert new_run_id(NOW + timedelta(milliseconds=999)) < new_run_id(NOW + timedelta(seconds=1))


@pytest.mark.skipif(sys.platform == "win32", reason="rights are others there")
def test_the_folder_is_for_this_user_alone(history: History) -> None:
    history.make_folder()
    assert stat.S_IMODE(history.folder.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(UsageError, match="state_directory") as told:
        History(tmp_path / "state", "acme").make_folder()
    assert str(tmp_path / "state") in str(told.value)


def test_an_org_without_runs_has_none(tmp_path: Path) -> None:
    history = History(tmp_path / "nowhere", "acme")
    assert history.ids() == []
    assert list(history.all()) == []
    assert history.unfinished() is None
    assert history.finished("this") is None
    assert history.ids_starting_with("2026") == []


def test_runs_come_newest_first_and_nothing_else_does(history: History) -> None:
    for run_id in (SECOND, FIRST, THIRD):
        put(history, run_id)
    (history.folder / f"{FIRST}.journal-wal").write_bytes(b"")
    (history.folder / f"{FIRST}.journal.tmp").write_bytes(b"")
    assert history.ids() == [THIRD, SECOND, FIRST]
    assert [run.info.run_id for run in history.all()] == [THIRD, SECOND, FIRST]
    assert [run.path for run in history.all()] == [history.path(one) for one in history.ids()]


def test_orgs_do_not_see_the_runs_of_each_other(history: History, tmp_path: Path) -> None:
    put(history, FIRST)
    assert History(tmp_path / "state", "other").ids() == []


@pytest.mark.parametrize(
    ("typed", "meant"),
    [(FIRST, FIRST), ("20260314", FIRST), ("20260315-020304-2", THIRD), (SECOND, SECOND)],
)
def test_a_run_is_found_by_the_beginning_of_its_id(
    typed: str, meant: str, history: History
) -> None:
    for run_id in (FIRST, SECOND, THIRD):
        put(history, run_id)
    assert history.ids_starting_with(typed) == [meant]


def test_a_whole_id_is_found_even_where_another_begins_with_it(history: History) -> None:
    put(history, FIRST)
    put(history, f"{FIRST}b")
    assert history.ids_starting_with(FIRST) == [FIRST]


def test_a_beginning_that_fits_several_runs_names_them(history: History) -> None:
    for run_id in (FIRST, SECOND, THIRD):
        put(history, run_id)
    assert set(history.ids_starting_with("20260315")) == {SECOND, THIRD}


@pytest.mark.parametrize("typed", ["20270101", "", "../acme", "*", "1f3a", f"{FIRST}.journal"])
def test_what_is_no_run_is_told(typed: str, history: History) -> None:
    put(history, FIRST)
    assert history.ids_starting_with(typed) == []


def test_the_newest_run_that_is_not_closed_is_the_unfinished_one(history: History) -> None:
    put(history, FIRST, closed=False)
    put(history, SECOND)
    put(history, THIRD, identity="something else", closed=True)
    assert history.unfinished() == history.path(SECOND)


@pytest.mark.parametrize(("closed", "resumable"), [(None, True), (False, True), (True, False)])
def test_a_run_is_resumed_only_for_the_same_thing(
    closed: bool | None, resumable: bool, history: History
) -> None:
    put(history, FIRST, closed=closed)
    put(history, SECOND, identity="something else", closed=False)
    assert history.unfinished("this") == (history.path(FIRST) if resumable else None)
    assert history.unfinished("neither") is None


@pytest.mark.parametrize("closed", [True, False])
def test_the_older_of_two_runs_of_the_same_thing_is_never_resumed(
    closed: bool, history: History
) -> None:
    put(history, FIRST, closed=False)
    put(history, THIRD, closed=closed)
    left = None if closed else history.path(THIRD)
    assert (history.unfinished(), history.unfinished("this")) == (left, left)


def test_how_the_same_thing_ended_last_is_told(history: History) -> None:
    put(history, FIRST, closed=True)
    put(history, SECOND, closed=True)
    put(history, THIRD, closed=False)
    put(history, "20260316-000000-0000", closed=True, identity="something else")
    put(history, "20260317-000000-0000")
    end = history.finished("this")
    assert end is not None
    assert end.ended_by == SECOND
    assert history.finished("neither") is None


def test_a_journal_of_another_version_hides_no_other_run(history: History) -> None:
    put(history, FIRST)
    with closing(sqlite3.connect(put(history, THIRD))) as sql, sql:
        sql.execute("PRAGMA user_version = 99")
    assert [run.info.run_id for run in history.all()] == [FIRST]


@pytest.mark.parametrize("content", [b"", b"not a database, but long enough for one" * 9])
def test_a_damaged_journal_hides_no_other_run(content: bytes, history: History) -> None:
    put(history, FIRST)
    history.path(THIRD).write_bytes(content)
    assert [run.info.run_id for run in history.all()] == [FIRST]
    assert history.unfinished() == history.path(FIRST)
    assert history.ids_starting_with(THIRD) == [THIRD]
