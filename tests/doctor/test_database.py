"""`batchlock doctor` with the setting `database`: tables, workers and schedules."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.commands import RunCommand
from support.doctor import check_of, states
from support.schedules import schedule

from batchlock.store.schema import workers
from batchlock.store.store import Store


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test ask Zoho itself."""
    for name in ("API_URL", "ACCOUNTS_URL"):
        monkeypatch.setenv(f"BATCHLOCK_ZOHO__{name}", "http://127.0.0.1:1")


@pytest.fixture
def store(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    monkeypatch.setenv("BATCHLOCK_DATABASE", database_url)
    monkeypatch.setenv("BATCHLOCK_STATE_DIRECTORY", str(tmp_path / "state"))
    return Store(tmp_path / "other", database_url)


def doctor(run: RunCommand, check_id: str) -> tuple[str, str]:
    check = check_of(run("doctor", "--json"), check_id)
    return check["state"], check["message"]


def add_worker(store: Store, *, version: str, seconds_ago: float = 0) -> None:
    store.workers.beat(f"w{version}", started_at=datetime.now(UTC), runs=0, stopping=False)
    change = workers.update().where(workers.c.worker == f"w{version}")
    heartbeat_at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    with store._engine.begin() as connection:
        connection.execute(change.values(version=version, heartbeat_at=heartbeat_at))


def test_workers_and_schedules_are_looked_at(
    store: Store, run_in_process: RunCommand, tmp_path: Path
) -> None:
    from batchlock import __version__

    with store:
        assert doctor(run_in_process, "work.workers")[0] == "doubtful"
        one = schedule("/in/*.csv", next_at=datetime.now(UTC) - timedelta(hours=1))
        store.schedules.add(one)
        assert doctor(run_in_process, "work.workers")[0] == "bad"
        state, message = doctor(run_in_process, "work.schedules")
        assert (state, one.schedule_id in message) == ("doubtful", True)
        add_worker(store, version=__version__)
        assert doctor(run_in_process, "work.workers") == (
            "good",
            "1 worker of this version at work.",
        )
        add_worker(store, version="0.0.1")
        state, message = doctor(run_in_process, "work.workers")
        assert (state, "0.0.1" in message) == ("doubtful", True)
        add_worker(store, version="0.0.1", seconds_ago=300)
        assert "not heard of" in doctor(run_in_process, "work.workers")[1]
        store.schedules.pause(one.schedule_id, "me")
        assert doctor(run_in_process, "work.schedules") == ("good", "1 schedule, 1 of them paused.")
    # The state folder is not needed, and was not made.
    assert not (tmp_path / "state").exists()


def test_a_database_without_tables_is_bad_and_gets_none(
    empty_database_url: str, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHLOCK_DATABASE", empty_database_url)
    result = run_in_process("doctor", "--json")
    assert result.code == 2
    assert "db upgrade" in check_of(result, "store.tables")["what_to_do"]
    assert states(result)["work.runs"] == "skipped"
    engine = sa.create_engine(empty_database_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == []
    engine.dispose()


def test_a_database_that_is_away_is_bad_and_its_password_is_not_shown(
    run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHLOCK_DATABASE", "postgresql://me:hush-hush@127.0.0.1:1/batchlock")
    result = run_in_process("doctor", "--json")
    assert result.code == 2
    assert check_of(result, "store.tables")["state"] == "bad"
    assert "hush-hush" not in result.out + result.err
    offline = run_in_process("doctor", "--json", "--offline")
    assert states(offline)["store.tables"] == "skipped"
