import pytest
from support.commands import RunCommand
from support.sheets import balanced, lock, rows, sheet
from support.zoho import ORG_CALLS, StandIn, Start

BROKEN = "990000000000000201"
REVOKED = ("990000000000000312", "990000000000000313")
QUICK = {"attempts": 2, "first_wait": 0.01, "longest_wait": 0.05, "give_up_after": 1, "timeout": 5}


def test_an_outage_stops_the_run_after_50_failures(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--fail-from", 31)
    zoho.config(state_directory="state", retry={**QUICK, "give_up_after": 60})
    output = run_in_process("run", sheet("in.csv", rows(300)), "--json").json
    counts = balanced(output)
    assert output["exit_code"] == 6
    assert counts["updated"] == 30
    assert 50 <= counts["failed"] <= 50 + 25  # the calls in flight end as well
    assert "50 rows in a row failed" in output["message"]
    assert output["requests"] <= 30 + 3 * (50 + 50)


def test_failing_rows_among_good_ones_do_not_stop_the_run(
    org: StandIn, run_in_process: RunCommand
) -> None:
    org.config(state_directory="state", retry=QUICK, stop={"consecutive_failures": 3})
    content = rows(20)
    for place in (2, 3, 9, 10, 16, 17):
        content[place] = (("Leads", "Deals", "Cases")[place % 3], BROKEN, lock(place), "why")
    output = run_in_process("run", sheet("in.csv", content), "--json", "--in-flight", 1).json
    assert output["exit_code"] == 3
    assert "not_sent" not in balanced(output)


def test_used_up_credits_stop_the_run_after_few_calls(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--credits", 40 + ORG_CALLS)
    zoho.config(
        state_directory="state",
        retry={"first_wait": 0.2, "longest_wait": 1, "give_up_after": 3},
    )
    output = run_in_process("run", sheet("in.csv", rows(200)), "--json").json
    assert (output["exit_code"], balanced(output)) == (6, {"updated": 40, "not_sent": 160})
    assert "past 24 hours" in output["message"]
    assert output["credits_used"] == 40 + ORG_CALLS
    assert zoho.state()["throttled"] <= 40


def test_a_retry_after_beyond_give_up_after_ends_the_run_at_once(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--credits", 0, "--retry-after", "3600s")
    zoho.config(state_directory="state")
    output = run_in_process("run", sheet("in.csv", rows(50)), "--json").json
    assert (output["exit_code"], balanced(output)) == (6, {"not_sent": 50})
    assert "Zoho asks to wait 3,600 seconds" in output["message"]
    assert zoho.state()["calls"]["put"] <= 5


def test_a_long_back_off_is_not_reported_as_a_request_of_zoho(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--credits", 0)
    zoho.config(state_directory="state", retry={"first_wait": 600, "longest_wait": 600,
                                                "give_up_after": 0.001})  # fmt: skip
    output = run_in_process("run", sheet("in.csv", rows(5)), "--json").json
    assert output["exit_code"] == 6
    assert "No good answer came" in output["message"]


@pytest.mark.parametrize("in_flight", ["auto", "20"])
def test_keep_credits_remain(stand_in: Start, run_in_process: RunCommand, in_flight: str) -> None:
    zoho = stand_in("--credits", 100 + ORG_CALLS, "--latency", "10ms", "--jitter", "10ms")
    zoho.config(state_directory="state", limits={"keep_credits": 30})
    output = run_in_process(
        "run", sheet("in.csv", rows(120)), "--json", "--in-flight", in_flight
    ).json
    balance = zoho.state()["credits_left"]
    # Answers that overtake each other make the balance look lower, and never higher.
    assert 30 <= balance <= 33
    expected = {"updated": 100 - balance, "not_sent": 20 + balance}
    assert (output["exit_code"], balanced(output)) == (6, expected)
    assert "30 are kept for other integrations" in output["message"]


def test_a_run_uses_at_most_max_credits_over_all_sessions(
    org: StandIn, run_in_process: RunCommand
) -> None:
    org.config(state_directory="state", limits={"max_credits": 25})
    file = sheet("in.csv", rows(60))
    output = run_in_process("run", file, "--json").json
    assert (output["exit_code"], balanced(output)) == (6, {"updated": 25, "not_sent": 35})
    assert "has spent the 25 credits it may (limits.max_credits)" in output["message"]
    again = run_in_process("run", file, "--json").json
    assert (again["exit_code"], again["credits_used"]) == (6, 25)
    assert org.state()["calls"]["put"] == 25


def test_each_revoked_token_is_refreshed_once(org: StandIn, run_in_process: RunCommand) -> None:
    content = rows(60)
    content[20] = ("Leads", REVOKED[0], lock(1000), "why")
    content[40] = ("Leads", REVOKED[1], lock(1001), "why")
    # So few in flight that the second token is not in use yet when the first one is revoked.
    output = run_in_process("run", sheet("in.csv", content), "--json", "--in-flight", 4).json
    assert (output["exit_code"], balanced(output)) == (0, {"updated": 60})
    assert org.state()["token_requests"] == 3


def test_tokens_with_a_short_lifetime_fail_no_row(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--token-lifetime", "2s", "--latency", "100ms")
    zoho.config(state_directory="state")
    output = run_in_process("run", sheet("in.csv", rows(120)), "--json", "--in-flight", 4).json
    state = zoho.state()
    assert (output["exit_code"], balanced(output)) == (0, {"updated": 120})
    # A token this short is used for half of its lifetime, so there is about one a second.
    assert 2 <= state["token_requests"] <= 5 + output["seconds"]
    assert state["updates"] == 120
