"""`batchlock runs`: which runs it lists, and which it removes."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.commands import RunCommand
from support.runs import NOT_LOCKED, journals
from support.sheets import balanced, lock, rows, sheet
from support.zoho import StandIn

List = Callable[..., list[str]]


@pytest.fixture
def run_ids(org: StandIn, run_in_process: RunCommand) -> dict[str, str]:
    """Make a finished run, one with a row that is not done, and one with rows left."""
    good = run_in_process("run", sheet("good.csv", rows(2)), "--json")
    bad = run_in_process("run", sheet("bad.csv", [("Leads", NOT_LOCKED, lock(9), "x")]), "--json")
    left = run_in_process(
        "run", sheet("left.csv", rows(3, first=5)), "--json", "--max-runtime", "1ms"
    )
    assert (good.code, bad.code, left.code) == (0, 3, 6)
    results = {"good": good, "bad": bad, "left": left}
    return {name: result.json["run_id"] for name, result in results.items()}


def age(run_id: str, days: int) -> None:
    """Let a run have ended so many days ago."""
    ended = datetime.now(UTC) - timedelta(days=days)
    with closing(sqlite3.connect("state/store.sqlite")) as store, store:
        text = store.execute("SELECT finished_at FROM runs WHERE id = ?", (run_id,)).fetchone()[0]
        stored = ended.strftime("%Y-%m-%d %H:%M:%S.%f") if " " in text else ended.isoformat()
        store.execute("UPDATE runs SET finished_at = ? WHERE id = ?", (stored, run_id))


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ((), "left bad good"),
        (("--state", "finished"), "bad good"),
        (("--state", "unfinished"), "left"),
        (("--state", "stopped"), "left"),
        (("--state", "paused"), ""),
        (("--failed",), "left bad"),
        (("--file", "GOOD"), "good"),
        (("--limit", "2"), "left bad"),
        (("--failed", "--limit", "1"), "left"),
        (("--since", "2026-01-01"), "left bad good"),
        (("--until", "2026-01-01"), ""),
        (("--since", "2100-01-01"), ""),
    ],
)
def test_a_list_can_be_filtered(
    run_ids: dict[str, str], run_in_process: RunCommand, options: tuple[str, ...], names: str
) -> None:
    result: dict[str, Any] = run_in_process("runs", "--json", *options).json
    assert [one["run_id"] for one in result["runs"]] == [run_ids[name] for name in names.split()]


def test_a_filter_without_a_match_says_so(
    run_ids: dict[str, str], run_in_process: RunCommand
) -> None:
    assert run_in_process("runs", "--file", "other").out == "No run matches.\n"


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--since", "yesterday"), "is no date or time"),
        (("--prune", "old"), "--prune 90d"),
        (("--prune", "5m"), "at least 1d"),
        (("--prune", "99999999999d"), "that is too long"),
        (("--prune", "90d", "--failed"), "takes no filter"),
        (("--dry-run",), "belong to --prune"),
        (("--yes",), "belong to --prune"),
    ],
)
def test_a_mistake_in_the_options_is_explained(
    org: StandIn, run_in_process: RunCommand, options: tuple[str, ...], part: str
) -> None:
    result = run_in_process("runs", *options)
    assert result.code == 2
    assert part in result.err


def test_old_runs_are_removed_with_their_journals_and_no_others(
    run_ids: dict[str, str], run_in_process: RunCommand
) -> None:
    for run_id in run_ids.values():
        age(run_id, 100)
    before = len(journals())
    trial = run_in_process("runs", "--prune", "90d", "--dry-run", "--json").json
    assert [one["run_id"] for one in trial["runs"]] == [run_ids["bad"], run_ids["good"]]
    assert "would be removed" in trial["message"]
    assert len(journals()) == before
    refused = run_in_process("runs", "--prune", "90d")
    assert (refused.code, "--yes" in refused.err) == (2, True)
    removed = run_in_process("runs", "--prune", "90d", "--yes", "--json").json
    assert removed["runs"] == trial["runs"]
    assert removed["message"].startswith("2 runs that ended before ")
    (left,) = run_in_process("runs", "--json").json["runs"]
    assert left["run_id"] == run_ids["left"]
    assert len(journals()) == before - 2
    assert len([*Path().glob("*-results-*")]) == 3
    assert balanced(run_in_process("resume", "--json").json) == {"updated": 3}


def test_a_run_that_a_newer_one_needs_stays_and_its_rows_are_left_alone(
    org: StandIn, run_in_process: RunCommand
) -> None:
    file = sheet("in.csv", rows(3))
    first = run_in_process("run", file, "--json").json
    # Another identity: read in another way, it need not know of each row what the first one did.
    second = run_in_process("run", file, "--json", "--encoding", "utf-8").json
    age(first["run_id"], 100)
    result = run_in_process("runs", "--prune", "90d", "--yes", "--json").json
    assert result["runs"] == []
    assert result["message"].endswith(
        "1 other is as old and stays, because newer runs need what it has done."
    )
    third = run_in_process("run", file, "--json").json
    assert balanced(second) == balanced(third) == {"unchanged": 3}
    assert third["finished_before"] is not None
    pruned = run_in_process("runs", "--prune", "90d", "--yes", "--json").json
    assert [one["run_id"] for one in pruned["runs"]] == [first["run_id"]]
    assert balanced(run_in_process("run", file, "--json").json) == {"unchanged": 3}


def test_after_the_last_run_of_a_file_is_removed_it_is_a_new_one(
    org: StandIn, run_in_process: RunCommand
) -> None:
    file = sheet("in.csv", rows(3))
    age(run_in_process("run", file, "--json").json["run_id"], 100)
    assert run_in_process("runs", "--prune", "90d", "--yes").code == 0
    again = run_in_process("run", file, "--json").json
    assert (balanced(again), again["finished_before"]) == ({"updated": 3}, None)
