"""The state of 0.1.0 is in the store after it was opened for the first time."""

import logging
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock
from support.commands import TIMEOUT_SECONDS
from support.old_state import content_of, files_of, unpack_old_state

from batchlock.core.errors import AlreadyRunning, BatchlockError, UsageError
from batchlock.core.results import Result
from batchlock.core.runs import Run, RunState
from batchlock.core.stop import StopCode
from batchlock.store.audit_log import LogFilter
from batchlock.store.database import open_database
from batchlock.store.store import Store
from batchlock.store.uploads import UploadState
from batchlock.web.auth import passwords

ORGS = ("acme", "simulator")
RENAMED = {"module": "Was", "record_id": "Wer", "lock_id": "Womit", "reason": "Weshalb"}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return unpack_old_state(tmp_path / "state")


@pytest.fixture
def store(state: Path) -> Iterator[Store]:
    with Store(state) as store:
        yield store


def runs_of(store: Store) -> dict[str, list[Run]]:
    """Return the runs by the names of their files, oldest first."""
    runs: dict[str, list[Run]] = {}
    for run in reversed(store.runs.of_orgs(ORGS)):
        runs.setdefault(run.file_name, []).append(run)
    return runs


# -- what is carried over


def test_every_run_is_in_the_store(store: Store) -> None:
    states = {name: [run.state for run in runs] for name, runs in runs_of(store).items()}
    assert states == {
        "finished.csv": [RunState.FINISHED],
        "refused.csv": [RunState.FINISHED, RunState.FINISHED],
        "strict.csv": [RunState.REFUSED],
        "anew.csv": [RunState.SUPERSEDED, RunState.FINISHED],
        "deadline.csv": [RunState.STOPPED],
        "killed.csv": [RunState.STOPPED],
        "paused.csv": [RunState.PAUSED],
        "stopped.csv": [RunState.STOPPED],
        "working.csv": [RunState.QUEUED],
        "waiting.csv": [RunState.QUEUED],
    }


def test_each_run_says_why_it_ended(store: Store) -> None:
    runs = runs_of(store)
    reasons = {name: runs[name][0].reason for name in runs}
    codes = {name: reason.code for name, reason in reasons.items() if reason}
    assert codes == {
        "finished.csv": StopCode.COMPLETED,
        "refused.csv": StopCode.COMPLETED,
        "strict.csv": StopCode.STRICT,
        "anew.csv": StopCode.SUPERSEDED,
        "deadline.csv": StopCode.DEADLINE,
        "killed.csv": StopCode.KILLED,
        "paused.csv": StopCode.PAUSED,
        "stopped.csv": StopCode.STOPPED,
    }
    sentences = {name: reason.sentence for name, reason in reasons.items() if reason}
    newest = runs["anew.csv"][1].run_id
    assert sentences["anew.csv"] == f"The file began anew as run {newest}."
    assert sentences["strict.csv"].startswith("Nothing was sent, because 1 row has problems.")
    assert sentences["paused.csv"] == "Paused by Anna."
    assert sentences["stopped.csv"] == "Stopped by Anna."


def test_a_finished_run_has_its_figures_and_results(store: Store) -> None:
    [run] = runs_of(store)["finished.csv"]
    assert (run.figures.counts[Result.UPDATED], run.figures.settled) == (12, 12)
    assert run.figures.totals.requests >= 12
    assert run.exit_code == 0
    assert run.results == f"/srv/batchlock/finished-results-{run.run_id}.xlsx"
    assert run.finished_at is not None
    assert run.finished_at > run.info.started_at
    assert (run.requested_by, run.upload, run.queued_at) == ("", None, None)


def test_a_retry_belongs_to_its_run(store: Store) -> None:
    first, retry = runs_of(store)["refused.csv"]
    assert (first.figures.counts[Result.REJECTED], first.exit_code) == (2, 3)
    assert (first.parent, retry.parent) == (first.run_id, first.run_id)
    assert [run.run_id for run in store.runs.family(retry)] == [first.run_id, retry.run_id]
    assert store.runs.lineage(first)[0] == retry


def test_a_run_that_was_killed_can_be_resumed(store: Store) -> None:
    run = store.runs.all_unfinished("simulator")[0]
    assert run is not None
    assert run.file_name == "killed.csv"
    with store.open_journal(run) as journal:
        in_doubt = len(journal.in_doubt())
        assert 0 < in_doubt < journal.remaining() < 100
        assert run.figures.counts == journal.counts()
    assert run.figures.counts[Result.UNKNOWN] == in_doubt


def test_the_queue_of_the_page_goes_on(store: Store) -> None:
    working, waiting = store.runs.queue("acme")
    assert (working.file_name, waiting.file_name) == ("working.csv", "waiting.csv")
    assert working.figures.counts[Result.UNKNOWN] > 0  # its worker was killed
    assert (waiting.requested_by, waiting.starts) == ("Anna", 0)
    assert waiting.upload is not None
    upload = store.uploads.get("acme", waiting.upload)
    assert upload is not None
    assert upload.name == "waiting.csv"


def test_people_and_their_sessions_are_there(state: Path, store: Store) -> None:
    assert store.people.names() == ["Anna"]
    anna = store.people.find("Anna")
    assert anna is not None
    assert passwords.verify_password("correct horse", anna.password_hash)
    with closing(sqlite3.connect(state / "web" / "web.sqlite")) as sql:
        [(key,)] = sql.execute("SELECT key FROM sessions").fetchall()
    assert store.sessions.name(key, max_idle_seconds=float("inf")) == "Anna"


def test_an_upload_and_the_chosen_columns_are_there(store: Store) -> None:
    [upload] = store.uploads.without_run("acme", limit=9)
    assert (upload.name, upload.user, upload.state) == ("renamed.csv", "Anna", UploadState.CHECKED)
    assert upload.choices.columns == RENAMED
    assert (store.uploads.folder(upload.id) / "upload" / upload.name).exists()
    assert store.choices.columns(["Weshalb", "Womit", "Wer", "Was"]) == RENAMED


def test_the_audit_log_is_there_in_its_order(store: Store) -> None:
    entries = store.audit_log.entries(LogFilter(orgs=["acme"]), limit=99)[::-1]
    assert [entry.action for entry in entries[:4]] == [
        "signed in", "uploaded", "read again", "uploaded"
    ]  # fmt: skip
    assert (entries[1].person, entries[1].subject) == ("Anna", "renamed.csv")
    assert entries == sorted(entries, key=lambda entry: entry.at)


def test_what_newer_databases_of_the_page_hold_is_carried_over(state: Path) -> None:
    with closing(sqlite3.connect(state / "web" / "web.sqlite")) as sql:
        sql.executescript("""
            ALTER TABLE files ADD COLUMN encoding TEXT;
            ALTER TABLE files ADD COLUMN readings TEXT NOT NULL DEFAULT '[]';
            ALTER TABLE files ADD COLUMN constants TEXT NOT NULL DEFAULT '{}';
            ALTER TABLE files ADD COLUMN visible_only INTEGER NOT NULL DEFAULT 0;
            UPDATE files SET visible_only = 1, encoding = 'cp1250',
             constants = '{"reason": "audit"}',
             readings = '[{"encoding": "cp1250", "label": "Central", "samples": ["a"]}]';
            CREATE TABLE encodings (titles TEXT PRIMARY KEY, chosen TEXT NOT NULL);
            INSERT INTO encodings VALUES ('["Was", "Wer"]', 'cp1250');
            INSERT INTO encodings SELECT titles, 'cp1252' FROM columns;
        """)
    with Store(state) as store:
        [upload] = store.uploads.without_run("acme", limit=9)
        assert upload.choices.encoding == "cp1250"
        assert upload.choices.visible_only
        assert upload.choices.constants == {"reason": "audit"}
        assert [reading.samples for reading in upload.readings] == [("a",)]
        assert store.choices.encoding(["Wer", "Was"]) == "cp1250"
        assert store.choices.columns(["Wer", "Was"]) == {}
        assert store.choices.encoding([*RENAMED.values()]) == "cp1252"
        assert store.choices.columns([*RENAMED.values()]) == RENAMED


# -- once, and as a whole


def test_it_happens_once(state: Path) -> None:
    with Store(state) as store:
        store.people.remove("Anna")
        store.runs.remove(store.runs.queue("acme")[0].run_id)
    first = content_of(state)
    with Store(state):
        pass
    assert content_of(state) == first


def test_a_store_that_was_moved_away_is_made_again(state: Path) -> None:
    with Store(state):
        pass
    first = content_of(state)
    for path in state.glob("store.sqlite*"):
        path.unlink()
    with Store(state):
        pass
    assert content_of(state) == first
    assert len(first["runs"]) == 12


def test_the_database_of_the_page_stays_as_it_is(state: Path) -> None:
    before = files_of(state / "web")
    with Store(state):
        pass
    assert files_of(state / "web") == before


def test_a_new_state_folder_has_nothing(tmp_path: Path) -> None:
    with Store(tmp_path / "new"):
        pass
    assert not any(content_of(tmp_path / "new").values())


KILLED_AT_STATEMENT = """
import os, signal, sys
from pathlib import Path
import sqlalchemy as sa
from batchlock.store.audit_log import LogFilter
from batchlock.store.store import Store

statements = 0

@sa.event.listens_for(sa.Engine, "before_cursor_execute")
def kill(*_):
    global statements
    statements += 1
    if statements == int(sys.argv[2]):
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

Store(Path(sys.argv[1])).close()
print(statements)
"""


def open_and_kill(state: Path, statement: int) -> "subprocess.CompletedProcess[str]":
    """Open the store in a process that kills itself before the given statement."""
    return subprocess.run(
        [sys.executable, "-c", KILLED_AT_STATEMENT, str(state), str(statement)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def statements_of_opening(state: Path) -> int:
    """Return how many statements it takes to open the store of a folder."""
    done = open_and_kill(state, 0)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[object]]:
    """Return the content of a store that was carried over without an interruption."""
    state = unpack_old_state(tmp_path_factory.mktemp("expected") / "state")
    with Store(state):
        pass
    return content_of(state)


@pytest.fixture(scope="module")
def statements(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, int]:
    """Return how many statements it takes to make the tables, and to carry the state over."""
    state = unpack_old_state(tmp_path_factory.mktemp("statements") / "state")
    new = tmp_path_factory.mktemp("new")
    open_database(state).dispose()
    carry_over = statements_of_opening(state)
    return statements_of_opening(new) - carry_over, carry_over


@pytest.mark.parametrize("tenth", range(1, 11))
def test_a_kill_while_the_state_is_carried_over_loses_nothing(
    tenth: int, state: Path, statements: tuple[int, int], expected: dict[str, list[object]]
) -> None:
    open_database(state).dispose()  # the tables are there
    killed = open_and_kill(state, statements[1] - 10 + tenth)
    assert killed.returncode == -getattr(signal, "SIGKILL", -signal.SIGTERM), killed.stderr
    assert not any(content_of(state).values())
    with Store(state):
        pass
    assert content_of(state) == expected


@pytest.mark.parametrize("tenth", [3, 6, 9])
def test_a_kill_while_the_tables_are_made_loses_nothing(
    tenth: int, state: Path, statements: tuple[int, int], expected: dict[str, list[object]]
) -> None:
    killed = open_and_kill(state, statements[0] * tenth // 10)
    assert killed.returncode != 0
    with Store(state):
        pass
    assert content_of(state) == expected


# -- what cannot be carried over


def test_a_newer_state_is_refused_and_stays_as_it_is(state: Path) -> None:
    with Store(state):
        pass
    with closing(sqlite3.connect(state / "store.sqlite")) as sql, sql:
        sql.execute("UPDATE alembic_version SET version_num = '9999'")
    before = files_of(state)
    with pytest.raises(UsageError, match="was used by a newer version of batchlock"):
        Store(state)
    assert files_of(state) == before


def test_a_newer_state_that_was_not_closed_is_refused_and_stays_as_it_is(state: Path) -> None:
    with Store(state):
        pass
    with closing(sqlite3.connect(state / "store.sqlite")) as sql:
        with sql:
            sql.execute("UPDATE alembic_version SET version_num = '9999'")
        before = files_of(state)
        with pytest.raises(UsageError, match="Nothing was changed"):
            Store(state)
        assert files_of(state) == before


def test_a_run_of_0_1_0_that_is_at_work_is_not_carried_over(state: Path) -> None:
    with FileLock(state / "locks" / "acme.lock"), pytest.raises(AlreadyRunning) as error:
        Store(state)
    assert "at work on acme: run " in str(error.value)
    assert ", process " in str(error.value)
    assert not any(content_of(state).values())
    with Store(state) as store:
        assert len(store.runs.of_orgs(ORGS)) == 12


@pytest.mark.parametrize("content", [b"no journal", os.urandom(4096)])
def test_a_journal_that_cannot_be_read_is_logged_and_left_out(
    content: bytes, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = state / "runs" / "acme" / "20260101-000000-0000.journal"
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING), Store(state) as store:
        assert len(store.runs.of_orgs(ORGS)) == 12
    assert str(path) in caplog.text
    assert path.read_bytes() == content


def test_a_journal_of_a_newer_version_is_logged_and_left_out(
    state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = min((state / "runs" / "acme").glob("*.journal"))
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with caplog.at_level(logging.WARNING), Store(state) as store:
        assert "finished.csv" not in runs_of(store)
    assert f"{path} was made by another version" in caplog.text
    assert path.read_bytes() == before


def test_a_damaged_database_of_the_page_is_reported(state: Path) -> None:
    database = state / "web" / "web.sqlite"
    for path in database.parent.glob("web.sqlite*"):
        path.unlink()
    database.write_bytes(b"no database " * 500)
    with pytest.raises(BatchlockError, match="move it away") as error:
        Store(state)
    assert str(database) in str(error.value)
    assert not any(content_of(state).values())
    database.unlink()
    with Store(state) as store:
        assert store.people.names() == []
        assert len(store.runs.of_orgs(ORGS)) == 12


def test_a_page_of_0_1_0_that_is_open_keeps_its_state_where_it_is(state: Path) -> None:
    lock = FileLock(state / "web" / "acme.lock")
    with lock, pytest.raises(AlreadyRunning, match="serves the page of acme"):
        Store(state)
    with Store(state) as store:
        assert store.people.names()


def test_a_journal_that_is_locked_is_carried_over_later(
    state: Path, expected: dict[str, list[object]]
) -> None:
    path = min((state / "runs").glob("*/*.journal"))
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("PRAGMA locking_mode=EXCLUSIVE")
        sql.execute("BEGIN EXCLUSIVE")
        with pytest.raises(BatchlockError, match="cannot be used"):
            Store(state)
    with Store(state):
        pass
    assert content_of(state) == expected
