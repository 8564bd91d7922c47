"""Runs that are killed at any moment, in processes of their own."""

import os
import random
import time
from functools import partial
from pathlib import Path

from support.commands import POSIX, RunCommand
from support.forked_command import forked
from support.processes import RUNS, STATE, check_results, kill, rows_in_doubt, wait_until
from support.sheets import balanced, lines, rows, sheet
from support.zoho import StandIn, Start

pytestmark = POSIX


def has_drafts(count: int) -> bool:
    return len(list(RUNS.glob("*.partial"))) == count


def test_a_run_killed_while_it_plans_starts_again(org: StandIn, run_in_process: RunCommand) -> None:
    file = sheet(
        "in.csv", rows(200_000)
    )  # so many that no machine has planned them before the kill
    for drafts, wait_seconds in ((1, 0.0), (2, 0.3)):
        with forked("run", file, "--json") as process:
            wait_until(partial(has_drafts, drafts), process)
            time.sleep(wait_seconds)
            kill(process)
    assert org.state()["calls"]["put"] == 0
    assert list(RUNS.glob("*.journal")) == []
    *old_drafts, new_draft = RUNS.glob("*.partial")
    assert old_drafts
    for draft in old_drafts:
        os.utime(draft, (0, 0))
    completed = run_in_process("run", sheet("small.csv", rows(3)), "--json")
    assert (completed.code, check_results(completed.json, org)) == (0, {"updated": 3})
    assert list(RUNS.glob("*.partial")) == [new_draft]  # another process may still write to it


def test_several_kills_lose_nothing_and_repeat_only_rows_in_doubt(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--latency", "60ms", "--jitter", "40ms")
    zoho.config(state_directory=str(STATE))
    file = sheet("in.csv", rows(400))
    chance = random.Random(4)
    for _ in range(4):
        before = zoho.state()["updates"]
        with forked("run", file, "--in-flight", 8) as process:
            goal = before + chance.randrange(1, 60)
            wait_until(lambda: zoho.state()["updates"] >= goal, process)  # noqa: B023  used at once
            kill(process)
        (journal,) = RUNS.glob("*.journal")
        summary = run_in_process("report", journal.stem, "--json").json
        assert check_results(summary, zoho).get("unknown", 0) == rows_in_doubt(journal)
    completed = run_in_process("run", file, "--json", "--in-flight", 20)
    assert (completed.code, check_results(completed.json, zoho)) == (0, {"updated": 400})
    assert len(zoho.locks()) == 400
    assert {lock["updates"] for lock in zoho.locks().values()} == {1}


def test_a_run_killed_while_it_looks_up_rows_in_doubt_looks_again(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--latency", "150ms")
    zoho.config(state_directory=str(STATE))
    file = sheet("in.csv", rows(60))
    with forked("run", file, "--in-flight", 6) as process:
        wait_until(lambda: zoho.state()["updates"] >= 20, process)
        kill(process)
    for _ in range(2):
        lookups = zoho.state()["calls"]["get"]
        with forked("run", file, "--in-flight", 2) as process:
            wait_until(lambda: zoho.state()["calls"]["get"] > lookups, process)  # noqa: B023  used at once
            kill(process)
    completed = run_in_process("run", file, "--json", "--in-flight", 20)
    assert (completed.code, check_results(completed.json, zoho)) == (0, {"updated": 60})
    assert {lock["updates"] for lock in zoho.locks().values()} == {1}


def test_a_run_killed_while_it_reports_leaves_complete_results(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--in-flight-cap", "none")
    zoho.config(state_directory=str(STATE), limits={"in_flight": 50})
    file = sheet("in.csv", rows(1500))
    for wait_seconds in (0.0, 0.15, 0.3):
        with forked("run", file, "--json") as process:
            wait_until(lambda: zoho.state()["updates"] >= 1500, process)
            time.sleep(wait_seconds)
            kill(process)
        assert zoho.state()["calls"]["put"] == 1500
        for results in Path().glob("in-results-*.xlsx"):
            assert len(lines(results)) == 1500
        if process.returncode == 0:
            break
    (run,) = run_in_process("runs", "--json").json["runs"]
    completed = run_in_process("report", run["run_id"], "--json")
    if balanced(completed.json) != {"updated": 1500}:
        completed = run_in_process("resume", run["run_id"], "--json")
    assert (completed.code, check_results(completed.json, zoho)) == (0, {"updated": 1500})
    assert {lock["updates"] for lock in zoho.locks().values()} == {1}


def test_a_retry_killed_at_its_start_is_complete_or_missing(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--fail-from", 1, "--fail-calls", 100, "--in-flight-cap", "none")
    zoho.config(
        state_directory=str(STATE),
        retry={"attempts": 1},
        stop={"consecutive_failures": 10_000},
        limits={"in_flight": 25},
    )
    first = run_in_process("run", sheet("in.csv", rows(300)), "--json").json
    assert balanced(first)["failed"] > 0
    for wait_seconds in (0.0, 0.02, 0.05):
        with forked("retry", first["run_id"]) as process:
            wait_until(lambda: len(list(RUNS.iterdir())) > 1, process)
            time.sleep(wait_seconds)
            kill(process)
    completed = run_in_process("retry", first["run_id"], "--json")
    assert completed.code == 0
    assert len(zoho.locks()) == 300


def test_a_retry_of_an_unfinished_run_takes_its_rows_over(
    org: StandIn, run_in_process: RunCommand
) -> None:
    file = sheet("in.csv", rows(5))
    stopped = run_in_process("run", file, "--json", "--max-runtime", "1ms").json
    assert balanced(stopped) == {"not_sent": 5}
    assert balanced(run_in_process("retry", stopped["run_id"], "--json").json) == {"updated": 5}
    assert "no unfinished run" in run_in_process("resume").out
    assert "no unfinished run" in run_in_process(*stopped["resume"].split()[1:]).out
    assert "The remaining rows were moved to run" in run_in_process("show", stopped["run_id"]).out
    assert org.state()["calls"]["put"] == 5
