"""The page's database: what 0.1.0 stored can be read, and what is stored stays readable by it."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchlock.store.page import PageStore, QueueState, UploadState

# What 0.1.0 writes when somebody uploads a file, starts it and stops it.
DATABASE_OF_0_1_0 = """
CREATE TABLE people (name TEXT PRIMARY KEY, secret TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sessions (
    key TEXT PRIMARY KEY, name TEXT NOT NULL, seen REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE files (
    id TEXT PRIMARY KEY, org TEXT NOT NULL, name TEXT NOT NULL, who TEXT NOT NULL,
    at REAL NOT NULL, state TEXT NOT NULL, refusal TEXT NOT NULL DEFAULT '',
    columns TEXT NOT NULL DEFAULT '[]', sheets TEXT NOT NULL DEFAULT '[]',
    sheet TEXT, chosen TEXT NOT NULL DEFAULT '{}', remembered INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, org TEXT NOT NULL, file TEXT, name TEXT NOT NULL,
    who TEXT NOT NULL, at REAL NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL DEFAULT '',
    tries INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE columns (titles TEXT PRIMARY KEY, chosen TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE log (
    at REAL NOT NULL, org TEXT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, about TEXT NOT NULL
);
CREATE INDEX log_at ON log (at);
INSERT INTO people VALUES ('Anna', 'scrypt$32768$8$1$salt$hash');
INSERT INTO files VALUES ('f1', 'acme', 'a.csv', 'Anna', 5.0, 'refused', 'No column.',
    '["Modul", "Gr\\u00fcnde"]', '[]', NULL, '{"module": "Modul"}', 1);
INSERT INTO runs VALUES ('r1', 'acme', 'f2', 'b.csv', 'Anna', 6.0, 'ended', 'Stopped by Anna.', 2);
INSERT INTO columns VALUES ('["Grund", "Modul"]', '{"module": "Modul"}');
INSERT INTO log VALUES (7.0, 'acme', 'Anna', 'started', 'b.csv, run r1');
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PageStore]:
    """Open a database that 0.1.0 has written."""
    (tmp_path / "web").mkdir()
    sql = sqlite3.connect(tmp_path / "web/web.sqlite")
    sql.executescript(DATABASE_OF_0_1_0)
    sql.close()
    store = PageStore(tmp_path)
    yield store
    store.close()


def test_people_of_0_1_0_can_be_read(store: PageStore) -> None:
    assert store.people.names() == ["Anna"]
    assert store.people.password_hash("Anna") == "scrypt$32768$8$1$salt$hash"


def test_uploads_of_0_1_0_can_be_read(store: PageStore) -> None:
    upload = store.uploads.get("acme", "f1")
    assert upload is not None
    assert (upload.name, upload.user, upload.uploaded_at) == ("a.csv", "Anna", 5.0)
    assert (upload.state, upload.refusal) == (UploadState.REFUSED, "No column.")
    assert (upload.columns, upload.sheets, upload.sheet) == (("Modul", "Gründe"), (), None)
    assert upload.explicit_columns == {"module": "Modul"}
    assert upload.constants == {}
    assert upload.are_remembered


def test_runs_of_0_1_0_can_be_read(store: PageStore) -> None:
    run = store.queue.get("acme", "r1")
    assert run is not None
    assert (run.file_name, run.user) == ("b.csv", "Anna")
    assert store.uploads.has_run("f2")
    assert (run.state, run.reason, run.starts) == (QueueState.ENDED, "Stopped by Anna.", 2)


def test_columns_and_log_of_0_1_0_can_be_read(store: PageStore) -> None:
    assert store.columns.load(["Modul", "", "Grund"]) == {"module": "Modul"}
    [entry] = store.audit_log.entries("acme", offset=0, limit=10)
    assert (entry.at, entry.user, entry.action) == (7.0, "Anna", "started")
    assert entry.subject == "b.csv, run r1"


def test_a_refusal_without_choices_keeps_the_earlier_ones(store: PageStore) -> None:
    store.uploads.set_refused("f1", "It cannot be read.")
    upload = store.uploads.get("acme", "f1")
    assert upload is not None
    assert (upload.refusal, upload.columns) == ("It cannot be read.", ("Modul", "Gründe"))


def test_a_new_hash_does_not_replace_a_password_that_was_changed(store: PageStore) -> None:
    store.people.put("Anna", "changed")
    store.people.rehash("Anna", "scrypt$32768$8$1$salt$hash", "new")
    assert store.people.password_hash("Anna") == "changed"


def test_an_idle_session_ends(store: PageStore) -> None:
    store.sessions.start("key", "Anna")
    assert store.sessions.name("key", max_idle_seconds=60) == "Anna"
    assert store.sessions.name("key", max_idle_seconds=-1) is None
    assert store.sessions.name("key", max_idle_seconds=60) is None
