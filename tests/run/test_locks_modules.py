"""The modules of `batchlock locks`, by the names that the org has for them."""

import pytest
from support.commands import RunCommand
from support.locks import MODULES, export, keys_of, locked_records
from support.sheets import balanced
from support.zoho import StandIn, Start

SIZE = ("--inventory-size", 60)
# All that a search needs, without the scope of the modules' names.
WITHOUT_NAMES = "ZohoCRM.modules.ALL,ZohoCRM.org.READ,ZohoCRM.coql.READ"


@pytest.fixture
def zoho(stand_in: Start) -> StandIn:
    """Start an org whose custom module the configuration does not name."""
    started = stand_in(*SIZE)
    started.config(state_directory="state")
    return started


def test_the_org_is_asked_for_a_name_and_what_that_costs_is_counted(
    zoho: StandIn, run_in_process: RunCommand
) -> None:
    # A custom module, and the label of a translated one.
    done = run_in_process("locks", "visits", "facturas", "--json")
    assert (done.code, list(done.json["ways"])) == (0, ["Visits", "Invoices"])
    expected = locked_records(zoho, "Visits", "Invoices")
    assert sorted(keys_of(done.json["output"])) == sorted(expected)
    # The org and its modules once, a query for each module, a look at each record.
    assert zoho.state()["calls"]["other"] == 2
    assert done.json["requests"] == 2 + 2 + len(expected)
    again = run_in_process("locks", "visits", "facturas", "--json")
    assert (again.code, zoho.state()["calls"]["other"]) == (0, 2)


def test_a_name_that_the_stored_modules_lack_is_asked_for_again(
    zoho: StandIn, run_in_process: RunCommand
) -> None:
    assert run_in_process("locks", "Leads", "--json").code == 0
    asked = zoho.state()["calls"]["other"]
    done = run_in_process("locks", "Deels", "--json")
    assert (done.code, done.json["run_id"]) == (2, None)
    assert 'Did you mean "Deals"?' in done.json["message"]
    assert "Machine_Rentals" in done.json["message"]
    assert zoho.state()["calls"]["other"] == asked + 1


def test_all_searches_every_module_that_can_be_locked(
    zoho: StandIn, run_in_process: RunCommand
) -> None:
    zoho.config(state_directory="state", limits={"max_credits": 1})
    done = run_in_process("locks", "--all", "--json")
    assert done.code == 6  # the few credits that are allowed do not keep the org from being asked
    zoho.config(state_directory="state")
    resumed = run_in_process("locks", "--all", "--json")
    assert resumed.json["run_id"] == done.json["run_id"]
    assert (resumed.code, balanced(resumed.json)) == (0, {"locked": 20})
    assert {*MODULES, "Machine_Rentals"} <= resumed.json["ways"].keys()
    assert sorted(keys_of(resumed.json["output"])) == sorted(locked_records(zoho))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["Visits"], '"Visits" is not a module'), (["--all"], "--all needs the modules of the org")],
)
def test_without_the_scope_the_refusal_says_so(
    stand_in: Start, run_in_process: RunCommand, arguments: list[str], words: str
) -> None:
    zoho = stand_in(*SIZE, "--scopes", WITHOUT_NAMES)
    zoho.config(state_directory="state")
    done = run_in_process("locks", *arguments, "--json")
    assert (done.code, done.json["exit_code"]) == (2, 2)
    assert words in done.json["message"]
    assert "lacks the scope ZohoCRM.settings.modules.READ" in done.json["message"]
    assert run_in_process("locks", "Leads", "--json").code == 0


def test_a_refused_sign_in_is_reported_and_not_the_name(
    zoho: StandIn, run_in_process: RunCommand
) -> None:
    zoho.config(state_directory="state", zoho={"refresh_token": "revoked"})
    done = run_in_process("locks", "Visits", "--json")
    assert (done.code, done.json["exit_code"]) == (5, 5)
    assert "Visits" not in done.json["message"]


def test_an_export_is_known_by_the_label_of_its_module(
    zoho: StandIn, run_in_process: RunCommand
) -> None:
    files = [export(zoho, "Visits"), export(zoho, "Deals").rename("Opportunities_2026_03_01.csv")]
    text = files[1].read_text("utf-8").replace("Deal Owner", "Opportunity Owner")
    files[1].write_text(text, "utf-8")
    done = run_in_process("locks", "--from", files[0], "--from", files[1], "--json")
    assert done.json["ways"] == {"Visits": "file", "Deals": "file"}
    assert sorted(keys_of(done.json["output"])) == sorted(locked_records(zoho, "Visits", "Deals"))
