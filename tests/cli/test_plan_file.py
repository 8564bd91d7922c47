"""One person checks a file into a plan, and another sends exactly that."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from support.commands import RunCommand
from support.sheets import balanced, lock, record, rows, sheet
from support.zoho import StandIn


@pytest.fixture
def plan(org: StandIn, run_in_process: RunCommand) -> Path:
    """Check a file into plan.json."""
    org.config()
    done = run_in_process("check", sheet("in.csv", rows(3)), "--plan", "plan.json")
    assert done.code == 0, done.err
    assert "batchlock run --plan" in done.out
    return Path("plan.json")


def content_of(plan: Path) -> dict[str, Any]:
    content = json.loads(plan.read_text("utf-8"))
    assert isinstance(content, dict)
    return content


def puts(org: StandIn) -> int:
    """Return how many calls have changed a lock."""
    return sum(lock["updates"] for lock in org.locks().values())


def refused(run: RunCommand, org: StandIn, *arguments: object, words: str) -> None:
    """Check that a run ends with exit code 2 and these words, and without a call."""
    done = run("run", *arguments)
    assert done.code == 2, done.out + done.err
    assert words in " ".join(done.err.split()), done.err
    assert not puts(org)


def test_what_was_checked_is_sent(plan: Path, org: StandIn, run_in_process: RunCommand) -> None:
    content = content_of(plan)
    assert content["file"] == str(Path("in.csv").absolute())
    assert content["size"] == Path("in.csv").stat().st_size
    assert (content["rows"], content["environment"]) == (3, "production")
    assert [Path(name).name for name in Path().glob(".batchlock-*")] == []
    done = run_in_process("run", "--plan", plan, "--json")
    assert done.code == 0, done.err
    assert balanced(done.json) == {"updated": 3}
    assert done.json["file"] == content["file"]
    # The second time all rows are done, which the plan does not forbid.
    assert balanced(run_in_process("run", "--plan", plan, "--json").json) == {"unchanged": 3}


def test_the_options_of_the_check_are_those_of_the_run(
    org: StandIn, run_in_process: RunCommand
) -> None:
    org.config()
    Path("in.txt").write_bytes(f"Id;Why\n{record(1)};für Müller\n".encode("cp1252"))
    options = ("--column", "record_id=Id", "--column", "reason=Why", "--module", "Leads")
    encoding = ("--encoding", "windows-1252", "--delimiter", "semicolon")
    check = run_in_process("check", "in.txt", *options, *encoding, "--plan", "p.json", "--json")
    assert check.code == 0, check.err
    assert check.json["plan"] == str(Path("p.json").absolute())
    Path("in.txt").rename("moved.txt")
    done = run_in_process("run", "--plan", "p.json", "moved.txt", "--json")
    assert balanced(done.json) == {"updated": 1}
    assert org.locks()[f"Leads/{record(1)}"]["reason"] == "für Müller"
    for option in (("--sheet", "S"), ("--column", "reason=Why"), ("--module", "Leads"),
                   ("--reason", "x"), ("--encoding", "utf-8"), ("--delimiter", "tab"),
                   ("--visible-only",), ("--change-reason",)):  # fmt: skip
        wrong = run_in_process("run", "--plan", "p.json", *option)
        assert wrong.code == 2
        assert f"{option[0]}: the plan says how the file is read" in wrong.err


def test_an_unlock_is_planned_and_asked_about(org: StandIn, run_in_process: RunCommand) -> None:
    org.config()
    file = sheet("in.csv", [("Leads", record(n), "", "") for n in (1, 2)])
    run_in_process("check", file, "--action", "unlock", "--plan", "plan.json")
    assert run_in_process("run", "--plan", "plan.json").code == 2
    done = run_in_process("run", "--plan", "plan.json", "--yes", "--json")
    assert balanced(done.json) == {"unlocked": 2}


def test_another_content_is_refused(plan: Path, org: StandIn, run_in_process: RunCommand) -> None:
    with Path("in.csv").open("a") as file:
        file.write(f"Leads,{record(9)},{lock(9)},more\n")
    words = "The content of in.csv is not the one that was checked"
    refused(run_in_process, org, "--plan", plan, words=words)
    other = sheet("other.csv", rows(3, first=7))
    refused(run_in_process, org, "--plan", plan, other, words="content of other.csv is not the one")


def test_another_org_is_refused(plan: Path, org: StandIn, run_in_process: RunCommand) -> None:
    org.config(org="globex")
    refused(run_in_process, org, "--plan", plan, words="The org was default and is globex")
    org.config(zoho={"environment": "sandbox"})
    words = "The environment was production and is sandbox"
    refused(run_in_process, org, "--plan", plan, words=words)
    org.config(zoho={"api_url": org.url.replace("127.0.0.1", "localhost")})
    refused(
        run_in_process, org, "--plan", plan, words="The address of the API was http://127.0.0.1"
    )


def test_the_org_is_recognised_by_its_id(org: StandIn, run_in_process: RunCommand) -> None:
    org.config()
    run_in_process("run", sheet("first.csv", rows(1, first=50)))  # it learns the id
    calls = puts(org)
    run_in_process("check", sheet("in.csv", rows(3)), "--plan", "plan.json")
    content = content_of(Path("plan.json"))
    assert content["org_id"]
    content["org_id"] = "990000001"
    signed(content)
    done = run_in_process("run", "--plan", "plan.json")
    assert done.code == 2
    assert "The org default was 990000001 in Zoho" in done.err
    assert puts(org) == calls


def test_another_mapping_is_refused(plan: Path, org: StandIn, run_in_process: RunCommand) -> None:
    Path("in.csv").write_text(
        f"Module,Record Id,Lock Id,Reason,Grund\nLeads,{record(1)},{lock(1)},old,new\n"
    )
    run_in_process("check", "in.csv", "--plan", plan, "--overwrite")
    org.config(input={"columns": {"reason": ["Grund"]}})
    words = 'reason was the column "Reason" and is the column "Grund"'
    refused(run_in_process, org, "--plan", plan, words=words)
    org.config(input={"custom_modules": ["Projects"]})
    Path("in.csv").write_text(f"Module,Record Id,Reason\nProjects,{record(1)},old\n")
    run_in_process("check", "in.csv", "--plan", plan, "--overwrite")
    org.config()
    refused(run_in_process, org, "--plan", plan, words="1 then, 0 now")


def test_an_unfinished_run_is_resumed_only_by_its_plan(
    plan: Path, org: StandIn, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHLOCK_LIMITS__MAX_CREDITS", "1")
    assert run_in_process("run", "--plan", plan).code == 6
    monkeypatch.delenv("BATCHLOCK_LIMITS__MAX_CREDITS")
    content = content_of(plan)
    signed(content | {"digest": "0" * 64})
    done = run_in_process("run", "--plan", plan)
    assert done.code == 2
    assert "Other rows would be sent" in done.err
    signed(content)
    assert balanced(run_in_process("run", "--plan", plan, "--json").json) == {"updated": 3}


def signed(content: dict[str, Any]) -> None:
    """Write a plan with the right checksum."""
    from batchlock.plan_format import _checksum

    content.pop("checksum", None)
    content["checksum"] = _checksum(content)
    Path("plan.json").write_text(json.dumps(content), "utf-8")


def test_a_damaged_plan_is_refused(plan: Path, org: StandIn, run_in_process: RunCommand) -> None:
    text = plan.read_text("utf-8")
    for damaged, words in (
        (text[:100], "is damaged: it is no JSON"),
        ("[1]", "is no plan of batchlock"),
        ('{"format": "other"}', "is no plan of batchlock"),
        (text.replace('"version": 1', '"version": 2'), "has the version 2 of the format"),
        (text.replace('"rows": 3', '"rows": 4'), "its checksum does not fit"),
        ("[" * 100_000, "is damaged: it is no JSON"),
    ):
        plan.write_text(damaged, "utf-8")
        refused(run_in_process, org, "--plan", plan, words=words)
    plan.write_bytes(b"\xff\xfe\x00")
    refused(run_in_process, org, "--plan", plan, words="is damaged: it is no JSON")
    done = run_in_process("run", "--plan", "missing.json", "--json")
    assert done.code == 4
    assert done.json["exit_code"] == 4


def test_a_plan_replaces_no_file_by_itself(
    plan: Path, org: StandIn, run_in_process: RunCommand
) -> None:
    before = plan.read_bytes()
    done = run_in_process("check", "in.csv", "--plan", plan)
    assert done.code == 2
    assert "--overwrite" in done.err
    assert plan.read_bytes() == before
    assert run_in_process("check", "in.csv", "--plan", plan, "--overwrite").code == 0
    done = run_in_process("check", "in.csv", "--plan", "in.csv", "--overwrite")
    assert done.code == 2
    assert "would overwrite the input" in done.err
    for place in ("nowhere/plan.json", "."):
        assert run_in_process("check", "in.csv", "--plan", place).code == 2
    done = run_in_process("run", "--json")
    assert done.code == 2
    assert "Missing argument 'FILE'" in done.json["message"]


def test_a_plan_decides_only_how_its_file_is_read(
    plan: Path, org: StandIn, run_in_process: RunCommand
) -> None:
    Path("other.yaml").write_text("org: globex\n")
    content = content_of(plan)
    changes: list[dict[str, Any]] = [
        {"options": {"config": "other.yaml"}},
        {"options": {"yes": True}},
        {"options": {"no_such": "x"}},
        {"options": {"columns": ["reason"]}},
        {"options": {"columns": {"reason": 1}}},
        {"options": {"visible_only": "yes"}},
        {"options": {"action": "delete"}},
        {"options": []},
        {"file": 5},
        {"file": "a\0b"},
        {"file": "\ud800"},
        {"file": None},
        {"rows": "many"},
        {"rows": True},
        {"digest": "0", "read_as": {"fields": [1]}},
        {"digest": "0", "read_as": "as it is"},
    ]
    for change in changes:
        signed(content | change)
        words = f"is damaged: '{list(change)[-1]}' is no such value"
        refused(run_in_process, org, "--plan", plan, words=words)


def test_a_hostile_text_is_no_plan(plan: Path, org: StandIn, run_in_process: RunCommand) -> None:
    text = plan.read_text("utf-8")
    for hostile in (
        text.replace('"rows": 3,', '"rows": 4,\n  "rows": 3,', 1),
        text.replace('"size": ', '"size": ' + "9" * 5_000, 1),
        *(
            text.replace('"size": ', f'"more": {"[" * depth}{"]" * depth}, "size": ', 1)
            for depth in (300, 900, 990, 1_500)
        ),
    ):
        plan.write_text(hostile, "utf-8")
        refused(run_in_process, org, "--plan", plan, words=f"The plan {plan} is damaged")


def test_the_plan_and_the_checked_file_are_two_files(
    org: StandIn, run_in_process: RunCommand
) -> None:
    org.config()
    file = sheet("in.csv", rows(1))
    done = run_in_process("check", file, "--plan", "p.xlsx", "-o", Path("p.xlsx").absolute())
    assert done.code == 2
    assert "cannot be both the plan and the checked file" in " ".join(done.err.split())
    assert not Path("p.xlsx").exists()


def test_the_named_command_sends_the_plan(org: StandIn, run_in_process: RunCommand) -> None:
    org.config(Path("other place.yaml"), org="globex")
    file = sheet("in.csv", rows(2))
    check = run_in_process("check", file, "--config", "other place.yaml", "--plan", "my plan.json")
    command = shlex.split(check.out.partition("To send exactly that: batchlock ")[2])
    assert "--config" in command
    file.rename("moved.csv")
    missing = run_in_process(*command)
    assert missing.code == 4
    words = " ".join(missing.err.split())
    assert "in.csv, which was checked for the plan, is not there" in words
    assert words.endswith("my plan.json' FILE")
    assert run_in_process(*command, "moved.csv").code == 0
    assert puts(org) == 2


def test_a_rehearsed_plan_is_sent_to_the_stand_in(run_in_process: RunCommand) -> None:
    check = run_in_process("check", sheet("in.csv", rows(1)), "--simulate", "--plan", "p.json")
    command = shlex.split(check.out.partition("To send exactly that: batchlock ")[2])
    done = run_in_process(*command, "--json")
    assert balanced(done.json) == {"updated": 1}
