import asyncio
from contextlib import closing
from pathlib import Path

import pytest
from support.commands import RunCommand
from support.runs import STATE, new_engine, results
from support.sheets import balanced, lock, record, rows, sheet
from support.zoho import StandIn, Start


def test_strict_sends_nothing_and_leaves_nothing_to_resume(
    org: StandIn, run_in_process: RunCommand
) -> None:
    content = [*rows(2), ("Leeds", record(4), lock(4), "why")]
    file = sheet("in.csv", content)
    completed = run_in_process("run", file, "--strict", "--json")
    assert completed.code == completed.json["exit_code"] == 3
    assert balanced(completed.json) == {"invalid": 1, "not_sent": 2}
    assert results(completed.json) == ["not_sent", "not_sent", "invalid"]
    assert completed.json["resume"] is None
    assert org.state()["calls"]["put"] == 0
    resumed = run_in_process("resume", "--json")
    assert (resumed.code, resumed.json["run_id"]) == (0, None)
    anew = run_in_process("run", file, "--json")
    assert anew.json["run_id"] != completed.json["run_id"]
    assert "Resuming" not in anew.err
    assert balanced(anew.json) == {"updated": 2, "invalid": 1}


def test_strict_sends_a_file_without_problems(org: StandIn, run_in_process: RunCommand) -> None:
    assert run_in_process("run", sheet("in.csv", rows(2)), "--strict").code == 0
    assert org.state()["updates"] == 2


def test_an_unfinished_run_can_be_resumed_as_strict(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in()
    zoho.config(state_directory=str(STATE), zoho={"refresh_token": "revoked"})
    file = sheet("in.csv", [*rows(2), ("Leeds", record(4), lock(4), "why")])
    assert run_in_process("run", file).code == 5
    zoho.config(state_directory=str(STATE))
    completed = run_in_process("run", file, "--strict", "--json")
    assert completed.code == completed.json["exit_code"] == 3
    assert zoho.state()["calls"]["put"] == 0
    assert "Nothing was sent, because 1 row has problems" in completed.json["message"]
    assert completed.json["resume"] is None
    assert "no unfinished run" in run_in_process("resume").out


def test_a_strict_run_stays_strict_when_it_is_resumed(
    org: StandIn, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = sheet("in.csv", [*rows(2), ("Leeds", record(4), lock(4), "why")])
    monkeypatch.setenv("BATCHLOCK_INPUT__STRICT", "yes")
    with closing(new_engine()) as engine:
        asyncio.run(engine.plan(file, Path("in.plan")))
        engine.start(Path("in.plan"))
    monkeypatch.delenv("BATCHLOCK_INPUT__STRICT")
    completed = run_in_process("resume", "--json")
    assert (completed.code, balanced(completed.json)) == (3, {"invalid": 1, "not_sent": 2})
    assert completed.json["resume"] is None
    assert "no unfinished run" in run_in_process("resume").out
    assert org.state()["calls"]["put"] == 0


def test_a_late_strict_refusal_does_not_say_that_nothing_was_sent(
    org: StandIn, run_in_process: RunCommand
) -> None:
    org.config(state_directory=str(STATE), limits={"max_credits": 1})
    file = sheet("in.csv", [*rows(2), ("Leeds", record(4), lock(4), "why")])
    assert run_in_process("run", file).code == 6
    org.config(state_directory=str(STATE))
    completed = run_in_process("run", file, "--strict", "--json").json
    assert "Nothing more was sent, because 1 row has problems" in completed["message"]
    assert balanced(completed) == {"updated": 1, "invalid": 1, "not_sent": 1}
    resumed = run_in_process(*completed["resume"].split()[1:], "--json")
    assert balanced(resumed.json) == {"updated": 2, "invalid": 1}


def test_a_strict_refusal_cannot_be_resumed(run_in_process: RunCommand, org: StandIn) -> None:
    sheet("orders.csv", [*rows(1), ("Leed", record(9), lock(9), "why")])
    refused = run_in_process("run", "orders.csv", "--strict", "--json")
    assert refused.code == 3
    resumed = run_in_process("resume", refused.json["run_id"])
    assert resumed.code == 0
    assert "no unfinished run" in resumed.out
    assert org.state()["calls"]["put"] == 0
