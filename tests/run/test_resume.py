import pytest
from support.commands import RunCommand
from support.runs import STATE, journals
from support.sheets import TITLES, balanced, lines, rows, sheet
from support.zoho import StandIn, Start


def test_a_finished_file_is_sent_again_with_a_message(
    org: StandIn, run_in_process: RunCommand
) -> None:
    file = sheet("in.csv", rows(3))
    first = run_in_process("run", file, "--json")
    second = run_in_process("run", file, "--json")
    assert "was finished before" in second.err
    assert balanced(second.json) == {"updated": 3}
    assert second.json["run_id"] != first.json["run_id"]
    assert first.json["output"] != second.json["output"]
    assert org.state()["updates"] == 6


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
