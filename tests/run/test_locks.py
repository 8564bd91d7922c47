import time
from datetime import datetime
from pathlib import Path

import pytest
from support.commands import RunCommand
from support.locks import MODULES, configure, export, keys_of, locked_records, written_locks
from support.sheets import balanced
from support.zoho import StandIn, Start

# 60 records: 20 are locked, one of them by a rule.
SIZE = ("--inventory-size", 60)
SCOPES = "ZohoCRM.modules.ALL,ZohoCRM.org.READ"
VIEWS = "ZohoCRM.settings.custom_views.READ"
COQL = "ZohoCRM.coql.READ"


@pytest.fixture
def zoho(stand_in: Start) -> StandIn:
    started = stand_in(*SIZE)
    configure(started)
    return started


def test_every_lock_is_found_with_all_that_zoho_says_of_it(
    zoho: StandIn, run_in_process: RunCommand
) -> None:
    started_monotonic = time.monotonic()
    done = run_in_process("locks", *MODULES, "--json")
    assert done.json["seconds"] <= time.monotonic() - started_monotonic
    assert (done.code, balanced(done.json)) == (0, {"locked": 20})
    assert done.json["action"] == "find"
    assert done.json["ways"] == dict.fromkeys(MODULES, "coql")
    expected = locked_records(zoho)
    lines = written_locks(done.json["output"])
    assert len(lines) == len(expected)
    for line in lines:
        record = expected[line["Module"], line["Record Id"]]
        lock = record["lock"]
        assert (line["Lock Id"], line["Reason"]) == (lock["id"], lock["reason"])
        assert (line["Record name"], line["Source"]) == (record["name"], lock["source"])
        assert (line["Locked by"], line["Locked by id"]) == (lock["by"]["name"], lock["by"]["id"])
        at = datetime.fromisoformat(line["Locked at"])
        assert at == datetime.fromisoformat(lock["time"])
        assert line["Rule id"] == (lock["rule"]["id"] if lock["rule"] else None)
    assert zoho.state()["updates"] == 0


def test_the_workbook_is_the_input_of_the_next_commands(
    zoho: StandIn, run_in_process: RunCommand
) -> None:
    found = run_in_process("locks", *MODULES, "--json").json
    (automatic,) = [line for line in written_locks(found["output"]) if line["Source"] != "Manual"]
    checked = run_in_process("check", found["output"], "--json")
    assert (checked.code, checked.json["valid"], checked.json["notes"]) == (0, 19, [])
    sent = run_in_process("run", found["output"], "--reason", "audit", "--json")
    assert sent.code == 2  # the sheet has reasons already
    sent = run_in_process("run", found["output"], "--json", "--strict")
    assert (sent.code, balanced(sent.json)) == (0, {"updated": 19})
    unlocked = run_in_process("unlock", found["output"], "--yes", "--json")
    assert (unlocked.code, balanced(unlocked.json)) == (0, {"unlocked": 19})
    locked = run_in_process("lock", found["output"], "--json")
    assert (locked.code, balanced(locked.json)) == (0, {"locked": 19})
    states = zoho.locks()
    assert f"{automatic['Module']}/{automatic['Record Id']}" not in states
    manual = [line for line in written_locks(found["output"]) if line["Source"] == "Manual"]
    for line in manual:
        state = states[f"{line['Module']}/{line['Record Id']}"]
        assert (state["reason"], state["unlocks"], state["locks"]) == (line["Reason"], 1, 1)


@pytest.mark.parametrize(
    ("scopes", "way", "words"),
    [
        (f"{SCOPES},{VIEWS}", "view", ["a query (COQL)"]),
        (f"{SCOPES},{COQL}", "coql", []),
        (SCOPES, "records", ["a query (COQL)", "a view of locked records"]),
    ],
)
def test_without_a_scope_the_next_best_way_is_used_and_said_once(
    stand_in: Start, run_in_process: RunCommand, scopes: str, way: str, words: list[str]
) -> None:
    zoho = stand_in(*SIZE, "--scopes", scopes)
    configure(zoho)
    done = run_in_process("locks", *MODULES, "--json")
    assert (done.code, balanced(done.json)) == (0, {"locked": 20})
    assert set(done.json["ways"].values()) == {way}
    assert sorted(keys_of(done.json["output"])) == sorted(locked_records(zoho))
    assert [done.err.count(f"Zoho refuses {word}") for word in words] == [1] * len(words)
    assert done.err.count("Zoho refuses") == len(words)


def test_a_query_that_may_not_name_the_field_and_a_view_that_is_missing_are_passed_over(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in(*SIZE, "--no-coql-locked", "--no-locked-view")
    configure(zoho)
    done = run_in_process("locks", "Leads", "Deals", "--json")
    assert (done.code, set(done.json["ways"].values())) == (0, {"records"})
    expected = locked_records(zoho, "Leads", "Deals")
    assert sorted(keys_of(done.json["output"])) == sorted(expected)


def test_a_search_that_zoho_refuses_is_reported_beside_the_others(
    zoho: StandIn, run_in_process: RunCommand
) -> None:
    configure(zoho, results={"format": "csv"})
    done = run_in_process("locks", "Leads", "--view", "None of this name", "--json")
    assert (done.code, balanced(done.json)) == (3, {"rejected": 1})
    (cause,) = done.json["causes"]
    assert cause["ranges"] == "Leads"
    assert '"My locked records"' in cause["message"]
    assert written_locks(done.json["output"]) == []


def test_a_named_view_is_searched_alone(zoho: StandIn, run_in_process: RunCommand) -> None:
    done = run_in_process("locks", *MODULES, "--view", "my locked records", "--json")
    mine = {
        key
        for key, record in locked_records(zoho).items()
        if record["lock"]["by"]["name"] == "Rehearsal User"
    }
    assert mine
    assert set(keys_of(done.json["output"])) == mine


def test_the_records_of_exports_are_looked_at(zoho: StandIn, run_in_process: RunCommand) -> None:
    files = [export(zoho, module) for module in ("Leads", "Deals")]
    done = run_in_process("locks", "--from", files[0], "--from", files[1], "--json")
    expected = locked_records(zoho, "Leads", "Deals")
    assert done.json["ways"] == {"Leads": "file", "Deals": "file"}
    assert (done.code, zoho.state()["calls"]["get"]) == (0, len(expected))  # not the free ones
    assert sorted(keys_of(done.json["output"])) == sorted(expected)


def test_an_export_without_a_module_is_of_the_one_that_is_named(
    zoho: StandIn, run_in_process: RunCommand
) -> None:
    file = export(zoho, "Leads").rename("Mine.csv")
    text = file.read_text("utf-8").replace(",Lead Owner", "")
    file.write_text(text, "utf-8")
    assert run_in_process("locks", "--from", file, "--json").code == 4
    done = run_in_process("locks", "Leads", "--from", file, "--json")
    assert sorted(keys_of(done.json["output"])) == sorted(locked_records(zoho, "Leads"))


def test_a_file_with_rows_that_cannot_be_read_is_refused(
    zoho: StandIn, run_in_process: RunCommand
) -> None:
    Path("in.csv").write_text("Module,Record Id\nLeads,12\n", "utf-8")
    done = run_in_process("locks", "--from", "in.csv", "--json")
    assert done.code == 2
    assert "1 row cannot be read" in done.json["message"]
    assert zoho.state()["calls"]["get"] == 0


def test_filters_leave_out_locks_and_say_how_many(
    zoho: StandIn, run_in_process: RunCommand
) -> None:
    locks = {key: record["lock"] for key, record in locked_records(zoho).items()}

    def found(*options: str) -> set[tuple[str, str]]:
        done = run_in_process("locks", *MODULES, *options, "--json").json
        left_out = sum(module["filtered"] for module in done["modules"])
        keys = keys_of(done["output"])
        assert len(keys) + left_out == len(locks)
        return set(keys)

    asha = {key for key, lock in locks.items() if lock["by"]["name"] == "Asha Rao"}
    assert asha
    assert found("--locked-by", "asha rao") == asha
    assert found("--locked-by", "990000000000900002") == asha
    automatic = {key for key, lock in locks.items() if lock["source"] == "Automatic"}
    assert found("--source", "automatic") == automatic
    assert len(automatic) == 1
    review = {key for key, lock in locks.items() if "legal REVIEW".lower() in str(lock["reason"])}
    assert found("--reason-contains", "legal REVIEW") == review
    middle = sorted(lock["time"] for lock in locks.values())[10]
    late = {key for key, lock in locks.items() if lock["time"] >= middle}
    assert found("--since", middle) == late
    early = {key for key, lock in locks.items() if lock["time"] <= middle}
    assert found("--until", middle) == early


def test_a_record_that_was_unlocked_meanwhile_is_counted_and_not_written(
    zoho: StandIn, run_in_process: RunCommand
) -> None:
    file = export(zoho, "Leads")
    (_, first), *_ = locked_records(zoho, "Leads")
    free = {"records": {"Leads": [{"id": first, "name": "free", "lock": None}]}}
    zoho.change("inventory", free, method="PATCH")
    done = run_in_process("locks", "--from", file, "--json")
    assert (done.code, balanced(done.json)["unlocked"]) == (0, 1)
    assert "1 not locked any more" in done.json["message"]
    assert ("Leads", first) not in keys_of(done.json["output"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Name the modules"),
        (("Leads", "--all"), "Leave one of the two out"),
        (("--all", "--from", "a.csv"), "Leave one of the two out"),
        (("Deals", "--since", "yesterday"), '--since "yesterday" is no date or time'),
        (("Deals", "--since", "2026-02-01", "--until", "2026-01-01"), "is later than"),
        (("Deals", "--from", "a.csv", "--view", "Mine"), "Leave one of the two out"),
    ],
)
def test_a_wrong_request_is_refused_in_one_object(
    zoho: StandIn, run_in_process: RunCommand, arguments: tuple[str, ...], words: str
) -> None:
    done = run_in_process("locks", *arguments, "--json")
    assert (done.code, done.json["exit_code"], done.json["run_id"]) == (2, 2, None)
    assert words in done.json["message"]
    assert (done.json["action"], done.json["ways"], done.json["modules"]) == ("find", {}, [])
    assert sum(zoho.state()["calls"].values()) == 0


def test_a_sign_in_that_may_read_no_records_ends_with_5(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in(*SIZE, "--scopes", "ZohoCRM.org.READ")
    configure(zoho)
    done = run_in_process("locks", "Leads", "--json")
    assert done.code == 5
    assert done.json["resume"] is not None
