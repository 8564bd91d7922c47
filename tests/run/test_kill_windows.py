"""Runs that are killed between two steps of the engine, and the commands that follow.

The file was run before: two rows were done then, and two failed. So a row that is sent twice has
two updates at the stand-in, whichever run sent it first.
"""

import signal
from functools import partial
from pathlib import Path

import pytest
from support.commands import POSIX, TIMEOUT_SECONDS, RunCommand
from support.forked_command import end_at, forked
from support.runs import STATE, recorded
from support.sheets import balanced, lines, rows, sheet
from support.zoho import StandIn, Start

from batchlock.core.runs import RunState

pytestmark = POSIX

ADD = "batchlock.store.runs:RunTable.add"
START_SESSION = "batchlock.store.runs:RunTable.start_session"
COMPARE = "batchlock.execute:compare_with_earlier_runs"
COMMIT_BATCH = "batchlock.store.journal.journal:Journal.commit_batch"
REPORT = "batchlock.report.reporter:Reporter.finish"
END_SESSION = "batchlock.store.runs:RunTable.end_session"
COPY_ROWS = "batchlock.store.journals:JournalFiles.add_unsettled_rows"

# In the order of a run. The first batch claims the rows, so none of them is sent yet.
RECORDED_MOMENTS = [
    (ADD, "after"),
    (START_SESSION, "after"),
    (COMPARE, "after"),
    (COMMIT_BATCH, "after"),
    (REPORT, "before"),
    (REPORT, "after"),
    (END_SESSION, "after"),
]


def kill_at(place: str, moment: str, *arguments: object) -> None:
    """Run a command that kills itself before or after a step."""
    with forked(*arguments, before=partial(end_at, place, moment)) as process:
        _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == -signal.SIGKILL, errors


@pytest.fixture
def zoho(stand_in: Start) -> StandIn:
    """Start an org at which the third and the fourth call fail."""
    zoho = stand_in("--fail-from", 3, "--fail-calls", 2)
    zoho.config(state_directory=str(STATE), retry={"attempts": 1}, limits={"in_flight": 1})
    return zoho


@pytest.fixture
def file(zoho: StandIn, run_in_process: RunCommand) -> Path:
    """Return a file that was run before, with two rows done."""
    file = sheet("in.csv", rows(4))
    first = run_in_process("run", file, "--json")
    assert balanced(first.json) == {"updated": 2, "failed": 2}
    return file


def newest_id(run_in_process: RunCommand) -> str:
    return str(run_in_process("runs", "--json").json["runs"][0]["run_id"])


def check_lines(run_in_process: RunCommand, zoho: StandIn, run_id: str) -> None:
    """Compare what `report`, `show` and `runs` say of a run with what the stand-in knows."""
    report = run_in_process("report", run_id, "--json", "-o", "report.csv").json
    counts = balanced(report)
    sent = {key.partition("/")[2] for key in zoho.locks()}
    for line in lines(report["output"]):
        if line["Result"] in ("updated", "unchanged"):
            assert line["Record Id"] in sent
        elif line["Source row"] in ("4", "5"):  # the rows that no earlier run has done
            assert line["Record Id"] not in sent
    assert balanced(run_in_process("show", run_id, "--json").json) == counts
    listed = {run["run_id"]: run for run in run_in_process("runs", "--json").json["runs"]}[run_id]
    assert listed["rows"] == report["rows"]
    assert listed["settled"] == counts.get("updated", 0) + counts.get("unchanged", 0)


def check_complete(run_in_process: RunCommand, zoho: StandIn, file: Path) -> None:
    """Run the file again: every row is done, each was sent once, and no run is left over."""
    completed = run_in_process("run", file, "--json")
    assert completed.code == 0
    assert set(balanced(completed.json)) <= {"updated", "unchanged"}
    assert completed.json["rows"] == 4
    check_lines(run_in_process, zoho, completed.json["run_id"])
    locks = zoho.locks()
    assert [lock["updates"] for lock in locks.values()] == [1] * 4
    assert "no unfinished run" in run_in_process("resume").out
    assert {run["state"] for run in run_in_process("runs", "--json").json["runs"]} == {"finished"}


def test_a_run_killed_before_it_is_recorded_is_planned_again(
    zoho: StandIn, file: Path, run_in_process: RunCommand
) -> None:
    kill_at(ADD, "before", "run", file)
    assert len(run_in_process("runs", "--json").json["runs"]) == 1
    assert "no unfinished run" in run_in_process("resume").out
    check_complete(run_in_process, zoho, file)


@pytest.mark.parametrize(("place", "moment"), RECORDED_MOMENTS)
def test_the_same_command_completes_a_run_that_was_killed(
    zoho: StandIn, file: Path, run_in_process: RunCommand, place: str, moment: str
) -> None:
    kill_at(place, moment, "run", file)
    run_id = newest_id(run_in_process)
    check_lines(run_in_process, zoho, run_id)
    completed = run_in_process("run", file, "--json").json
    if (place, moment) == (END_SESSION, "after"):
        assert completed["run_id"] != run_id
        assert balanced(completed) == {"unchanged": 4}
    else:
        assert completed["run_id"] == run_id
        assert balanced(completed) == {"updated": 2, "unchanged": 2}
    check_complete(run_in_process, zoho, file)


@pytest.mark.parametrize("command", ["resume", "retry"])
@pytest.mark.parametrize(("place", "moment"), [RECORDED_MOMENTS[n] for n in (0, 3, 4)])
def test_resume_and_retry_complete_a_run_that_was_killed(
    zoho: StandIn, file: Path, run_in_process: RunCommand, place: str, moment: str, command: str
) -> None:
    kill_at(place, moment, "run", file)
    run_id = newest_id(run_in_process)
    completed = run_in_process(command, run_id, "--json")
    assert completed.code == 0
    if command == "resume":
        assert balanced(completed.json) == {"updated": 2, "unchanged": 2}
    elif place == REPORT:  # every row was done
        assert completed.json["run_id"] is None
    else:
        assert balanced(completed.json) == {"updated": 2}
    check_complete(run_in_process, zoho, file)


@pytest.mark.parametrize(
    ("place", "moment"),
    [(COPY_ROWS, "after"), (ADD, "after"), (START_SESSION, "after"), (REPORT, "before")],
)
def test_a_retry_that_was_killed_loses_no_row(
    zoho: StandIn, file: Path, run_in_process: RunCommand, place: str, moment: str
) -> None:
    run_id = newest_id(run_in_process)
    kill_at(place, moment, "retry", run_id)
    has_retry = newest_id(run_in_process) != run_id
    assert has_retry is (place != COPY_ROWS)
    if has_retry:
        check_lines(run_in_process, zoho, newest_id(run_in_process))
    completed = run_in_process("retry", run_id, "--json")
    assert (completed.code, balanced(completed.json)) == (0, {"updated": 2})
    assert completed.json["run_id"] == newest_id(run_in_process)
    check_complete(run_in_process, zoho, file)


def test_a_run_killed_while_it_wrote_its_results_is_finished_by_a_newer_one(
    zoho: StandIn, file: Path, run_in_process: RunCommand
) -> None:
    kill_at(REPORT, "before", "run", file)
    run_id = newest_id(run_in_process)
    assert recorded(run_id).state is RunState.RUNNING
    fresh = run_in_process("run", file, "--fresh", "--json")
    assert (fresh.code, balanced(fresh.json)) == (0, {"updated": 4})
    assert recorded(run_id).state is RunState.FINISHED
    assert recorded(run_id).finished_at is not None
    assert "no unfinished run" in run_in_process("resume").out


def test_a_session_that_is_killed_does_not_show_the_end_of_an_older_one(
    zoho: StandIn, file: Path, run_in_process: RunCommand
) -> None:
    run_id = newest_id(run_in_process)
    left = run_in_process("retry", run_id, "--json", "--max-runtime", "1ms").json
    kill_at(COMMIT_BATCH, "after", "resume")
    (listed,) = (
        run
        for run in run_in_process("runs", "--json").json["runs"]
        if run["run_id"] == left["run_id"]
    )
    assert (listed["state"], listed["exit_code"], listed["output"]) == ("unfinished", None, None)
