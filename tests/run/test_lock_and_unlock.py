"""Whole commands that lock and unlock, against the stand-in."""

import os
from pathlib import Path

import pytest
from support.commands import POSIX, TIMEOUT_SECONDS, RunCommand
from support.forked_command import ForkedProcess
from support.runs import by_row, results
from support.sheets import balanced, record, sheet
from support.terminal import open_terminal, read_until
from support.zoho import StandIn

FREE, OTHER = record(1), record(2)
RULE: dict[str, object] = {
    "reason": None,
    "source": "Automatic",
    "rule": {"id": "990000000700000001", "name": "Won"},
}


def put_records(zoho: StandIn, **locks: object) -> None:
    """Set the locks of some leads by the last digit of their ids; None is not locked."""
    leads = [
        {"id": record(int(name[1:])), "name": name, "lock": lock} for name, lock in locks.items()
    ]
    zoho.change("inventory", {"records": {"Leads": leads}}, method="PATCH")


def lock_of(number: int, reason: str = "theirs") -> dict[str, object]:
    return {
        "id": f"6843104{number:012d}",
        "reason": reason,
        "time": "2025-03-01T08:00:00+00:00",
        "by": {"id": "990000000900000002", "name": "Jörg Müller"},
    }


def lock_file(count: int) -> Path:
    rows = [("Leads", record(n), "audit") for n in range(1, count + 1)]
    return sheet("in.csv", rows, ("Module", "Record Id", "Reason"))


def test_lock_needs_no_lock_ids_and_says_who_has_locked_a_record(
    org: StandIn, run_in_process: RunCommand
) -> None:
    put_records(org, r1=None, r2=lock_of(2), r3=lock_of(3, "audit"), r4=lock_of(4) | RULE)
    done = run_in_process("lock", lock_file(4), "--json")
    assert (done.code, balanced(done.json)) == (3, {"locked": 1, "unchanged": 1, "rejected": 2})
    assert results(done.json) == ["locked", "rejected", "unchanged", "rejected"]
    line = by_row(done.json)[3]
    assert line["Code"] == "ALREADY_LOCKED"
    assert "by Jörg Müller since 2025-03-01 08:00 UTC" in line["Message"]
    assert "--change-reason" in line["What to do"]
    assert line["Previous reason"] == "theirs"
    assert by_row(done.json)[5]["Code"] == "AUTOMATIC_LOCK"
    assert org.locks()[f"Leads/{FREE}"]["reason"] == "audit"
    assert org.state()["calls"]["post"] == 4
    assert org.state()["calls"]["put"] == 0


def test_lock_changes_the_reason_of_another_lock_where_that_is_asked_for(
    org: StandIn, run_in_process: RunCommand
) -> None:
    put_records(org, r1=None, r2=lock_of(2), r3=lock_of(3) | RULE)
    file = lock_file(3)
    run_in_process("lock", file)
    done = run_in_process("lock", file, "--change-reason", "--json")
    assert results(done.json) == ["unchanged", "updated", "rejected"]
    assert by_row(done.json)[3]["Previous reason"] == "theirs"
    assert org.locks()[f"Leads/{OTHER}"]["reason"] == "audit"


def test_unlock_keeps_the_reasons_and_leaves_another_lock_alone(
    org: StandIn, run_in_process: RunCommand
) -> None:
    put_records(org, r1=lock_of(1), r2=None, r3=lock_of(3), r4=lock_of(4) | RULE)
    rows = [("Leads", record(n), f"6843104{9 if n == 3 else n:012d}") for n in range(1, 5)]
    file = sheet("in.csv", rows, ("Module", "Record Id", "Lock Id"))
    done = run_in_process("unlock", file, "--yes", "--json")
    assert results(done.json) == ["unlocked", "unchanged", "rejected", "rejected"]
    lines = by_row(done.json)
    assert lines[2]["Previous reason"] == "theirs"
    assert (lines[4]["Code"], lines[5]["Code"]) == ("OTHER_LOCK", "NOT_ALLOWED")
    assert "by Jörg Müller since 2025-03-01 08:00 UTC" in lines[4]["Message"]
    assert org.locks()[f"Leads/{FREE}"]["lock_id"] is None
    assert org.state()["calls"]["delete"] == 2


@pytest.mark.parametrize(
    ("setting", "previous", "looks"),
    [("auto", None, 0), ("always", "theirs", 1), ("never", None, 0)],
)
def test_the_setting_says_whether_an_update_keeps_the_reason_from_before(
    org: StandIn, run_in_process: RunCommand, setting: str, previous: str | None, looks: int
) -> None:
    org.config(state_directory="state", results={"previous_reason": setting})
    put_records(org, r1=lock_of(1))
    file = sheet("in.csv", [("Leads", FREE, "6843104000000000001", "new")])
    done = run_in_process("run", file, "--json")
    assert results(done.json) == ["updated"]
    assert by_row(done.json)[2]["Previous reason"] == previous
    assert org.state()["calls"]["get"] == looks
    assert done.json["read_as"]["calls"] == 1 + looks


def test_without_the_reasons_an_unlock_with_lock_ids_needs_no_look(
    org: StandIn, run_in_process: RunCommand
) -> None:
    org.config(state_directory="state", results={"previous_reason": "never"})
    put_records(org, r1=lock_of(1), r2=None)
    rows = [("Leads", record(n), f"6843104{n:012d}") for n in (1, 2)]
    file = sheet("in.csv", rows, ("Module", "Record Id", "Lock Id"))
    done = run_in_process("unlock", file, "--yes", "--json")
    assert results(done.json) == ["unlocked", "unchanged"]
    assert done.json["read_as"]["calls"] == 2
    assert by_row(done.json)[2]["Previous reason"] is None
    assert org.state()["calls"]["get"] == 1  # after the refusal of the second row


def test_unlocking_without_a_terminal_needs_yes_and_leaves_no_run(
    org: StandIn, run_in_process: RunCommand
) -> None:
    put_records(org, r1=lock_of(1))
    rows = [("Leads", FREE, "", "unlock")]
    file = sheet("in.csv", rows, ("Module", "Record Id", "Reason", "Action"))
    refused = run_in_process("run", file)
    assert refused.code == 2
    assert "1 row unlocks a record" in refused.err
    assert org.state()["calls"]["delete"] == 0
    assert run_in_process("runs", "--json").json["runs"] == []
    assert "no unfinished run" in run_in_process("resume").out
    assert list(Path("state/runs/default").glob("*.journal")) == []
    assert results(run_in_process("run", file, "--yes", "--json").json) == ["unlocked"]


def test_a_file_for_unlock_is_checked_as_unlock_reads_it(
    org: StandIn, run_in_process: RunCommand
) -> None:
    put_records(org, r1=lock_of(1))
    file = sheet("in.csv", [("Leads", FREE)], ("Module", "Record Id"))
    assert run_in_process("check", file).code == 4  # it has no column for the reason
    checked = run_in_process("check", file, "--action", "unlock", "--json")
    assert (checked.code, checked.json["valid"], checked.json["action"]) == (0, 1, "unlock")
    done = run_in_process("unlock", file, "--yes", "--json").json
    again = run_in_process("check", done["output"], "--action", "unlock", "--json")
    assert (again.code, again.json["problems"]) == (0, [])
    assert run_in_process("check", file, "--action", "update").code == 2


def test_an_org_of_another_type_is_refused_before_the_question(
    org: StandIn, run_in_process: RunCommand
) -> None:
    put_records(org, r1=lock_of(1))
    org.config(state_directory="state", zoho={"environment": "sandbox"})
    file = sheet("in.csv", [("Leads", FREE)], ("Module", "Record Id"))
    refused = run_in_process("unlock", file, "--json")
    assert (refused.code, refused.json["action"]) == (2, "unlock")
    assert "but zoho.environment is sandbox" in refused.err
    assert "nobody was asked" not in refused.err
    assert run_in_process("runs", "--json").json["runs"] == []


@POSIX
@pytest.mark.parametrize(("typed", "code"), [("2", 0), ("yes", 2), ("", 2)])
def test_unlocking_at_a_terminal_asks_for_the_number(org: StandIn, typed: str, code: int) -> None:
    put_records(org, r1=lock_of(1), r2=lock_of(2))
    rows = [("Leads", record(n)) for n in (1, 2)]
    file = sheet("in.csv", rows, ("Module", "Record Id"))
    ours, theirs = open_terminal()
    process = ForkedProcess(["unlock", str(file)], theirs, theirs, theirs)
    os.close(theirs)
    asked = " ".join(read_until(ours, "of rows: ").split())
    assert "Unlock 2 records (Leads 2) of in.csv in the org default, production?" in asked
    assert asked.index("To send 2 unlocks: Leads 2") < asked.index("Unlock 2 records")
    os.write(ours, f"{typed}\n".encode())
    screen = read_until(ours, None)
    assert process.wait(TIMEOUT_SECONDS) == code, screen
    assert "To send" not in screen
    os.close(ours)
    assert org.state()["calls"]["delete"] == (2 if code == 0 else 0)
