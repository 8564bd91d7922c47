import pytest
from support.commands import RunCommand
from support.sheets import balanced, rows, sheet
from support.zoho import Start


def test_calls_that_hang_end_at_the_deadline(stand_in: Start, run_in_process: RunCommand) -> None:
    zoho = stand_in("--faults", "hang=1")
    # So few credits are not spent on questions about the org, which would hang too.
    zoho.config(state_directory="state", retry={"timeout": 60}, limits={"max_credits": 40})
    planned = run_in_process("run", sheet("in.csv", rows(9)), "--json", "--max-runtime", "1ms").json
    assert (planned["exit_code"], balanced(planned)) == (6, {"not_sent": 9})
    output = run_in_process("resume", "--json", "--max-runtime", "3s").json
    counts = balanced(output)
    assert output["exit_code"] == 6
    assert "the time for this run is over" in output["message"]
    assert counts["unknown"] == zoho.state()["calls"]["put"]
    assert counts["unknown"] + counts["not_sent"] == 9


@pytest.mark.parametrize("token", ["throttled", "mine"])
def test_a_start_that_waits_ends_at_the_deadline(
    stand_in: Start, run_in_process: RunCommand, token: str
) -> None:
    # It waits for a token, or for the answer that names the org.
    zoho = stand_in("--faults", "hang=1")
    zoho.config(state_directory="state", zoho={"refresh_token": token, "organization_id": "123"})
    output = run_in_process("run", sheet("in.csv", rows(3)), "--json", "--max-runtime", "2s").json
    assert (output["exit_code"], balanced(output)) == (6, {"not_sent": 3})
    assert "the time for this run is over" in output["message"]
    assert output["resume"]
    assert zoho.state()["calls"]["put"] == 0
