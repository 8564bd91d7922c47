from contextlib import closing

import pytest
from support.commands import RunCommand
from support.runs import BROKEN, REJECTED, STATE, by_row, journals, new_engine, recorded, results
from support.sheets import balanced, lines, lock, record, rows, sheet
from support.zoho import StandIn, Start

from batchlock.core.errors import UsageError
from batchlock.core.runs import RunState


def test_no_retry_starts_for_another_address(org: StandIn, run_in_process: RunCommand) -> None:
    result = run_in_process(
        "run", sheet("in.csv", [("Leads", REJECTED, lock(8), "why")]), "--json"
    ).json
    org.config(state_directory=str(STATE), zoho={"environment": "sandbox"})
    with (
        closing(new_engine()) as engine,
        pytest.raises(UsageError, match=r"belongs to production .* says sandbox"),
    ):
        engine.start_retry(result["run_id"])
    assert len(journals()) == 1


def test_retry_sends_the_rows_that_were_not_updated(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--fail-from", 3, "--fail-calls", 2)
    zoho.config(state_directory=str(STATE), retry={"attempts": 1, "first_wait": 0.01})
    content = [*rows(3), ("Leeds", record(4), lock(4), "why"), rows(3)[2]]
    first = run_in_process("run", sheet("in.csv", content), "--json", "--in-flight", 1).json
    assert results(first) == ["updated", "updated", "failed", "invalid", "duplicate"]
    again = run_in_process("retry", first["run_id"], "--json")
    assert again.code == 3
    assert again.json["run_id"] != first["run_id"]
    assert again.json["rows"] == len(lines(again.json["output"]))
    assert f"Leads/{record(3)}" in zoho.locks()
    counts = balanced(again.json)
    assert counts["updated"] == 1
    assert counts["invalid"] == 1


def test_a_complete_run_has_nothing_to_retry(org: StandIn, run_in_process: RunCommand) -> None:
    result = run_in_process("run", sheet("in.csv", rows(2)), "--json").json
    completed = run_in_process("retry", result["run_id"], "--json")
    assert (completed.code, completed.json["exit_code"], completed.json["rows"]) == (0, 0, 0)
    assert "Every row" in completed.json["message"]
    assert org.state()["calls"]["put"] == 2


def test_rows_of_a_closed_run_say_why_it_is_not_resumed(
    org: StandIn, run_in_process: RunCommand
) -> None:
    file = sheet("in.csv", [*rows(2), ("Leeds", record(4), lock(4), "why")])
    refused = run_in_process("run", file, "--strict", "--json").json
    why = "Nothing was sent, because 1 row has problems. Correct the file, then run it again."
    assert by_row(refused)[2]["What to do"] == f"This run cannot be resumed. {why}"
    assert f"This run cannot be resumed. {why}" in run_in_process("show", refused["run_id"]).out
    left = run_in_process("run", file, "--json", "--max-runtime", "1ms").json
    assert "is sent when the run is resumed" in by_row(left)[2]["What to do"]
    new = run_in_process("retry", left["run_id"], "--json").json["run_id"]
    again = run_in_process("report", left["run_id"], "--json").json
    assert by_row(again)[2]["What to do"].endswith(f"were moved to run {new}.")
    resumed = run_in_process("resume", left["run_id"])
    assert resumed.code == 0
    assert f"The remaining rows were moved to run {new}." in resumed.err


def test_an_interrupted_retry_is_resumed(stand_in: Start, run_in_process: RunCommand) -> None:
    zoho = stand_in()
    zoho.config(state_directory=str(STATE))
    content = [("Leads", REJECTED, lock(8), "why")]
    first = run_in_process("run", sheet("in.csv", content), "--json").json
    zoho.config(state_directory=str(STATE), org="default", zoho={"refresh_token": "revoked"})
    stopped = run_in_process("retry", first["run_id"], "--json")
    zoho.config(state_directory=str(STATE))
    gone_on = run_in_process("retry", first["run_id"], "--json")
    assert (stopped.code, gone_on.code) == (5, 3)
    assert stopped.json["run_id"] == gone_on.json["run_id"]


def test_a_retry_owns_the_rows_as_soon_as_it_is_recorded(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in()
    zoho.config(state_directory=str(STATE))
    left = run_in_process("run", sheet("in.csv", rows(5)), "--json", "--max-runtime", "1ms").json
    with closing(new_engine()) as engine:
        new = engine.start_retry(left["run_id"])
    assert new is not None
    assert recorded(left["run_id"]).state is RunState.SUPERSEDED
    finished = run_in_process("resume", "--json").json
    assert (finished["run_id"], balanced(finished)) == (new.run_id, {"updated": 5})
    assert "no unfinished run" in run_in_process("resume").out
    assert "no unfinished run" in run_in_process("resume", left["run_id"]).out
    assert {one["state"] for one in run_in_process("runs", "--json").json["runs"]} == {"finished"}
    assert zoho.state()["calls"]["put"] == 5


@pytest.mark.parametrize("options", [(), ("--only", "failed")])
def test_a_retry_resumes_an_unfinished_retry_of_the_same_run(
    stand_in: Start, run_in_process: RunCommand, options: tuple[str, ...]
) -> None:
    zoho = stand_in("--fail-from", 1, "--fail-calls", 4)
    zoho.config(state_directory=str(STATE), retry={"attempts": 1, "first_wait": 0.01})
    first = run_in_process("run", sheet("in.csv", rows(2)), "--json", "--in-flight", 1).json
    assert balanced(first) == {"failed": 2}
    begun = run_in_process("retry", first["run_id"], "--json", "--max-runtime", "1ms").json
    assert balanced(begun) == {"not_sent": 2}
    completed = run_in_process("retry", first["run_id"], "--json", *options).json
    assert (completed["run_id"], balanced(completed)) == (begun["run_id"], {"updated": 2})
    again = run_in_process("retry", first["run_id"], "--json", *options)
    assert (again.code, again.json["run_id"]) == (0, None)
    assert zoho.state()["updates"] == 2


def test_refused_rows_that_a_retry_excluded_can_be_retried_later(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--fail-from", 2, "--fail-calls", 4)
    zoho.config(state_directory=str(STATE), retry={"attempts": 1, "first_wait": 0.01})
    content = [("Leads", REJECTED, lock(8), "why"), *rows(2)]
    first = run_in_process("run", sheet("in.csv", content), "--json", "--in-flight", 1).json
    assert results(first) == ["rejected", "failed", "failed"]
    only = ("retry", first["run_id"], "--json", "--only", "failed")
    assert balanced(run_in_process(*only).json) == {"updated": 2}
    assert run_in_process(*only).json["run_id"] is None
    every = run_in_process("retry", first["run_id"], "--json").json
    assert (balanced(every), set(by_row(every))) == ({"rejected": 1}, {2})
    assert zoho.state()["updates"] == 2


def test_retry_sends_refused_rows_again_except_with_only_failed(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in()
    zoho.config(retry={"attempts": 1, "first_wait": 0.01})
    content = [
        *rows(2),
        ("Leads", REJECTED, lock(7), "why"),
        ("Leads", BROKEN, lock(8), "why"),
        ("Leads", REJECTED, lock(7), "why"),
        ("Leeds", record(9), lock(9), "why"),
    ]
    first = run_in_process("run", sheet("in.csv", content), "--json").json
    assert balanced(first) == {
        "updated": 2, "rejected": 1, "failed": 1, "duplicate": 1, "invalid": 1,
    }  # fmt: skip
    only = run_in_process("retry", first["run_id"], "--only", "failed", "--json").json
    assert balanced(only) == {"failed": 1, "invalid": 1}
    assert [line["Source row"] for line in lines(only["output"])] == [5, 7]
    every = run_in_process("retry", first["run_id"], "--json").json
    assert balanced(every) == {"rejected": 1, "failed": 1, "duplicate": 1, "invalid": 1}


def test_only_failed_has_nothing_to_retry_when_the_rest_was_refused(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in()
    zoho.config()
    first = run_in_process(
        "run", sheet("in.csv", [*rows(1), ("Leads", REJECTED, lock(7), "w")]), "--json"
    )
    completed = run_in_process("retry", first.json["run_id"], "--only", "failed", "--json")
    assert (completed.code, completed.json["rows"]) == (0, 0)
    assert completed.json["message"].endswith("except those that Zoho refused.")
    assert zoho.state()["calls"]["put"] == 2
