import re
import sqlite3
import stat
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from support.journals import END, simple_update
from support.run_info import run_info

from batchlock.core.errors import AlreadyRunning, UsageError
from batchlock.store.earlier import earlier_runs, none_at_work, supersede, unfinished_runs
from batchlock.store.history import History, new_run_id, not_resumable_because
from batchlock.store.journal import Journal
from batchlock.store.org_lock import current_holder, org_lock

NOW = datetime(2026, 3, 14, 2, 3, 4, tzinfo=UTC)
IDENTITY, OTHER_IDENTITY = "ab" * 32, "cd" * 32
CONTENT, OTHER_CONTENT = run_info().sha256, "b" * 64
FIRST, SECOND, THIRD = "20260314-020304-1f3a", "20260315-020304-1f3a", "20260315-020304-2b00"


@pytest.fixture
def history(tmp_path: Path) -> History:
    history = History(tmp_path / "state", "acme")
    history.make_folder()
    return history


def add_run(
    history: History,
    run_id: str,
    *,
    identity: str = IDENTITY,
    sha256: str = CONTENT,
    closed: bool | None = None,
) -> Path:
    """Add a run; `closed` is None when no session has ended."""
    path = history.path(run_id)
    info = run_info(run_id=run_id, identity=identity, sha256=sha256)
    with Journal.create(path, info) as journal:
        if closed is not None:
            journal.set_end(replace(END, closed=closed, ended_by=run_id))
    return path


def run_ids(history: History) -> list[str]:
    return [run.info.run_id for run in history.all()]


def test_a_run_id_is_the_utc_time_and_random_digits() -> None:
    alaska = NOW.astimezone(timezone(timedelta(hours=-9)))
    assert re.fullmatch(r"20260314-020304-[0-9a-f]{4}", new_run_id(alaska))
    assert len({new_run_id(NOW) for _ in range(50)}) > 1
    assert new_run_id(NOW) < new_run_id(NOW + timedelta(milliseconds=4))
    assert new_run_id(NOW + timedelta(milliseconds=999)) < new_run_id(NOW + timedelta(seconds=1))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_only_this_user_can_read_the_folder(history: History) -> None:
    history.make_folder()
    assert stat.S_IMODE(history.folder.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(UsageError, match="state_directory") as error:
        History(tmp_path / "state", "acme").make_folder()
    assert str(tmp_path / "state") in str(error.value)


def test_an_org_without_runs_has_none(tmp_path: Path) -> None:
    history = History(tmp_path / "nowhere", "acme")
    assert history.ids() == []
    assert list(history.all()) == []
    assert history.unfinished() is None
    assert history.ids_starting_with("2026") == []


def test_runs_are_listed_newest_first_without_other_files(history: History) -> None:
    for run_id in (SECOND, FIRST, THIRD):
        add_run(history, run_id)
    (history.folder / f"{FIRST}.journal-wal").write_bytes(b"")
    (history.folder / f"{FIRST}.journal.tmp").write_bytes(b"")
    assert history.ids() == [THIRD, SECOND, FIRST]
    assert run_ids(history) == [THIRD, SECOND, FIRST]
    assert [run.path for run in history.all()] == [history.path(run_id) for run_id in history.ids()]


def test_orgs_do_not_see_the_runs_of_each_other(history: History, tmp_path: Path) -> None:
    add_run(history, FIRST)
    assert History(tmp_path / "state", "other").ids() == []


@pytest.mark.parametrize(
    ("prefix", "run_id"),
    [(FIRST, FIRST), ("20260314", FIRST), ("20260315-020304-2", THIRD), (SECOND, SECOND)],
)
def test_a_run_is_identified_by_the_beginning_of_its_id(
    prefix: str, run_id: str, history: History
) -> None:
    for each in (FIRST, SECOND, THIRD):
        add_run(history, each)
    assert history.ids_starting_with(prefix) == [run_id]


def test_a_full_id_is_matched_even_if_another_id_begins_with_it(history: History) -> None:
    add_run(history, FIRST)
    add_run(history, f"{FIRST}b")
    assert history.ids_starting_with(FIRST) == [FIRST]


def test_a_prefix_of_several_ids_returns_them_all(history: History) -> None:
    for each in (FIRST, SECOND, THIRD):
        add_run(history, each)
    assert set(history.ids_starting_with("20260315")) == {SECOND, THIRD}


@pytest.mark.parametrize("prefix", ["20270101", "", "../acme", "*", "1f3a", f"{FIRST}.journal"])
def test_a_prefix_of_no_id_returns_none(prefix: str, history: History) -> None:
    add_run(history, FIRST)
    assert history.ids_starting_with(prefix) == []


def test_the_newest_open_run_is_the_unfinished_one(history: History) -> None:
    add_run(history, FIRST, closed=False)
    add_run(history, SECOND)
    add_run(history, THIRD, identity=OTHER_IDENTITY, closed=True)
    assert history.unfinished() == history.path(SECOND)


@pytest.mark.parametrize(("closed", "resumable"), [(None, True), (False, True), (True, False)])
def test_a_run_is_resumed_only_for_its_own_identity(
    closed: bool | None, resumable: bool, history: History
) -> None:
    add_run(history, FIRST, closed=closed)
    add_run(history, SECOND, identity=OTHER_IDENTITY, closed=False)
    assert history.unfinished(IDENTITY) == (history.path(FIRST) if resumable else None)
    assert history.unfinished("ef" * 32) is None


@pytest.mark.parametrize("closed", [True, False])
def test_the_older_of_two_runs_of_one_identity_is_never_resumed(
    closed: bool, history: History
) -> None:
    add_run(history, FIRST, closed=False)
    add_run(history, THIRD, closed=closed)
    resumable = None if closed else history.path(THIRD)
    assert history.unfinished() == resumable
    assert history.unfinished(IDENTITY) == resumable


def test_earlier_runs_are_those_of_the_same_content(history: History) -> None:
    first = add_run(history, FIRST, closed=True)
    retry = add_retry(history, SECOND, of=FIRST)
    add_run(history, THIRD, closed=True, sha256=OTHER_CONTENT)
    add_run(history, "20260317-000000-0000", closed=True, identity="a third one")
    info = run_info(run_id="20260318-000000-0000", identity=OTHER_IDENTITY, sha256=CONTENT)
    earlier = earlier_runs(history.all(), info)
    assert earlier.paths == (history.path("20260317-000000-0000"), retry, first)
    newest = earlier_runs(history.all(), replace(info, run_id="20260317-000000-0000"))
    assert newest.paths == (retry, first)
    assert earlier_runs(history.all(), run_info(run_id=THIRD, sha256="c" * 64)).paths == ()


@pytest.mark.parametrize("ended_by", ["", "Interrupted by SIGINT."])
def test_a_run_that_came_to_its_end_was_finished(history: History, ended_by: str) -> None:
    end = replace(END, closed=True, ended_by=ended_by)
    with Journal.open(add_run(history, FIRST)) as journal:
        journal.set_end(end)
    earlier = earlier_runs(history.all(), run_info(run_id=THIRD, identity=IDENTITY))
    assert earlier.finished_at == end.finished_at


def test_a_run_that_was_closed_with_rows_left_was_not_finished(history: History) -> None:
    with Journal.open(add_run(history, FIRST)) as journal:
        journal.add([(2, ())], updates=[simple_update(2)], problems=[])
        journal.set_end(replace(END, closed=True, ended_by="The file began anew."))
    assert (
        earlier_runs(history.all(), run_info(run_id=THIRD, identity=IDENTITY)).finished_at is None
    )


def test_a_journal_of_another_version_hides_no_other_run(history: History) -> None:
    add_run(history, FIRST)
    with closing(sqlite3.connect(add_run(history, THIRD))) as sql, sql:
        sql.execute("PRAGMA user_version = 99")
    assert run_ids(history) == [FIRST]


@pytest.mark.parametrize("content", [b"", b"not a database, but long enough for one" * 9])
def test_a_damaged_journal_hides_no_other_run(content: bytes, history: History) -> None:
    add_run(history, FIRST)
    history.path(THIRD).write_bytes(content)
    assert run_ids(history) == [FIRST]
    assert history.unfinished() == history.path(FIRST)
    assert history.ids_starting_with(THIRD) == [THIRD]


def add_retry(history: History, run_id: str, *, of: str, excludes_refused: bool = False) -> Path:
    info = run_info(
        run_id=run_id, identity=f"retry {of}", retry_of=of, excludes_refused=excludes_refused
    )
    with Journal.create(history.path(run_id), info):
        return history.path(run_id)


def test_a_run_whose_rows_went_on_in_a_retry_is_not_unfinished(history: History) -> None:
    add_run(history, FIRST, closed=False)
    retry = add_retry(history, SECOND, of=FIRST)
    assert history.unfinished() == retry
    assert history.unfinished(IDENTITY) is None
    assert not_resumable_because(history, history.path(FIRST)) == (
        f"The remaining rows were moved to run {SECOND}."
    )
    assert not_resumable_because(history, retry) == ""


def test_the_lineage_of_a_run_is_its_newest_retry(history: History) -> None:
    add_run(history, FIRST, closed=True)
    add_retry(history, SECOND, of=FIRST)
    newest = add_retry(history, THIRD, of=SECOND)
    assert history.lineage(FIRST) == [newest]
    assert history.lineage(THIRD) == [newest]


def test_a_lineage_goes_back_to_the_runs_that_keep_refused_rows(history: History) -> None:
    first = add_run(history, FIRST, closed=True)
    second = add_retry(history, SECOND, of=FIRST, excludes_refused=True)
    third = add_retry(history, THIRD, of=SECOND, excludes_refused=True)
    assert history.lineage(FIRST) == [third, second, first]


def test_a_new_run_closes_the_open_runs_of_its_content(history: History) -> None:
    for run_id, sha256 in ((FIRST, CONTENT), (SECOND, OTHER_CONTENT), (THIRD, CONTENT)):
        add_run(history, run_id, sha256=sha256, closed=False)
        with Journal.open(history.path(run_id)) as journal:
            journal.add([(2, ())], updates=[simple_update(2)], problems=[])
    supersede(history.all(), run_info(run_id=THIRD, identity=OTHER_IDENTITY, sha256=CONTENT))
    assert {run.info.run_id: run.closed for run in history.all()} == {
        FIRST: True,
        SECOND: False,
        THIRD: False,
    }
    assert not_resumable_because(history, history.path(FIRST)) == (
        f"A new run of the file was started: {THIRD}."
    )


def test_a_run_that_is_being_sent_is_not_closed(history: History, tmp_path: Path) -> None:
    state = tmp_path / "state"
    for run_id in (FIRST, SECOND):
        add_run(history, run_id, closed=False)
    runs = unfinished_runs(history.all(), run_info(run_id=THIRD, sha256=CONTENT))
    assert [run.info.run_id for run in runs] == [SECOND, FIRST]
    with org_lock(state, "acme") as set_holder:
        set_holder("another run", THIRD)
        with none_at_work(state, runs):
            pass
        set_holder("one of them", FIRST)
        with pytest.raises(AlreadyRunning, match=f"Run {FIRST} of the same file is being sent"):
            none_at_work(state, runs).__enter__()
    with none_at_work(state, runs):
        assert current_holder(state, "acme") is not None
    with none_at_work(state, []):
        assert current_holder(state, "acme") is None
