import asyncio
from pathlib import Path

import pytest
from support.commands import Run
from support.runs import STATE, new_runner, results
from support.sheets import balanced, lock, record, rows, sheet
from support.zoho import StandIn, Start


def test_strict_sends_nothing_and_leaves_nothing_to_resume(org: StandIn, here: Run) -> None:
    content = [*rows(2), ("Leeds", record(4), lock(4), "why")]
    file = sheet("in.csv", content)
    done = here("run", file, "--strict", "--json")
    assert done.code == done.json["exit_code"] == 3
    assert balanced(done.json) == {"invalid": 1, "not_sent": 2}
    assert results(done.json) == ["not_sent", "not_sent", "invalid"]
    assert done.json["resume"] is None
    assert org.state()["calls"]["put"] == 0
    resumed = here("resume", "--json")
    assert (resumed.code, resumed.json["run_id"]) == (0, None)
    anew = here("run", file, "--json")
    assert anew.json["run_id"] != done.json["run_id"]
    assert "Resuming" not in anew.err
    assert balanced(anew.json) == {"updated": 2, "invalid": 1}


def test_strict_sends_a_file_without_problems(org: StandIn, here: Run) -> None:
    assert here("run", sheet("in.csv", rows(2)), "--strict").code == 0
    assert org.state()["updates"] == 2


def test_an_unfinished_run_can_be_resumed_as_strict(stand_in: Start, here: Run) -> None:
    zoho = stand_in()
    zoho.config(state_directory=str(STATE), zoho={"refresh_token": "revoked"})
    file = sheet("in.csv", [*rows(2), ("Leeds", record(4), lock(4), "why")])
    assert here("run", file).code == 5
    zoho.config(state_directory=str(STATE))
    done = here("run", file, "--strict", "--json")
    assert done.code == done.json["exit_code"] == 3
    assert zoho.state()["calls"]["put"] == 0
    assert "Nothing was sent, because 1 row has problems" in done.json["message"]
    assert done.json["resume"] is None
    assert "no unfinished run" in here("resume").out


def test_a_strict_run_stays_strict_when_it_is_resumed(
    org: StandIn, here: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = sheet("in.csv", [*rows(2), ("Leeds", record(4), lock(4), "why")])
    monkeypatch.setenv("BATCHLOCK_INPUT__STRICT", "yes")
    asyncio.run(new_runner().plan(file, Path("in.plan")))
    new_runner().start(Path("in.plan"))
    monkeypatch.delenv("BATCHLOCK_INPUT__STRICT")
    done = here("resume", "--json")
    assert (done.code, balanced(done.json)) == (3, {"invalid": 1, "not_sent": 2})
    assert done.json["resume"] is None
    assert "no unfinished run" in here("resume").out
    assert org.state()["calls"]["put"] == 0


def test_a_late_strict_refusal_does_not_say_that_nothing_was_sent(org: StandIn, here: Run) -> None:
    org.config(state_directory=str(STATE), limits={"max_credits": 1})
    file = sheet("in.csv", [*rows(2), ("Leeds", record(4), lock(4), "why")])
    assert here("run", file).code == 6
    org.config(state_directory=str(STATE))
    done = here("run", file, "--strict", "--json").json
    assert "Nothing more was sent, because 1 row has problems" in done["message"]
    assert balanced(done) == {"updated": 1, "invalid": 1, "not_sent": 1}
    resumed = here(*done["resume"].split()[1:], "--json")
    assert balanced(resumed.json) == {"updated": 2, "invalid": 1}


def test_a_strict_refusal_cannot_be_resumed(here: Run, org: StandIn) -> None:
    sheet("orders.csv", [*rows(1), ("Lead", record(9), lock(9), "why")])
    refused = here("run", "orders.csv", "--strict", "--json")
    assert refused.code == 3
    resumed = here("resume", refused.json["run_id"])
    assert resumed.code == 0
    assert "no unfinished run" in resumed.out
    assert org.state()["calls"]["put"] == 0
