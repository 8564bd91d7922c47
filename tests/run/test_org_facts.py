"""What a run does with what the org says about itself, and without it."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from support.commands import RunCommand
from support.sheets import balanced, record, rows, sheet
from support.zoho import ORG_CALLS, StandIn, Start

ALL_MODULES = "ZohoCRM.modules.ALL"
SANDBOX = ("--org-type", "sandbox")


def change(zoho: StandIn, **behaviour: Any) -> None:
    """Change the behaviour of a stand-in that runs."""
    request = urllib.request.Request(
        f"{zoho.url}/simulator/behaviour", data=json.dumps(behaviour).encode(), method="POST"
    )
    with urllib.request.urlopen(request) as response:
        assert response.status == 200


def asked(zoho: StandIn) -> int:
    count: int = zoho.state()["calls"]["other"]
    return count


def labelled(*modules: str, name: str = "in.csv") -> Path:
    content = [(module, record(at), "", "why") for at, module in enumerate(modules, 1)]
    return sheet(name, content)


def test_the_org_is_asked_once_a_day(stand_in: Start, run_in_process: RunCommand) -> None:
    zoho = stand_in("--edition", "enterprise", "--users", 20)
    zoho.config(state_directory="state")
    first = run_in_process("run", sheet("in.csv", rows(3)), "--json")
    assert (first.json["exit_code"], first.json["credits_used"]) == (0, 3 + ORG_CALLS)
    assert first.json["read_as"]["day_credits"] == 70_000
    second = run_in_process("run", sheet("other.csv", rows(4)))
    assert "4 calls, 4 credits of about 70,000 in a day" in second.err
    assert asked(zoho) == ORG_CALLS
    # Another sign-in may belong to another org.
    zoho.config(state_directory="state", zoho={"refresh_token": "another"})
    assert run_in_process("run", sheet("third.csv", rows(5))).code == 0
    assert asked(zoho) == 2 * ORG_CALLS


def test_a_run_begins_at_the_limit_of_the_edition(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--edition", "enterprise", "--latency", "300ms")
    zoho.config(state_directory="state")
    output = run_in_process("run", sheet("in.csv", rows(40)), "--json").json
    assert (balanced(output), output["in_flight_peak"]) == ({"updated": 40}, 20)
    assert zoho.state()["throttled"] == 0


@pytest.mark.parametrize(
    ("limits", "peak"), [({"max_in_flight": 3}, 3), ({"in_flight": 12}, 12)], ids=str
)
def test_the_settings_bound_the_calls_below_the_limit_of_the_edition(
    stand_in: Start, run_in_process: RunCommand, limits: dict[str, int], peak: int
) -> None:
    zoho = stand_in("--edition", "enterprise", "--latency", "100ms")
    zoho.config(state_directory="state", limits=limits)
    assert run_in_process("run", sheet("in.csv", rows(30)), "--json").json["in_flight_peak"] == peak


def test_a_sandbox_is_told_from_production_before_the_first_row(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in(*SANDBOX)
    zoho.config(state_directory="state")
    output = run_in_process("run", sheet("in.csv", rows(3)), "--json").json
    assert (output["exit_code"], balanced(output)) == (2, {"not_sent": 3})
    assert "is of the type sandbox, but zoho.environment is production" in output["message"]
    assert output["credits_used"] == ORG_CALLS
    # A resumed run has it from the store.
    again = run_in_process("run", "in.csv", "--json").json
    assert (again["exit_code"], asked(zoho)) == (2, ORG_CALLS)
    assert zoho.state()["calls"]["put"] == 0
    zoho.config(state_directory="state", zoho={"environment": "sandbox"})
    assert run_in_process("run", "in.csv", "--json").json["exit_code"] == 0


def test_a_type_that_is_no_environment_is_no_reason_to_refuse(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--org-type", "bigin")
    zoho.config(state_directory="state")
    assert run_in_process("run", sheet("in.csv", rows(2)), "--json").code == 0


def test_one_question_serves_the_check_of_the_org_id_too(
    org: StandIn, run_in_process: RunCommand
) -> None:
    for at, (org_id, code) in enumerate((("990000000", 0), ("123", 2)), 2):
        org.config(state_directory="state", zoho={"organization_id": org_id})
        output = run_in_process("run", sheet("in.csv", rows(at)), "--json").json
        assert output["exit_code"] == code
    assert "This sign-in is for the org" in output["message"]
    assert asked(org) == ORG_CALLS


def test_a_sign_in_without_the_scopes_does_all_the_same_and_says_so_once(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--scopes", ALL_MODULES)
    zoho.config(state_directory="state")
    completed = run_in_process("run", sheet("in.csv", rows(8)), "--json")
    assert balanced(completed.json) == {"updated": 8}
    sentence = "The sign-in lacks the scopes ZohoCRM.org.READ and ZohoCRM.settings.modules.READ"
    assert completed.err.count(sentence) == completed.err.count("lacks the scope") == 1
    assert completed.json["credits_used"] == 8
    assert completed.json["in_flight_peak"] <= 6


def test_a_scope_that_is_added_is_used_at_once(stand_in: Start, run_in_process: RunCommand) -> None:
    zoho = stand_in("--scopes", f"{ALL_MODULES},ZohoCRM.org.READ")
    zoho.config(state_directory="state")
    first = run_in_process("run", labelled("Opportunities"), "--json")
    assert "lacks the scope ZohoCRM.settings.modules.READ" in first.err
    assert (first.json["exit_code"], balanced(first.json)) == (3, {"invalid": 1})
    change(zoho, scopes=[ALL_MODULES, "ZohoCRM.settings.modules.READ"])
    for file in Path("state/tokens").iterdir():
        file.unlink()
    second = run_in_process("run", "in.csv", "--json")
    assert (second.json["exit_code"], balanced(second.json)) == (0, {"updated": 1})


def test_the_labels_of_the_org_are_read_and_shown(org: StandIn, run_in_process: RunCommand) -> None:
    file = labelled("Opportunities", "Facturas", "Deals")
    assert run_in_process("check", file).code == 3  # a check uses no network
    assert asked(org) == 0
    completed = run_in_process("run", file, "--json")
    assert balanced(completed.json) == {"updated": 3}
    read_as = completed.json["read_as"]
    assert read_as["labels"] == {"Opportunities": "Deals", "Facturas": "Invoices"}
    assert [one["module"] for one in read_as["modules"]] == ["Deals", "Invoices"]
    assert 'Labels   "Opportunities" is Deals, "Facturas" is Invoices' in completed.err
    assert completed.err.count("Reading in.csv again") == 1
    # The next ones know the labels.
    other = labelled("Facturas", name="other.csv")
    assert run_in_process("check", other).code == 0
    assert "again" not in run_in_process("run", other).err
    assert asked(org) == ORG_CALLS


def test_a_file_of_the_org_itself_is_recognised_at_the_first_run(
    org: StandIn, run_in_process: RunCommand
) -> None:
    titles = ("Record Id", "Opportunity Owner", "Locked Reason")
    file = sheet("Opportunities_2026_09_10.csv", [(record(1), "Anna", "why")], titles)
    output = run_in_process("run", file, "--json").json
    assert output["read_as"]["fields"]["module"]["value"] == "Deals"
    assert balanced(output) == {"updated": 1}


def test_an_org_that_does_not_answer_is_not_in_the_way(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--throttle-at", "1,2")
    zoho.config(state_directory="state")
    first = run_in_process("run", sheet("in.csv", rows(4)), "--json")
    assert balanced(first.json) == {"updated": 4}
    assert (first.json["requests"], first.json["credits_used"]) == (4 + ORG_CALLS, 4)
    assert first.json["read_as"]["day_credits"] is None
    second = run_in_process("run", sheet("other.csv", rows(5)), "--json")
    assert second.json["credits_used"] == 5 + ORG_CALLS


def test_a_run_that_may_use_few_credits_does_not_ask(
    org: StandIn, run_in_process: RunCommand
) -> None:
    org.config(state_directory="state", limits={"max_credits": 3})
    output = run_in_process("run", sheet("in.csv", rows(3)), "--json").json
    assert (balanced(output), asked(org)) == ({"updated": 3}, 0)
