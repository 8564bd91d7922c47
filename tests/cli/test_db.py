"""`batchlock db`: the tables in the database of many orgs."""

from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from support.commands import RunCommand

from batchlock.store import postgres


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHLOCK_STATE_DIRECTORY", str(tmp_path / "state"))


def test_upgrade_makes_the_tables_and_says_so(
    empty_database_url: str, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHLOCK_DATABASE", empty_database_url)
    before = run_in_process("db", "status")
    assert (before.code, "batchlock db upgrade" in before.err) == (2, True)
    assert run_in_process("db", "upgrade").out.startswith("The tables were made")
    assert "already" in run_in_process("db", "upgrade").out
    after = run_in_process("db", "status")
    assert (after.code, "this version" in after.out) == (0, True)


def test_older_tables_are_brought_to_this_version(
    empty_database_url: str, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHLOCK_DATABASE", empty_database_url)
    run_in_process("db", "upgrade")
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0003'")
    assert "older version" in run_in_process("db", "status").err


@pytest.mark.parametrize("command", ["upgrade", "status"])
def test_without_a_database_the_setting_is_named(run_in_process: RunCommand, command: str) -> None:
    completed = run_in_process("db", command)
    assert completed.code == 2
    assert "postgresql://user@host/name" in completed.err


@pytest.mark.parametrize("package", ["psycopg", "procrastinate", "prometheus_client"])
def test_a_missing_package_is_named_in_a_sentence(
    package: str, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHLOCK_DATABASE", "postgresql://localhost/none")
    monkeypatch.setattr(
        postgres, "find_spec", lambda name: None if name == package else find_spec(name)
    )
    completed = run_in_process("worker")
    assert completed.code == 2
    assert "pip install 'batchlock[fleet]'" in completed.err
