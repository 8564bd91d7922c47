"""A run that is killed or signalled at any moment, in processes of its own."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.commands import PATIENCE, POSIX, Run, command, started
from support.sheets import balanced, lines, rows, sheet
from support.zoho import StandIn, Start

CODES = {"SIGHUP": 129, "SIGINT": 130, "SIGTERM": 143}
STATE = Path("state")
RUNS = STATE / "runs" / "default"

pytestmark = POSIX


def until(is_so: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for what happens beside a process, or for the end of that process."""
    end = time.monotonic() + PATIENCE
    while not is_so() and process.poll() is None:
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(PATIENCE)


def number_of(name: str) -> signal.Signals:
    return signal.Signals[name]


def sending(journal: Path) -> int:
    """Return how many rows a journal has under way."""
    sql = sqlite3.connect(journal)
    try:
        told = sql.execute("SELECT count(*) FROM progress WHERE status = 'sending'").fetchone()
    finally:
        sql.close()
    return int(told[0])


def true(told: dict[str, Any], zoho: StandIn) -> dict[str, int]:
    """Check the results of a finished command against the stand-in's own record."""
    counts = balanced(told)
    found = lines(told["output"])
    locks = zoho.locks()
    results = [line["Result"] for line in found]
    assert [int(line["Source row"]) for line in found] == list(range(2, told["rows"] + 2))
    assert {result: results.count(result) for result in counts} == counts
    for line in found:
        there = locks.get(f"Leads/{line['Record Id']}", {}).get("reason")
        if line["Result"] == "updated":
            assert there == line["Reason"]
        elif line["Result"] == "not_sent":
            assert there is None
    return counts


# -- killed --------------------------------------------------------------------------------


def drafts_are(count: int) -> bool:
    return len(list(RUNS.glob("*.partial"))) == count


def test_a_run_killed_while_it_plans_begins_anew(org: StandIn, here: Run) -> None:
    file = sheet("in.csv", rows(20_000))
    for drafts, wait in ((1, 0.0), (2, 0.3)):
        with started("run", file, "--json") as process:
            until(partial(drafts_are, drafts), process)
            time.sleep(wait)
            kill(process)
    assert org.state()["calls"]["put"] == 0
    assert list(RUNS.glob("*.journal")) == []
    *old, new = RUNS.glob("*.partial")
    assert old
    for draft in old:
        os.utime(draft, (0, 0))
    done = here("run", sheet("small.csv", rows(3)), "--json")
    assert (done.code, true(done.json, org)) == (0, {"updated": 3})
    assert list(RUNS.glob("*.partial")) == [new]  # somebody may still be at work on it


def test_several_kills_in_a_row_lose_nothing_and_repeat_only_what_was_under_way(
    stand_in: Start, here: Run
) -> None:
    zoho = stand_in("--latency", "60ms", "--jitter", "40ms")
    zoho.config(state_directory=str(STATE))
    file = sheet("in.csv", rows(400))
    chance = random.Random(4)
    for _ in range(4):
        before = zoho.state()["updates"]
        with started("run", file, "--in-flight", 8) as process:
            goal = before + chance.randrange(1, 60)
            until(lambda: zoho.state()["updates"] >= goal, process)  # noqa: B023  used at once
            kill(process)
        (journal,) = RUNS.glob("*.journal")
        told = here("report", journal.stem, "--json").json
        assert true(told, zoho).get("unknown", 0) == sending(journal)
    done = here("run", file, "--json", "--in-flight", 20)
    assert (done.code, true(done.json, zoho)) == (0, {"updated": 400})
    assert len(zoho.locks()) == 400
    assert {told["updates"] for told in zoho.locks().values()} == {1}


def test_a_run_killed_while_it_settles_settles_again(stand_in: Start, here: Run) -> None:
    zoho = stand_in("--latency", "150ms")
    zoho.config(state_directory=str(STATE))
    file = sheet("in.csv", rows(60))
    with started("run", file, "--in-flight", 6) as process:
        until(lambda: zoho.state()["updates"] >= 20, process)
        kill(process)
    for _ in range(2):
        looked = zoho.state()["calls"]["get"]
        with started("run", file, "--in-flight", 2) as process:
            until(lambda: zoho.state()["calls"]["get"] > looked, process)  # noqa: B023  used at once
            kill(process)
    done = here("run", file, "--json", "--in-flight", 20)
    assert (done.code, true(done.json, zoho)) == (0, {"updated": 60})
    assert {told["updates"] for told in zoho.locks().values()} == {1}


def test_a_run_killed_while_it_reports_writes_whole_results(stand_in: Start, here: Run) -> None:
    zoho = stand_in("--in-flight-cap", "none")
    zoho.config(state_directory=str(STATE), limits={"in_flight": 50})
    file = sheet("in.csv", rows(1500))
    for wait in (0.0, 0.15, 0.3):
        with started("run", file, "--json") as process:
            until(lambda: zoho.state()["updates"] >= 1500, process)
            time.sleep(wait)
            kill(process)
        puts = zoho.state()["calls"]["put"]
        assert puts == 1500
        for whole in Path().glob("in-results-*.xlsx"):
            assert len(lines(whole)) == 1500
        if process.returncode == 0:
            break
    (one,) = here("runs", "--json").json["runs"]
    done = here("report", one["run_id"], "--json")
    if balanced(done.json) != {"updated": 1500}:
        done = here("resume", one["run_id"], "--json")
    assert (done.code, true(done.json, zoho)) == (0, {"updated": 1500})
    assert {told["updates"] for told in zoho.locks().values()} == {1}


def test_a_retry_killed_at_its_beginning_is_whole_or_not_there(stand_in: Start, here: Run) -> None:
    zoho = stand_in("--fail-from", 1, "--fail-calls", 100, "--in-flight-cap", "none")
    zoho.config(
        state_directory=str(STATE),
        retry={"attempts": 1},
        stop={"consecutive_failures": 10_000},
        limits={"in_flight": 25},
    )
    first = here("run", sheet("in.csv", rows(300)), "--json").json
    assert balanced(first)["failed"] > 0
    for wait in (0.0, 0.02, 0.05):
        with started("retry", first["run_id"]) as process:
            until(lambda: len(list(RUNS.iterdir())) > 1, process)
            time.sleep(wait)
            kill(process)
    done = here("retry", first["run_id"], "--json")
    assert done.code == 0
    assert len(zoho.locks()) == 300


# -- signalled -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", CODES)
def test_a_signal_ends_a_run_with_true_results(stand_in: Start, here: Run, name: str) -> None:
    zoho = stand_in("--latency", "100ms", "--jitter", "50ms")
    zoho.config(state_directory=str(STATE))
    file = sheet("in.csv", rows(150))
    with started("run", file, "--json", "--in-flight", 8) as process:
        until(lambda: zoho.state()["updates"] >= 20, process)
        process.send_signal(number_of(name))
        out, _ = process.communicate(timeout=PATIENCE)
    told = json.loads(out)
    counts = true(told, zoho)
    assert process.returncode == told["exit_code"] == CODES[name]
    assert set(counts) == {"updated", "not_sent"}
    assert counts["updated"] == zoho.state()["updates"]
    assert name in told["message"]
    again = here(*told["resume"].split()[1:], "--json", "--in-flight", 25)
    assert (again.code, true(again.json, zoho)) == (0, {"updated": 150})
    assert zoho.state()["calls"]["put"] == 150


@pytest.mark.parametrize("name", CODES)
def test_the_second_signal_ends_at_once(stand_in: Start, here: Run, name: str) -> None:
    zoho = stand_in("--faults", "hang=1")
    zoho.config(state_directory=str(STATE))
    with started("run", sheet("in.csv", rows(3)), "--json") as process:
        until(lambda: zoho.state()["calls"]["put"] == 3, process)
        process.send_signal(number_of(name))
        assert process.stderr is not None
        while "Ending" not in process.stderr.readline():
            pass
        process.send_signal(number_of(name))
        out, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (CODES[name], "")
    (one,) = here("runs", "--json").json["runs"]
    shown = here("report", one["run_id"], "--json").json
    assert true(shown, zoho) == {"unknown": 3}


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("words", ["", "Reading", "Sending"], ids=["start", "plan", "send"])
def test_a_signal_at_any_moment_has_its_exit_code_and_no_traceback(
    org: StandIn, name: str, words: str
) -> None:
    file = sheet("in.csv", rows(2_000))
    process = subprocess.Popen(
        command("run", file, "--json", "--per-second", 50),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stderr is not None
    if words:
        while words not in (line := process.stderr.readline()):
            assert line
    else:
        until(lambda: taken_over(process.pid), process)
    process.send_signal(number_of(name))
    out, err = process.communicate(timeout=PATIENCE)
    told = json.loads(out)
    assert process.returncode == told["exit_code"] == CODES[name], err
    assert "Traceback" not in err
    assert org.state()["updates"] == told["counts"]["updated"]


LOADING = """
import os, sys
from batchlock.cli import main

class Signalled:
    left = True

    def find_spec(self, name, path=None, target=None):
        if name == module and self.left:
            self.left = False
            os.kill(os.getpid(), int(number))

_, module, number, *sys.argv[1:] = sys.argv
sys.meta_path.insert(0, Signalled())
main()
"""


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("module", ["click", "batchlock.cli.output", "asyncio", "batchlock.run"])
def test_a_signal_while_the_program_loads_has_its_exit_code_and_no_traceback(
    org: StandIn, name: str, module: str
) -> None:
    file = sheet("in.csv", rows(2))
    done = subprocess.run(
        [sys.executable, "-c", LOADING, module, str(number_of(name).value), "run", file, "--json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == json.loads(done.stdout)["exit_code"] == CODES[name], done.stderr
    assert "Traceback" not in done.stderr
    assert org.state()["calls"]["put"] == 0


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT"])
def test_a_signal_that_was_ignored_from_the_start_stays_ignored(stand_in: Start, name: str) -> None:
    zoho = stand_in("--latency", "50ms")
    zoho.config(state_directory=str(STATE))
    ignoring = ["sh", "-c", f'trap "" {name.removeprefix("SIG")}; exec "$@"', "sh"]
    process = subprocess.Popen(
        [*ignoring, *command("run", sheet("in.csv", rows(40)), "--json", "--in-flight", 4)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    until(lambda: zoho.state()["updates"] >= 4, process)
    process.send_signal(number_of(name))
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert balanced(json.loads(out)) == {"updated": 40}


def taken_over(process: int) -> bool:
    """Tell whether a process has signals of its own to catch."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        pytest.skip("needs /proc")
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    wanted = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    return all(caught >> (number - 1) & 1 for number in wanted)


def test_a_signal_while_the_results_are_written_leaves_them_whole(
    stand_in: Start, here: Run
) -> None:
    zoho = stand_in("--in-flight-cap", "none")
    zoho.config(state_directory=str(STATE), limits={"in_flight": 50})
    with started("run", sheet("in.csv", rows(1500)), "--json") as process:
        until(lambda: zoho.state()["updates"] >= 1500, process)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=PATIENCE)
    told = json.loads(out)
    assert process.returncode == told["exit_code"]
    assert process.returncode in {0, 143}  # 0: the signal came after all was said
    assert true(told, zoho) == {"updated": 1500}
    nothing = here("resume", "--json")
    assert nothing.code == 0
    assert zoho.state()["calls"]["put"] == 1500


def test_a_retry_of_an_unfinished_run_takes_its_rows_over(org: StandIn, here: Run) -> None:
    file = sheet("in.csv", rows(5))
    left = here("run", file, "--json", "--max-runtime", "1ms").json
    assert balanced(left) == {"not_sent": 5}
    assert balanced(here("retry", left["run_id"], "--json").json) == {"updated": 5}
    assert "no unfinished run" in here("resume").out
    assert "no unfinished run" in here(*left["resume"].split()[1:]).out
    assert "What was left went on as run" in here("show", left["run_id"]).out
    assert org.state()["calls"]["put"] == 5
