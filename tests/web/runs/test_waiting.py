"""Runs that wait: for their process to start, or for the lock of the org."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from support.page_server import PageServer
from support.sheets import record
from support.visitor import Visitor, csv_content
from support.zoho import StandIn

from batchlock.store.store import Store

ROWS = 20
PAUSED = "Nothing is sent until somebody resumes the run."


@pytest.fixture
def someone(slow_page: PageServer) -> Visitor:
    return slow_page.visitor()


def updates(org: StandIn, first: int) -> list[int]:
    """Return how often each lock of a test's file was changed."""
    locks = org.locks()
    keys = [f"Leads/{record(number)}" for number in range(first, first + ROWS)]
    return [locks[key]["updates"] if key in locks else 0 for key in keys]


@pytest.mark.parametrize(("action", "first"), [("pause", 20_000), ("stop", 21_000)])
def test_a_request_while_the_process_is_starting_is_carried_out(
    slow_org: StandIn, someone: Visitor, action: str, first: int
) -> None:
    run = someone.start("locks.csv", csv_content(ROWS, first=first))
    answer = someone.post(f"{run}/{action}")
    assert answer.location == run, answer.words
    if action == "pause":
        someone.wait_for(run, PAUSED)
    else:
        assert "Stopped by" in someone.results(run).words
    assert sum(updates(slow_org, first)) < ROWS
    assert someone.confirm(f"{run}/go-on").location == run
    assert f"{ROWS} updated" in someone.results(run).words
    assert updates(slow_org, first) == [1] * ROWS


def test_a_run_waits_for_a_command_that_is_still_planning(
    slow_org: StandIn, slow_page: PageServer, someone: Visitor
) -> None:
    # Such a command holds the lock of the org, and has no run in the store yet.
    with Store(slow_page.state) as store, store.lock("default") as set_holder:
        set_holder("run 20260314-020304-1f3a of large.xlsx")
        run = someone.start("locks.csv", csv_content(ROWS, first=22_000))
        someone.wait_for(
            run,
            "Waiting. Another run is at work on default: run 20260314-020304-1f3a of large.xlsx",
        )
        assert "In line" in someone.get(someone.home).words
    assert f"{ROWS} updated" in someone.results(run).words
    assert updates(slow_org, 22_000) == [1] * ROWS


def test_a_run_that_waits_for_a_command_can_be_paused(
    slow_org: StandIn, slow_page: PageServer, someone: Visitor
) -> None:
    with Store(slow_page.state) as store, store.lock("default"):
        run = someone.start("locks.csv", csv_content(ROWS, first=23_000))
        someone.post(f"{run}/pause")  # its process is starting, and finds the lock held
        someone.wait_for(run, PAUSED)
        assert someone.confirm(f"{run}/go-on").location == run
        someone.wait_for(run, "Another run is at work on default")
        someone.post(f"{run}/pause")
        someone.wait_for(run, PAUSED)
    assert updates(slow_org, 23_000) == [0] * ROWS
    assert someone.confirm(f"{run}/go-on").location == run
    assert f"{ROWS} updated" in someone.results(run).words
    assert updates(slow_org, 23_000) == [1] * ROWS


def test_many_clicks_at_once_resume_a_run_once(slow_org: StandIn, someone: Visitor) -> None:
    run = someone.start("locks.csv", csv_content(ROWS, first=24_000))
    someone.wait_for(run, "Sending.")
    someone.post(f"{run}/pause")
    someone.wait_for(run, PAUSED)
    form = someone.confirmation(f"{run}/go-on")
    with ThreadPoolExecutor() as threads:
        answers = [threads.submit(someone.post, f"{run}/go-on", form) for _ in range(5)]
    assert {answer.result().status for answer in answers} == {303}
    assert f"{ROWS} updated" in someone.results(run).words
    assert updates(slow_org, 24_000) == [1] * ROWS
