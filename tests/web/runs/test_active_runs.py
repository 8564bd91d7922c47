"""Active runs: pausing, stopping, waiting, watching."""

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.commands import POSIX, TIMEOUT_SECONDS
from support.forked_command import forked
from support.page_server import PageServer
from support.sheets import record, rows, sheet
from support.visitor import Visitor, csv_content, eventually
from support.zoho import StandIn


@pytest.fixture
def someone(slow_page: PageServer) -> Visitor:
    return slow_page.visitor()


def updates(org: StandIn, *, first: int, count: int) -> list[int]:
    """Return how often each of some locks was changed."""
    locks = org.locks()
    keys = [f"Leads/{record(number)}" for number in range(first, first + count)]
    return [locks[key]["updates"] for key in keys if key in locks]


def stop(someone: Visitor, run: str) -> None:
    """Stop a run, so that the next test's run does not wait for it."""
    someone.post(f"{run}/stop")
    someone.results(run)


def test_a_run_is_paused_resumed_and_stopped(slow_org: StandIn, someone: Visitor) -> None:
    run = someone.start("locks.csv", csv_content(60, first=1_000))
    eventually(lambda: len(updates(slow_org, first=1_000, count=60)) > 4)
    assert "Pause" in someone.get(run).words
    someone.post(f"{run}/pause")
    someone.wait_for(run, "Resume")
    assert "Paused by" in someone.get(run).words
    someone.confirm(f"{run}/go-on")
    someone.wait_for(run, "Sending.")
    someone.post(f"{run}/stop")
    page = someone.results(run).words
    assert "Stopped by" in page
    assert "Resume the run" in page
    someone.confirm(f"{run}/go-on")
    assert "60 updated" in someone.results(run).words
    assert updates(slow_org, first=1_000, count=60) == [1] * 60


def test_runs_wait_for_each_other(someone: Visitor) -> None:
    # Far more rows than are sent before the page of the second run is read.
    first = someone.start("one.csv", csv_content(5_000, first=20_000))
    someone.wait_for(first, "Sending.")
    second = someone.start("two.csv", csv_content(4, first=2_100))
    assert "Waiting in line" in someone.get(second).words
    stop(someone, first)
    assert "4 updated" in someone.results(second).words


def test_all_viewers_see_the_same_run(slow_page: PageServer, someone: Visitor) -> None:
    other = slow_page.visitor()
    run = someone.start("locks.csv", csv_content(300, first=3_000))
    other.wait_for(run, "Sending.")
    views = [json.loads(viewer.get(f"{run}/now").text) for viewer in (someone, other)]
    assert {view["state"] for view in views} == {"running"}
    assert set(views[0]["parts"]) == {"status", "bar", "figures", "causes", "chart"}
    stop(someone, run)


def test_a_view_is_sent_once_while_it_stays_the_same(
    slow_page: PageServer, someone: Visitor
) -> None:
    run = someone.start("locks.csv", csv_content(200, first=3_500))
    someone.wait_for(run, "Sending.")
    someone.post(f"{run}/pause")
    someone.wait_for(run, "Resume")

    def is_unchanged() -> bool:
        view = someone.get(f"{run}/now")
        again = someone.get(f"{run}/now", {"If-None-Match": view.headers["ETag"]})
        assert int(again.headers["Age"]) < TIMEOUT_SECONDS
        return (again.status, again.text) == (304, "")

    eventually(is_unchanged)  # its last reading may still have been that of the running run
    stop(someone, run)


def test_a_run_that_is_ending_cannot_be_resumed_yet(
    slow_page: PageServer, someone: Visitor
) -> None:
    run = someone.start("locks.csv", csv_content(300, first=4_000))
    someone.wait_for(run, "Sending.")
    with frozen(process_of(slow_page)):
        someone.post(f"{run}/pause")
        status = someone.get(run).words
        assert re.search(r"Pausing: (\d calls? under way ends? first, then )?the results", status)
        assert "Sending." not in status
        assert someone.post(f"{run}/go-on").status == 409
    someone.wait_for(run, "Resume")
    assert someone.post(f"{run}/retry").status == 409
    stop(someone, run)
    assert someone.post(f"{run}/stop").status == 409


@POSIX
def test_a_run_whose_process_is_killed_goes_on(slow_page: PageServer, someone: Visitor) -> None:
    run = someone.start("locks.csv", csv_content(40, first=5_000))
    someone.wait_for(run, "Sending.")
    os.kill(process_of(slow_page), signal.SIGKILL)
    assert "40 updated" in someone.results(run).words


@POSIX
def test_a_run_at_a_terminal_can_be_ended_on_the_page(
    slow_page: PageServer, someone: Visitor
) -> None:
    run = someone.start("locks.csv", csv_content(300, first=6_000))
    someone.wait_for(run, "Sending.")
    someone.post(f"{run}/pause")
    someone.wait_for(run, "until somebody resumes")  # its process has ended, too
    run_id = run.rpartition("/")[2]
    resume = ("resume", run_id, "--in-flight", 1, "--config", slow_page.config)
    with forked(*resume) as process:
        someone.wait_for(run, "Sending.")
        assert someone.post(f"{run}/stop").location == run
        output, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 6
    assert "Stopped by" in output
    assert f"stopped run {run_id}" in someone.get(f"{someone.home}/log").words
    assert "Stopped by" in someone.results(run).words


def test_a_run_of_the_command_line_is_waited_for_and_listed(
    slow_page: PageServer, someone: Visitor
) -> None:
    # Far more rows than are sent before the page of the other run is read.
    file = sheet("terminal.csv", rows(5_000, first=70_000))
    with forked("run", file, "--json", "--config", slow_page.config) as process:
        eventually(lambda: slow_page.running() is not None)
        run = someone.start("one.csv", csv_content(3, first=7_100))
        assert "Waiting in line" in someone.get(run).words
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=TIMEOUT_SECONDS)
    assert "3 updated" in someone.results(run).words
    history = someone.get(f"{someone.home}/history").words
    assert "terminal.csv" in history
    assert "command line" in history


def process_of(page: PageServer) -> int:
    """Return the id of the process that sends a run."""
    run = page.running()
    assert run is not None
    assert run.process is not None
    return run.process


@contextmanager
def frozen(process_id: int) -> Iterator[None]:
    """Freeze a process during the block; on Windows the block must be quick instead."""
    if sys.platform != "win32":
        os.kill(process_id, signal.SIGSTOP)
    yield
    if sys.platform != "win32":
        os.kill(process_id, signal.SIGCONT)
