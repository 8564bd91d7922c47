"""Undo of updates, locks and unlocks, against the stand-in."""

import pytest
from support.commands import RunCommand
from support.runs import by_row, recorded, results
from support.sheets import balanced, lock, record, sheet
from support.zoho import StandIn

from batchlock.core.runs import RunState

MIXED = ("Module", "Record Id", "Reason", "Action")


def put_locks(zoho: StandIn, *numbers: int, free: tuple[int, ...] = ()) -> None:
    leads: list[dict[str, object]] = [
        {"id": record(n), "name": "x", "lock": {"id": lock(n), "reason": f"old {n}"}}
        for n in numbers
    ]
    leads += [{"id": record(n), "name": "x", "lock": None} for n in free]
    zoho.change("inventory", {"records": {"Leads": leads}}, method="PATCH")


def standing(zoho: StandIn, number: int) -> str | None:
    """Return the reason of a record's lock; None when it is not locked."""
    found = zoho.locks()[f"Leads/{record(number)}"]
    return None if found["lock_id"] is None else str(found["reason"])


def mixed_run(zoho: StandIn, run_in_process: RunCommand) -> dict[str, object]:
    """Update record 1, lock record 2 and unlock record 3."""
    put_locks(zoho, 1, 3, free=(2,))
    rows = [
        ("Leads", record(1), "new 1", "update"),
        ("Leads", record(2), "new 2", "lock"),
        ("Leads", record(3), "", "unlock"),
    ]
    done = run_in_process("run", sheet("in.csv", rows, MIXED), "--yes", "--json").json
    assert results(done) == ["updated", "locked", "unlocked"]
    return done


def test_an_undo_puts_back_each_action_and_can_be_undone(
    org: StandIn, run_in_process: RunCommand
) -> None:
    first = mixed_run(org, run_in_process)
    refused = run_in_process("undo", first["run_id"])
    assert (refused.code, "1 row unlocks" in refused.err) == (2, True)
    assert refused.err.index("To send") < refused.err.index("1 row unlocks")
    assert len(run_in_process("runs", "--json").json["runs"]) == 1
    undo = run_in_process("undo", first["run_id"], "--yes", "--json")
    assert (undo.code, results(undo.json)) == (0, ["updated", "unlocked", "locked"])
    assert "their time and person are new" in undo.err
    assert undo.err.count("To send") == 1
    assert [standing(org, n) for n in (1, 2, 3)] == ["old 1", None, "old 3"]
    assert by_row(undo.json)[2]["Previous reason"] == "new 1"
    again = run_in_process("undo", undo.json["run_id"], "--yes", "--json")
    assert (again.code, results(again.json)) == (0, ["updated", "locked", "unlocked"])
    assert [standing(org, n) for n in (1, 2, 3)] == ["new 1", "new 2", None]
    shown = run_in_process("show", first["run_id"], "--json").json
    ids = [first["run_id"], undo.json["run_id"], again.json["run_id"]]
    assert [run["run_id"] for run in shown["family"]] == ids
    assert (shown["story"]["rows"], shown["story"]["settled"]) == (3, 3)


def test_a_results_file_of_an_undone_run_sends_its_rows_again(
    org: StandIn, run_in_process: RunCommand
) -> None:
    first = mixed_run(org, run_in_process)
    run_in_process("undo", first["run_id"], "--yes")
    again = run_in_process("run", first["output"], "--yes", "--json")
    assert results(again.json) == ["updated", "locked", "unlocked"]
    assert [note["code"] for note in again.json["notes"]] == ["results_of_an_undone_run"]


def test_what_was_changed_since_the_run_is_left_alone(
    org: StandIn, run_in_process: RunCommand
) -> None:
    first = mixed_run(org, run_in_process)
    org.change(
        "inventory",
        {
            "records": {
                "Leads": [
                    {"id": record(1), "name": "x", "lock": {"id": lock(1), "reason": "theirs"}},
                    {"id": record(2), "name": "x", "lock": None},
                    {"id": record(3), "name": "x", "lock": {"id": lock(9), "reason": "theirs"}},
                ]
            }
        },
        method="PATCH",
    )
    undo = run_in_process("undo", first["run_id"], "--yes", "--json")
    assert (undo.code, results(undo.json)) == (3, ["rejected", "unchanged", "rejected"])
    lines = by_row(undo.json)
    assert (lines[2]["Code"], lines[4]["Code"]) == ("CHANGED_SINCE", "CHANGED_SINCE")
    assert 'the reason "theirs"' in lines[2]["Message"]
    state = org.state()["calls"]
    assert (state["put"], state["post"], state["delete"]) == (1, 1, 1)


def test_an_undo_that_puts_nothing_back_leaves_the_rows_done(
    org: StandIn, run_in_process: RunCommand
) -> None:
    put_locks(org, 1, 2)
    rows = [("Leads", record(n), "", "new") for n in (1, 2)]
    first = run_in_process("run", sheet("in.csv", rows), "--json").json
    theirs = {"id": record(1), "name": "x", "lock": {"id": lock(1), "reason": "theirs"}}
    org.change("inventory", {"records": {"Leads": [theirs]}}, method="PATCH")
    undo = run_in_process("undo", first["run_id"], "--json")
    assert results(undo.json) == ["rejected", "updated"]
    # The second time, a look shows that the other row has its new reason already.
    for file, second in ((first["output"], "updated"), ("in.csv", "unchanged")):
        again = run_in_process("run", file, "--json")
        assert results(again.json) == ["unchanged", second]
        assert (standing(org, 1), standing(org, 2)) == ("theirs", "new")


def test_results_of_an_undo_are_refused_by_run(org: StandIn, run_in_process: RunCommand) -> None:
    first = mixed_run(org, run_in_process)
    undo = run_in_process("undo", first["run_id"], "--yes", "--json").json
    for command in ("run", "check"):
        refused = run_in_process(command, undo["output"], "--json")
        assert refused.code == 2
        assert f"`batchlock undo {undo['run_id']}`" in refused.json["message"]
    assert [standing(org, n) for n in (1, 2, 3)] == ["old 1", None, "old 3"]
    assert len(run_in_process("runs", "--json").json["runs"]) == 2
    renamed = sheet("mine.csv", [("Leads", record(1), "corrected", "update")], MIXED)
    assert results(run_in_process("run", renamed, "--json").json) == ["updated"]


@pytest.mark.parametrize("command", ["unlock", "lock"])
def test_the_undo_of_each_command_is_not_sent_again_by_its_results(
    org: StandIn, run_in_process: RunCommand, command: str
) -> None:
    put_locks(org, 1, free=(2,))
    number = 1 if command == "unlock" else 2
    file = sheet("in.csv", [("Leads", record(number), "new")], ("Module", "Record Id", "Reason"))
    yes = ("--yes",) if command == "unlock" else ()
    first = run_in_process(command, file, *yes, "--json").json
    before = "old 1" if command == "unlock" else None
    undo = run_in_process("undo", first["run_id"], "--yes", "--json").json
    assert standing(org, number) == before
    assert run_in_process("run", undo["output"]).code == 2
    assert standing(org, number) == before


def test_a_rehearsal_cannot_be_undone(run_in_process: RunCommand) -> None:
    file = sheet("in.csv", [("Leads", record(1), "", "new")])
    first = run_in_process("run", file, "--simulate", "--json").json
    undo = run_in_process("undo", first["run_id"], "--json")
    assert (undo.code, "is a rehearsal" in undo.json["message"]) == (2, True)


def test_after_an_undo_the_same_file_sends_its_rows_again(
    org: StandIn, run_in_process: RunCommand
) -> None:
    first = mixed_run(org, run_in_process)
    assert balanced(run_in_process("run", "in.csv", "--yes", "--json").json) == {"unchanged": 3}
    run_in_process("undo", first["run_id"], "--yes")
    again = run_in_process("run", "in.csv", "--yes", "--json")
    assert results(again.json) == ["updated", "locked", "unlocked"]
    assert [standing(org, n) for n in (1, 2, 3)] == ["new 1", "new 2", None]


def test_a_reason_that_was_not_kept_cannot_be_put_back(
    org: StandIn, run_in_process: RunCommand
) -> None:
    put_locks(org, 1, 2)
    rows = [("Leads", record(1), lock(1), "new"), ("Leads", record(2), "", "new")]
    first = run_in_process("run", sheet("in.csv", rows), "--json").json
    undo = run_in_process("undo", first["run_id"], "--json")
    assert (undo.code, results(undo.json)) == (3, ["invalid", "updated"])
    line = by_row(undo.json)[2]
    assert line["Code"] == "no_previous_reason"
    assert "results.previous_reason" in line["Message"]
    rows = [("Leads", record(3), lock(3), "new")]
    only = run_in_process("run", sheet("other.csv", rows), "--json").json
    nothing = run_in_process("undo", only["run_id"])
    assert (nothing.code, "can be put back" in nothing.out) == (0, True)


def test_an_undo_of_an_unfinished_run_closes_it_and_says_so(
    org: StandIn, run_in_process: RunCommand
) -> None:
    put_locks(org, *range(1, 5))
    rows = [("Leads", record(n), "", "new") for n in range(1, 5)]
    org.config(state_directory="state", limits={"max_credits": 4, "in_flight": 1})
    first = run_in_process("run", sheet("in.csv", rows), "--json").json
    assert balanced(first) == {"updated": 2, "not_sent": 2}
    org.config(state_directory="state")
    undo = run_in_process("undo", first["run_id"], "--json")
    assert (undo.code, balanced(undo.json)) == (0, {"updated": 2})
    assert "It is closed now" in undo.err
    assert recorded(first["run_id"]).state is RunState.SUPERSEDED
    assert "no unfinished run" in run_in_process("resume").out
