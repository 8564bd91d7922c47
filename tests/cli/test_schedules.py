"""`batchlock schedules`: what is taken at which times."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import CommandResult, RunCommand

from batchlock.core.org import OrgFacts, OrgModule, StoredOrg
from batchlock.store.store import Store

NIGHTLY = ("--cron", "30 22 * * 1-5", "--time-zone", "Europe/Berlin")


@pytest.fixture
def store(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("BATCHLOCK_STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setenv("BATCHLOCK_DATABASE", database_url)
    with Store(tmp_path / "state", database_url) as store:
        orgs = ("acme", "beta")
        store.orgs.put(
            [StoredOrg(name=name, data_center="eu", environment="production") for name in orgs]
        )
        yield store


def add(run: RunCommand, *arguments: str, org: str = "acme") -> CommandResult:
    return run("schedules", "add", org, *NIGHTLY, *arguments)


def test_a_schedule_is_added_and_its_next_times_are_shown(
    store: Store, run_in_process: RunCommand
) -> None:
    added = add(run_in_process, "--source", "/in/*.xlsx", "--column", "reason=Why", "--strict")
    lines = added.out.splitlines()
    assert (added.code, len(lines)) == (0, 6)
    assert "in Europe/Berlin:" in lines[0]
    assert all(" 22:30:00 +0" in line and line[:5] not in ("  Sat", "  Sun") for line in lines[1:])
    (stored,) = store.schedules.all()
    assert stored.options == {"columns": {"reason": "Why"}, "strict": True}
    listed = run_in_process("schedules", "list", "acme").out.splitlines()
    assert listed[0] == f"{stored.schedule_id}  30 22 * * 1-5  Europe/Berlin  /in/*.xlsx"
    assert listed[1].startswith("  next: ")


def test_the_json_has_the_schedule_with_its_next_times(
    store: Store, run_in_process: RunCommand
) -> None:
    added = json.loads(add(run_in_process, "--source", "inbox:/in", "--json").out)
    (listed,) = json.loads(run_in_process("schedules", "list", "--json").out)
    assert added == listed
    assert len(added["next"]) == 5
    assert (added["source"], added["misfire"], added["paused_by"]) == ("inbox:/in", "once", None)


def test_a_schedule_is_paused_resumed_and_removed(store: Store, run_in_process: RunCommand) -> None:
    add(run_in_process, "--source", "inbox:/in")
    (schedule,) = store.schedules.all()
    run_in_process("schedules", "pause", schedule.schedule_id)
    assert "  paused by " in run_in_process("schedules", "list").out
    resumed = run_in_process("schedules", "resume", schedule.schedule_id)
    assert resumed.out == f"The schedule {schedule.schedule_id} is resumed.\n"
    run_in_process("schedules", "remove", schedule.schedule_id)
    assert "There are no schedules yet." in run_in_process("schedules", "list").out
    gone = run_in_process("schedules", "pause", schedule.schedule_id)
    assert (gone.code, f"no schedule {schedule.schedule_id}" in gone.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--source", "in/*.xlsx"), "no absolute path"),
        (("--source", "/in/*.xlsx", "--cron", "* * *"), "does not have five fields"),
        (("--source", "/in/*.xlsx", "--time-zone", "Berlin"), "no time zone"),
        (("--source", "locks:Leads"), "where the report of locks goes"),
        (("--source", "locks:Unknown>/out"), "Unknown"),
        (("--source", "locks:--all>/out"), "are not known"),
        (("--source", "locks:Leads>/out", "--strict"), "reads no file"),
        (("--source", "/in/*.csv", "--delimiter", "dots"), "delimiter"),
        (("--source", "/in/*.csv", "--column", "reason"), "FIELD=TITLE"),
    ],
)
def test_what_is_wrong_is_refused_before_it_is_stored(
    store: Store, run_in_process: RunCommand, arguments: tuple[str, ...], message: str
) -> None:
    refused = add(run_in_process, *arguments)
    assert (refused.code, message in refused.err) == (2, True), refused.err
    assert store.schedules.all() == []


def test_an_unknown_or_disabled_org_is_refused(store: Store, run_in_process: RunCommand) -> None:
    assert "no org acne" in add(run_in_process, "--source", "inbox:/in", org="acne").err
    store.orgs.set_disabled("acme", disabled=True)
    assert "is disabled" in add(run_in_process, "--source", "inbox:/in").err


def test_a_folder_belongs_to_one_org(store: Store, run_in_process: RunCommand) -> None:
    assert add(run_in_process, "--source", "inbox:/in").code == 0
    assert add(run_in_process, "--source", "/in/*.csv").code == 0
    refused = add(run_in_process, "--source", "/in/*.xlsx", org="beta")
    assert (refused.code, "of the org acme takes files of /in" in refused.err) == (2, True)


def test_all_modules_can_be_reported_once_they_are_known(
    store: Store, run_in_process: RunCommand
) -> None:
    store.orgs.save_facts("acme", "hash", OrgFacts(modules=(OrgModule(api_name="Leads"),)))
    assert add(run_in_process, "--source", "locks:--all>/out").code == 0


def test_without_a_database_a_sentence_says_what_to_do(run_in_process: RunCommand) -> None:
    refused = run_in_process("schedules", "list")
    assert (refused.code, "Schedules need the database" in refused.err) == (2, True)
