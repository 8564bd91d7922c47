"""Runs that belong together: what a retry, a corrected file or foreign results send."""

from pathlib import Path
from typing import Any

import openpyxl
import pytest
from support.commands import RunCommand
from support.sheets import lines, lock, record, rows, sheet
from support.zoho import StandIn, Start

TITLES = ("Module", "Record Id", "Lock Id")


@pytest.fixture
def org(stand_in: Start) -> StandIn:
    org = stand_in()
    org.config()
    return org


def reasons(org: StandIn) -> set[str]:
    return {value["reason"] for value in org.locks().values()}


def without_reasons(count: int) -> Path:
    return sheet("locks.csv", [row[:3] for row in rows(count)], TITLES)


def test_a_retry_does_not_write_old_reasons_over_those_of_a_newer_run(
    org: StandIn, run_in_process: RunCommand
) -> None:
    file = without_reasons(4)
    stopped = run_in_process("run", file, "--reason", "OLD", "--max-runtime", "0.001s", "--json")
    assert stopped.json["counts"]["not_sent"] > 0
    newer = run_in_process("run", file, "--reason", "NEW", "--json").json["run_id"]
    assert reasons(org) == {"NEW"}
    retried = run_in_process("retry", stopped.json["run_id"], "--json")
    assert retried.code == 2
    assert f"batchlock retry {newer}" in retried.json["message"]
    assert reasons(org) == {"NEW"}


def test_a_corrected_results_file_takes_the_rows_of_its_unfinished_run(
    org: StandIn, run_in_process: RunCommand
) -> None:
    file = sheet("locks.csv", rows(3))
    stopped = run_in_process("run", file, "--max-runtime", "0.001s", "--json", "-o", "a.csv").json
    assert stopped["counts"]["not_sent"] == 3
    name = f"locks-results-{stopped['run_id']}.csv"
    Path(name).write_text(Path("a.csv").read_text("utf-8-sig").replace("reason 2", "corrected"))
    done = run_in_process("run", name, "--json").json
    assert done["counts"]["updated"] == 3
    assert run_in_process("resume").out == "There is no unfinished run to resume.\n"
    assert reasons(org) == {"reason 1", "corrected", "reason 3"}
    story = run_in_process("show", done["run_id"], "--json").json
    assert [run["run_id"] for run in story["family"]] == [stopped["run_id"], done["run_id"]]
    assert (story["story"]["rows"], story["story"]["settled"]) == (3, 3)


def test_the_results_of_a_rehearsal_are_sent_to_the_org(
    org: StandIn, run_in_process: RunCommand
) -> None:
    rehearsal = run_in_process("run", sheet("locks.csv", rows(3)), "--simulate", "--json").json
    results = Path(rehearsal["output"])
    assert {line["Result"] for line in lines(results)} == {"updated"}
    checked = run_in_process("check", results, "--json").json
    assert [note["code"] for note in checked["notes"]] == ["results_of_another_org"]
    done = run_in_process("run", results, "--json").json
    assert done["counts"]["updated"] == 3
    assert set(org.locks()) == {f"Leads/{record(number)}" for number in (1, 2, 3)}
    assert {run["run_id"] for run in shown(run_in_process, done)["family"]} == {done["run_id"]}


def test_a_retry_counts_once_in_the_total_when_the_file_is_run_again(
    org: StandIn, run_in_process: RunCommand
) -> None:
    file = sheet("locks.csv", [*rows(2), ("Leads", record(3), lock(3), "")])
    first = run_in_process("run", file, "--json").json
    second = run_in_process("run", file, "--fresh", "--json").json
    story = shown(run_in_process, first)["story"]
    assert (story["runs"], story["rows"], story["settled"]) == (2, 3, 2)
    assert second["counts"]["updated"] == 2


def shown(run_in_process: RunCommand, result: dict[str, Any]) -> dict[str, Any]:
    printed: dict[str, Any] = run_in_process("show", result["run_id"], "--json").json
    return printed


@pytest.mark.parametrize("name", ["renamed.csv", "renamed.xlsx"])
def test_renamed_results_are_recognised_by_their_rows(
    org: StandIn, run_in_process: RunCommand, name: str
) -> None:
    """The second row is corrected in the results: they have another name, and its id changes."""
    wrong = ("Leads", "12", lock(2), "reason 2")
    file = sheet("locks.csv", [rows(3)[0], wrong, rows(3)[2]])
    first = run_in_process("run", file, "--json", "-o", name).json
    assert first["counts"]["invalid"] == 1
    if name.endswith(".csv"):
        text = Path(name).read_text("utf-8-sig")
        Path(name).write_text(text.replace(",12,", f",{record(2)},"), "utf-8-sig")
    else:
        book = openpyxl.load_workbook(name)
        assert book["Results"]["B3"].value == "12"
        book["Results"]["B3"].value = record(2)
        book.save(name)
    second = run_in_process("run", name, "--json").json
    assert (second["counts"]["updated"], second["counts"]["unchanged"]) == (1, 2)
    story = shown(run_in_process, first)["story"]
    assert (story["runs"], story["rows"], story["settled"]) == (2, 3, 3)
    assert story["counts"]["updated"] == 3


def test_the_renamed_results_of_a_rehearsal_are_sent_to_the_org(
    org: StandIn, run_in_process: RunCommand
) -> None:
    file = sheet("locks.csv", rows(3))
    run_in_process("run", file, "--simulate", "--json", "-o", "renamed.csv")
    checked = run_in_process("check", "renamed.csv", "--json").json
    assert [note["code"] for note in checked["notes"]] == ["results_of_another_org"]
    assert run_in_process("run", "renamed.csv", "--json").json["counts"]["updated"] == 3


def test_the_story_has_what_an_undo_put_back(org: StandIn, run_in_process: RunCommand) -> None:
    org.config(results={"previous_reason": "always"})
    file = without_reasons(3)
    run_in_process("run", file, "--reason", "OLD")
    first = run_in_process("run", file, "--reason", "NEW", "--json").json
    undone = run_in_process("undo", first["run_id"], "--json").json
    story = shown(run_in_process, undone)["story"]
    assert undone["counts"]["updated"] == 3
    assert (story["rows"], story["settled"], story["undone"]) == (3, 0, 3)
