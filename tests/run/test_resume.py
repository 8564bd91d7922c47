from pathlib import Path

import pytest
from support.commands import RunCommand
from support.runs import STATE, journals
from support.sheets import TITLES, balanced, lines, lock, rows, sheet
from support.zoho import StandIn, Start

# The stand-in refuses every call for this record.
REFUSED = "990000000000000103"


def test_rows_that_an_earlier_run_did_are_left_alone(
    org: StandIn, run_in_process: RunCommand
) -> None:
    file = sheet("in.csv", [*rows(3), ("Leads", REFUSED, lock(9), "why")])
    first = run_in_process("run", file, "--json")
    second = run_in_process("run", file, "--json")
    assert "was finished before" in second.err
    assert balanced(first.json) == {"updated": 3, "rejected": 1}
    assert (second.code, balanced(second.json)) == (3, {"unchanged": 3, "rejected": 1})
    assert second.json["run_id"] != first.json["run_id"]
    assert first.json["output"] != second.json["output"]
    assert (org.state()["updates"], org.state()["calls"]["put"]) == (3, 5)
    messages = {line["Message"] for line in lines(second.json["output"])[:3]}
    assert all(message.startswith("An earlier run did this row on 20") for message in messages)


def test_fresh_sends_every_row_again(org: StandIn, run_in_process: RunCommand) -> None:
    file = sheet("in.csv", rows(3))
    run_in_process("run", file)
    again = run_in_process("run", file, "--fresh", "--json")
    assert (again.code, balanced(again.json)) == (0, {"updated": 3})
    assert "every row goes out again" in again.err
    assert org.state()["updates"] == 6


def test_rows_that_a_retry_did_are_left_alone_too(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--fail-from", 1, "--fail-calls", 2)
    zoho.config(state_directory=str(STATE), retry={"attempts": 1}, limits={"in_flight": 1})
    file = sheet("in.csv", rows(3))
    first = run_in_process("run", file, "--json").json
    assert balanced(first) == {"failed": 2, "updated": 1}
    run_in_process("retry", first["run_id"])
    again = run_in_process("run", file, "--json")
    assert (again.code, balanced(again.json)) == (0, {"unchanged": 3})
    assert zoho.state()["updates"] == 3


def test_a_strict_refusal_is_no_earlier_run(org: StandIn, run_in_process: RunCommand) -> None:
    file = sheet("in.csv", [*rows(1), ("x", "1", "2", "")])
    run_in_process("run", file, "--strict")
    done = run_in_process("run", file, "--json")
    assert "finished before" not in done.err
    assert balanced(done.json) == {"updated": 1, "invalid": 1}


@pytest.mark.parametrize(
    ("options", "resumes"),
    [
        ((), True),
        (("-o", "elsewhere.csv"), True),
        (("--column", "reason=Reason"), False),
        (("--fresh",), False),
    ],
)
def test_only_a_run_with_the_same_identity_is_resumed(
    stand_in: Start, run_in_process: RunCommand, options: tuple[str, ...], resumes: bool
) -> None:
    zoho = stand_in()
    file = sheet("in.csv", rows(4))
    zoho.config(state_directory=str(STATE), zoho={"refresh_token": "revoked"})
    before = run_in_process("run", file, "--json").json
    zoho.config(state_directory=str(STATE))
    after = run_in_process("run", file, "--json", *options)
    assert (after.json["run_id"] == before["run_id"]) is resumes
    assert ("Resuming run" in after.err) is resumes
    assert ("Use --fresh to start a new run" in after.err) is resumes
    assert balanced(after.json) == {"updated": 4}


def test_a_fresh_run_closes_the_older_one(org: StandIn, run_in_process: RunCommand) -> None:
    file = sheet("in.csv", rows(4))
    before = run_in_process("run", file, "--json", "--max-runtime", "1ms").json
    assert balanced(before) == {"not_sent": 4}
    fresh = run_in_process("run", file, "--json", "--fresh").json
    assert balanced(fresh) == {"updated": 4}
    assert "no unfinished run" in run_in_process("resume").out
    assert "no unfinished run" in run_in_process("resume", before["run_id"]).out
    assert f"was started: {fresh['run_id']}" in run_in_process("show", before["run_id"]).out
    assert org.state()["updates"] == 4


def test_a_changed_file_starts_a_new_run(stand_in: Start, run_in_process: RunCommand) -> None:
    zoho = stand_in()
    zoho.config(state_directory=str(STATE), zoho={"refresh_token": "revoked"})
    before = run_in_process("run", sheet("in.csv", rows(4)), "--json").json
    zoho.config(state_directory=str(STATE))
    after = run_in_process("run", sheet("in.csv", rows(3)), "--json").json
    assert after["run_id"] != before["run_id"]
    assert balanced(after) == {"updated": 3}


@pytest.mark.parametrize("command", ["resume", "retry"])
def test_a_run_is_not_resumed_at_another_address(
    stand_in: Start, run_in_process: RunCommand, command: str
) -> None:
    zoho = stand_in()
    zoho.config(state_directory=str(STATE), zoho={"refresh_token": "revoked"})
    before = run_in_process("run", sheet("in.csv", rows(2)), "--json").json
    zoho.config(state_directory=str(STATE), zoho={"environment": "sandbox"})
    after = run_in_process(command, before["run_id"], "--json")
    assert after.code == 2
    assert len(journals()) == 1
    assert "production" in after.json["message"]
    assert "sandbox" in after.json["message"]
    assert zoho.state()["calls"]["put"] == 0


def test_the_results_come_from_the_journal_when_the_file_is_gone(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in()
    zoho.config(state_directory=str(STATE), zoho={"refresh_token": "revoked"})
    file = sheet("in.csv", rows(4))
    result = run_in_process("run", file, "--json").json
    file.unlink()
    zoho.config(state_directory=str(STATE))
    completed = run_in_process("resume", "--json", "-o", "out.csv")
    assert (completed.code, completed.json["run_id"]) == (0, result["run_id"])
    assert "--fresh" not in completed.err
    assert [tuple(line[title] for title in TITLES) for line in lines("out.csv")] == rows(4)


def test_another_encoding_never_resumes_the_run_with_the_wrong_one(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in()
    zoho.config(state_directory=str(STATE), limits={"in_flight": 1, "max_credits": 1})
    content = ("Module,Record Id,Lock Id,Reason\n" + "\n".join(
        f"Leads,58431040000000{n:04d},68431040000000{n:04d},umowa zako\u0144czona" for n in range(2)
    ))  # fmt: skip
    Path("in.csv").write_bytes(content.encode("cp1250"))
    wrong = run_in_process("run", "in.csv", "--encoding", "cp1252", "--json")
    assert wrong.code == 6
    right = run_in_process("run", "in.csv", "--encoding", "cp1250", "--json").json
    assert right["run_id"] != wrong.json["run_id"]
    (first, *_) = lines(right["output"])
    assert first["Reason"] == "umowa zako\u0144czona"
    assert run_in_process("resume", wrong.json["run_id"], "--json").json["requests"] == 0
