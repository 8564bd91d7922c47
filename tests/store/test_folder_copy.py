"""The store of a state folder, copied into a database that many machines share."""

import hashlib
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from filelock import FileLock
from pydantic import SecretStr
from support.journals import (
    LOCK,
    make_outcome,
    plan_journal,
    result_by_row,
    simple_update,
)
from support.run_info import run_info, run_record

from batchlock.core.errors import AlreadyRunning, UsageError
from batchlock.core.org import OrgFacts, StoredOrg
from batchlock.core.results import Result, Status
from batchlock.core.rows import LockId, PreviousLock, Problem
from batchlock.core.runs import Run, RunState
from batchlock.store.column_types import AnyText, UtcTime
from batchlock.store.database import open_database
from batchlock.store.folder_copy import LEFT_OUT, CopiedFolder, copied_tables, copy_folder
from batchlock.store.journal import Journal
from batchlock.store.journal.tables import BASE_TABLES
from batchlock.store.journals import JournalFiles
from batchlock.store.postgres import postgres_engine
from batchlock.store.schema import metadata
from batchlock.store.sealing import make_key_file, new_key
from batchlock.store.settings import SecretsSettings
from batchlock.store.store import Store

INFO = run_info()
RETRY = run_info(run_id="20260315-020304-aaaa", kind="retry", retry_of=INFO.run_id)
NO_KEY = SecretsSettings()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty state folder."""
    path = tmp_path / "old"
    Store(path).close()
    return path


def add_run(folder: Path, run: Run, rows: int = 4) -> Path:
    """Add a run of updates to a state folder; return the path of its journal."""
    journals = JournalFiles(folder / "runs")
    journals.prepare(run.info.org)
    path = folder / f"{run.run_id}.plan"
    problems = [Problem(1_000_000, "Why", "missing_value", 'A "\0" is in it.')]
    plan = plan_journal(path, [simple_update(row) for row in range(2, rows + 2)], problems=problems)
    journals.add_plan(plan, run.info)
    plan.unlink()
    with Store(folder) as store:
        store.runs.add(run)
    return journals.path(run.info)


def add_used_run(folder: Path) -> Path:
    """Add a run that was killed while it sent: one row updated, one rejected, two in doubt."""
    path = add_run(folder, run_record(INFO))
    with Store(folder) as store, store.journals.open(INFO) as journal:
        run = store.runs.get(INFO.run_id)
        assert run is not None
        store.runs.start_session(run)
        journal.commit_batch([], claim=4)
        rejected = {"code": "INVALID_DATA", "message": "no", "remedy": "Look."}
        outcomes = [make_outcome(2), make_outcome(3, Status.REJECTED, **rejected)]
        journal.commit_batch(outcomes, previous_locks=[PreviousLock(4, LockId(LOCK), "before")])
    return path


def copied(folder: Path, url: str, settings: SecretsSettings = NO_KEY) -> CopiedFolder:
    return copy_folder(folder, url, settings)


def files_of(folder: Path) -> dict[str, str]:
    """Return a hash of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def a_value(column: sa.Column[Any]) -> object:
    """Return a value of the type of a column."""
    values: tuple[tuple[type, object], ...] = (
        (AnyText, "ein \udce4 Name"),
        (UtcTime, datetime(2026, 3, 14, 2, 3, 4, tzinfo=UTC)),
        (sa.JSON, {"a": [1, None, "ü"]}),
        (sa.Boolean, True),
        (sa.Integer, 7),
        (sa.Float, 1.5),
        (sa.LargeBinary, b"\0\xff"),
        (sa.Text, f"the {column.name}"),
    )
    return next(value for kind, value in values if isinstance(column.type, kind))


def test_every_table_is_copied_or_named_as_an_exception(folder: Path, database_url: str) -> None:
    engine = open_database(folder)
    expected = {}
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            values = {column.name: a_value(column) for column in table.columns}
            if table.name == "runs":
                values |= {"state": "stopped", "counts": {}, "titles": []}
                values |= {"stop_code": "stopped", "stop_request": "paused", "snapshot": None}
            if table.name == "secrets":
                continue  # `test_secrets_need_the_key` has one that can be opened
            connection.execute(table.insert().values(values))
            expected[table] = values
    engine.dispose()
    copied(folder, database_url)
    server = postgres_engine(database_url)
    with server.connect() as connection:
        for table, values in expected.items():
            rows = [dict(row) for row in connection.execute(table.select()).mappings()]
            if table.name in LEFT_OUT:
                assert values not in rows
                continue
            (row,) = rows
            ours = {
                "audit_log": ["id"],
                "orgs": ["leaseholder", "lease_until", "epoch", "holder", "process"],
            }
            kept = values.keys() - ours.get(table.name, [])
            assert {name: row[name] for name in kept} == {name: values[name] for name in kept}
    server.dispose()
    assert {table.name for table in copied_tables()} | set(LEFT_OUT) == set(metadata.tables)


def test_a_journal_is_copied_in_full(folder: Path, database_url: str, tmp_path: Path) -> None:
    path = add_used_run(folder)
    copied(folder, database_url)
    tables = dict(zip(("run", *BASE_TABLES[1:]), BASE_TABLES, strict=True))
    with closing(sqlite3.connect(path)) as sql, psycopg.connect(database_url) as server:
        for name, table in tables.items():
            names = [row[1] for row in sql.execute(f"PRAGMA table_info({name})")]
            chosen = ", ".join(f'"{column}"' for column in names)
            query = f"SELECT {chosen} FROM {name} ORDER BY {chosen}"
            here = [tuple(row) for row in sql.execute(query)]
            there = server.execute(query.replace(f"FROM {name}", f"FROM {table}").encode())
            # Only PostgreSQL refuses this character.
            plain = [
                tuple(one.replace("\0", "\ufffd") if isinstance(one, str) else one for one in row)
                for row in here
            ]
            assert sorted(there.fetchall(), key=repr) == sorted(plain, key=repr)


def test_a_killed_run_can_be_resumed_with_its_rows_in_doubt(
    folder: Path, database_url: str, tmp_path: Path
) -> None:
    add_used_run(folder)
    add_run(folder, run_record(RETRY, parent=INFO.run_id))
    before = files_of(folder)
    result = copied(folder, database_url)
    assert (result.rows["runs"], result.journal_rows, result.warnings) == (2, 10, ())
    assert files_of(folder) == before
    with Store(tmp_path / "new", database_url) as store:
        run = store.runs.get(INFO.run_id)
        assert run is not None
        assert (run.state, run.figures.counts[Result.UNKNOWN]) == (RunState.STOPPED, 2)
        with store.open_journal(run) as journal:
            assert [update.row for update in journal.in_doubt()] == [4, 5]
            assert [lock.reason for lock in journal.previous_locks_in_doubt()] == ["before"]
            assert result_by_row(journal)[2] is Result.UPDATED
        assert store.runs.lineage(run)[0].info.retry_of == INFO.run_id
        assert len(store.runs.family(run)) == 2


def test_a_second_call_adds_only_what_is_new(folder: Path, database_url: str) -> None:
    add_used_run(folder)
    with Store(folder) as store:
        store.people.put("ann", "hash")
        store.audit_log.add("acme", "ann", "start", INFO.run_id)
    assert copied(folder, database_url).rows.total() == 3
    assert copied(folder, database_url) == CopiedFolder()
    with Store(folder) as store:
        store.audit_log.add("acme", "ann", "stop", INFO.run_id)
    add_run(folder, run_record(RETRY, parent=INFO.run_id, state=RunState.QUEUED))
    later = copied(folder, database_url)
    assert (dict(+later.rows), later.waiting) == ({"runs": 1, "audit_log": 1}, 1)


def test_a_kill_changes_nothing(folder: Path, database_url: str) -> None:
    for number in range(3):
        info = run_info(run_id=f"2026031{number}-020304-aaaa")
        add_run(folder, run_record(info), rows=2_000)
    code = (
        "import sys; from pathlib import Path;"
        "from batchlock.store.folder_copy import copy_folder;"
        "from batchlock.store.settings import SecretsSettings;"
        "copy_folder(Path(sys.argv[1]), sys.argv[2], SecretsSettings())"
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        # The copy waits for the end of this transaction at the last of its tables.
        with connection.transaction():
            connection.execute("LOCK TABLE audit_log")
            process = subprocess.Popen([sys.executable, "-c", code, str(folder), database_url])
            waiting = "SELECT 1 FROM pg_locks WHERE NOT granted"
            for _ in range(600):
                if connection.execute(waiting).fetchone():
                    break
                time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (0,)
    result = copied(folder, database_url)
    assert (result.rows["runs"], result.journal_rows) == (3, 6_003)


@pytest.mark.parametrize(
    ("place", "what"), [("locks", "a run of acme"), ("web", "the page of acme")]
)
def test_a_folder_that_is_used_is_refused(
    folder: Path, database_url: str, place: str, what: str
) -> None:
    (folder / place).mkdir(exist_ok=True)
    with (
        FileLock(folder / place / "acme.lock"),
        pytest.raises(AlreadyRunning, match=what),
    ):
        copied(folder, database_url)


def test_a_folder_without_a_store_is_refused(tmp_path: Path, database_url: str) -> None:
    with pytest.raises(UsageError, match="no state folder"):
        copied(tmp_path, database_url)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_journal_keeps_its_run(folder: Path, database_url: str, tmp_path: Path) -> None:
    add_run(folder, run_record(INFO)).write_bytes(b"no database at all" * 99)
    add_run(folder, run_record(RETRY, parent=INFO.run_id))
    result = copied(folder, database_url)
    (warning,) = result.warnings
    assert INFO.run_id in warning
    assert "damaged" in warning
    with Store(tmp_path / "new", database_url) as store:
        assert store.runs.get(INFO.run_id) is not None
        with store.journals.open(RETRY) as journal:
            assert journal.remaining() == 4


def test_the_files_of_uploads_are_copied(folder: Path, database_url: str, tmp_path: Path) -> None:
    with Store(folder) as store:
        store.uploads.add("ab12", "acme", "locks.csv", "ann")
        file = store.upload_files.file("ab12", "locks.csv")
        file.parent.mkdir(parents=True)
        file.write_bytes(b"Module\n" * 300_000)  # more than one part
        plan = plan_journal(store.upload_files.new_plan("ab12"), [simple_update(2)])
        Journal.open(plan).close()
    copied(folder, database_url)
    with Store(tmp_path / "new", database_url) as store:
        assert store.upload_files.file("ab12", "locks.csv").read_bytes() == file.read_bytes()
        with Journal.open(store.upload_files.plan("ab12")) as journal:
            assert journal.remaining() == 1
    assert copied(folder, database_url) == CopiedFolder()


def sealed_org(folder: Path, key: SecretsSettings) -> None:
    from batchlock.store.sealing import require_keys

    keys = require_keys(key, folder, is_shared=False)
    secret = keys.seal("acme", "refresh_token", SecretStr("1000.ab"))
    with Store(folder) as store:
        store.orgs.put([an_org("acme")], {"acme": {"refresh_token": secret}})


def an_org(name: str) -> StoredOrg:
    return StoredOrg(
        name=name, data_center="eu", environment="production", api_url=None, accounts_url=None
    )


def test_secrets_need_the_key(folder: Path, database_url: str, tmp_path: Path) -> None:
    key = SecretsSettings(key=SecretStr(new_key()))
    sealed_org(folder, key)
    with pytest.raises(UsageError, match="no key is set"):
        copied(folder, database_url)
    with pytest.raises(UsageError, match="not among the keys"):
        copied(folder, database_url, SecretsSettings(key=SecretStr(new_key())))
    assert copied(folder, database_url, key).rows["orgs"] == 1
    with Store(tmp_path / "new", database_url) as store:
        from batchlock.store.sealing import require_keys

        keys = require_keys(key, folder, is_shared=True)
        assert store.orgs.secrets("acme", keys)["refresh_token"].get_secret_value() == "1000.ab"


def test_the_key_file_of_the_folder_must_become_the_setting(
    folder: Path, database_url: str
) -> None:
    make_key_file(folder)
    sealed_org(folder, NO_KEY)
    with pytest.raises(UsageError, match=r"secrets\.key, which other machines"):
        copied(folder, database_url)
    result = copied(folder, database_url, SecretsSettings(key_file=folder / "secrets.key"))
    assert result.rows["secrets"] == 1


def test_an_org_that_only_has_runs_in_the_database_is_completed(
    folder: Path, database_url: str, tmp_path: Path
) -> None:
    with Store(folder) as store:
        store.orgs.put([an_org("acme")])
    with Store(tmp_path / "new", database_url) as store:
        lease = store.leases.take("acme", "a worker", seconds=60)
        assert lease is not None
        copied(folder, database_url)
        org = store.orgs.get("acme")
        assert org is not None
        assert org.data_center == "eu"
        assert store.leases.renew([lease], seconds=60) == [lease]


def test_a_name_of_two_orgs_is_refused(folder: Path, database_url: str, tmp_path: Path) -> None:
    with Store(folder) as store:
        store.orgs.save_facts("acme", "a", OrgFacts(org_id="1", zgid="2"))
    with Store(tmp_path / "new", database_url) as store:
        store.orgs.save_facts("acme", "b", OrgFacts(org_id="3"))
        with pytest.raises(UsageError, match="another name"):
            copied(folder, database_url)
        store.orgs.save_facts("acme", "b", OrgFacts(zgid="2"))
        copied(folder, database_url)


def test_a_password_for_the_name_of_another_person_is_refused(
    folder: Path, database_url: str, tmp_path: Path
) -> None:
    with Store(folder) as source:
        source.people.put("anna", "hash")
    with Store(tmp_path / "other", database_url) as store:
        store.oidc_people.sign_in("https://login.acme.test", "u-1", "Anna", {"*": "viewer"})
    with pytest.raises(UsageError, match=r"anna has a password in the folder.*Nothing was copied"):
        copied(folder, database_url)
