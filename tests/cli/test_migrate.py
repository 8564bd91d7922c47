"""`batchlock migrate`: the state folder of one machine becomes a database of many."""

from pathlib import Path

import pytest
from support.commands import RunCommand
from support.sheets import rows, sheet
from support.zoho import StandIn

from batchlock.core.runs import RunState
from batchlock.store.store import Store


def test_a_state_folder_is_copied_once(
    org: StandIn,
    run_in_process: RunCommand,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    completed = run_in_process("run", sheet("in.csv", rows(3)), "--json")
    assert completed.code == 0
    monkeypatch.setenv("BATCHLOCK_DATABASE", database_url)
    first = run_in_process("migrate", "state")
    assert first.code == 0
    assert "1 run," in first.out
    assert "3 rows" in first.out
    assert "already" in run_in_process("migrate", "state").out
    with Store(Path("other"), database_url) as store:
        run = store.runs.get(completed.json["run_id"])
        assert run is not None
        assert run.state is RunState.FINISHED
    # The same content was sent before, also for a command that uses the database.
    assert run_in_process("report", completed.json["run_id"]).code == 0


def test_without_a_database_the_setting_is_named(run_in_process: RunCommand) -> None:
    completed = run_in_process("migrate", "state")
    assert (completed.code, "postgresql://user@host/name" in completed.err) == (2, True)
