"""Worker processes that are killed, stopped or cut off lose no row, and send none twice."""

import signal
from collections.abc import Callable

import psycopg
import pytest
from support.fleet import Fleet, until
from support.forked_reader import CAN_FORK

from batchlock.core.results import Result
from batchlock.core.runs import Run, RunState

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="needs forks and POSIX signals")

MakeFleet = Callable[..., Fleet]
ROWS = 60
# So slow that a run is in its middle for a second or more, with few rows.
SLOW = ("--latency", "50ms", "--in-flight-cap", "2")


def check_all_updated_once(fleet: Fleet, *runs: Run) -> None:
    """Compare the results of runs with the stand-in's own record."""
    for run in runs:
        ended = fleet.as_it_stands(run)
        assert (ended.state, ended.reason and ended.reason.exit_code) == (RunState.FINISHED, 0)
        assert ended.figures.counts[Result.UPDATED] == ended.figures.rows
    locks = [lock for number in (1, 2) for lock in fleet.stand_in.org(number).locks().values()]
    assert [lock["updates"] for lock in locks] == [1] * sum(run.figures.rows for run in runs)


def is_sending(fleet: Fleet, run: Run) -> Callable[[], bool]:
    """Return a condition: some rows have a result, and some have not."""

    def condition() -> bool:
        figures = fleet.as_it_stands(run).figures
        assert figures.remaining
        return figures.settled >= 4

    return condition


def test_another_worker_goes_on_with_the_run_of_a_killed_one(make_fleet: MakeFleet) -> None:
    fleet = make_fleet(*SLOW, lease="3s")
    run = fleet.start(1, ROWS)
    with fleet.worker_process() as killed:
        until(is_sending(fleet, run))
        killed.kill()
        killed.wait(60)
    with fleet.worker_process():
        until(lambda: fleet.as_it_stands(run).is_closed)
    # The rows that were in flight are looked at, and not sent again.
    check_all_updated_once(fleet, run)
    assert fleet.stand_in.org(1).state()["calls"]["get"] > 0


def test_a_woken_worker_makes_no_call_for_an_org_that_was_taken_over(
    make_fleet: MakeFleet,
) -> None:
    fleet = make_fleet(*SLOW, orgs=2, lease="3s")
    run = fleet.start(1, 2 * ROWS)
    with fleet.worker_process() as stopped:
        until(is_sending(fleet, run))
        stopped.send_signal(signal.SIGSTOP)
        ports = {call["port"] for call in fleet.stand_in.log()}
        # This lease is so long that it does not end on a slow machine.
        with fleet.worker_process(BATCHLOCK_WORKER__LEASE="600s") as other:
            until(lambda: fleet.is_held_by(1, other))
            # Calls that the stopped worker had begun have arrived in the time of its lease.
            last_call = fleet.stand_in.log()[-1]
            stopped.send_signal(signal.SIGCONT)
            until(lambda: fleet.as_it_stands(run).is_closed)
            other.kill()
            other.wait(60)
        later = fleet.stand_in.log(after=last_call["number"])
        assert ports.isdisjoint(call["port"] for call in later)
        # It can work again.
        next_run = fleet.start(2, 4)
        until(lambda: fleet.as_it_stands(next_run).is_closed)
    check_all_updated_once(fleet, run, next_run)


def test_workers_are_replaced_one_by_one(make_fleet: MakeFleet) -> None:
    fleet = make_fleet(*SLOW, orgs=2, orgs_at_once="1")
    runs = [fleet.start(number, ROWS) for number in (1, 2)]
    with fleet.worker_process() as first, fleet.worker_process() as second:
        until(lambda: all(fleet.as_it_stands(run).figures.settled >= 4 for run in runs))
        first.send_signal(signal.SIGTERM)
        assert first.wait(60) == 0
        with fleet.worker_process():
            second.send_signal(signal.SIGTERM)
            assert second.wait(60) == 0
            until(lambda: all(fleet.as_it_stands(run).is_closed for run in runs))
    check_all_updated_once(fleet, *runs)
    # Its calls were finished, so no row was in doubt.
    assert [fleet.stand_in.org(number).state()["calls"]["get"] for number in (1, 2)] == [0, 0]


def test_a_worker_goes_on_when_all_connections_to_the_database_are_ended(
    make_fleet: MakeFleet, database_url: str
) -> None:
    fleet = make_fleet(*SLOW, orgs=2)
    runs = [fleet.start(number, ROWS) for number in (1, 2)]
    with fleet.worker_process():
        for settled in (4, 12, 20):
            until(lambda: fleet.as_it_stands(runs[0]).figures.settled >= settled)  # noqa: B023
            end_connections(database_url)
        until(lambda: all(fleet.as_it_stands(run).is_closed for run in runs))
    check_all_updated_once(fleet, *runs)


def end_connections(url: str) -> None:
    """End every other connection to a database, as its restart does."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_the_runs_are_sent_when_the_tables_of_the_job_queue_are_emptied(
    make_fleet: MakeFleet, database_url: str
) -> None:
    fleet = make_fleet(*SLOW, orgs=2, lease="3s")
    first = fleet.start(1, ROWS)
    with fleet.worker_process():
        until(is_sending(fleet, first))
        second = fleet.start(2, 4)
        empty_job_queue(database_url)
        until(lambda: all(fleet.as_it_stands(run).is_closed for run in (first, second)))
    check_all_updated_once(fleet, first, second)


def empty_job_queue(url: str) -> None:
    """Empty all tables of the job queue."""
    with psycopg.connect(url) as connection:
        names = connection.execute(
            "SELECT tablename FROM pg_tables WHERE tablename LIKE 'procrastinate%'"
        ).fetchall()
        assert names
        connection.execute(f"TRUNCATE {', '.join(name for (name,) in names)} CASCADE".encode())
