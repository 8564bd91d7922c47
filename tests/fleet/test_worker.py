"""Workers send the runs of many orgs, each run once."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from support.fleet import Fleet, until, updates_of

from batchlock.config import Settings
from batchlock.core.errors import UsageError
from batchlock.core.records import FindRequest
from batchlock.core.results import Result
from batchlock.core.runs import Run, RunState
from batchlock.core.stop import StopCode, StopReason
from batchlock.fleet.queue import notify_workers, wake
from batchlock.fleet.worker import Worker
from batchlock.plan_file import plan_of
from batchlock.plan_format import read_plan, write_plan
from batchlock.store.audit_log import LogFilter
from batchlock.store.journal import Journal
from batchlock.store.store import Store

MakeFleet = Callable[..., Fleet]


def puts(fleet: Fleet) -> dict[int, int]:
    """Return the updates that each org has taken, by its number."""
    orgs = fleet.stand_in.orgs()["orgs"]
    return {org["org"]: org["updates"] for org in orgs if org["updates"]}


def test_a_worker_sends_the_runs_of_several_orgs(make_fleet: MakeFleet) -> None:
    fleet = make_fleet("--latency", "5ms", orgs=3)
    runs = [fleet.start(number, 20) for number in (1, 2, 3)]
    with fleet.worker():
        until(lambda: all(fleet.as_it_stands(run).is_closed for run in runs))
    for run in runs:
        ended = fleet.as_it_stands(run)
        assert (ended.state, ended.exit_code) == (RunState.FINISHED, 0)
        assert ended.figures.counts[Result.UPDATED] == 20
    assert puts(fleet) == {1: 20, 2: 20, 3: 20}
    assert fleet.store.leases.holder("org-001") is None


def test_a_command_follows_its_run_and_writes_the_results(make_fleet: MakeFleet) -> None:
    fleet = make_fleet("--latency", "5ms")
    with fleet.worker():
        result = fleet.run(1, 30)
    assert (result.exit_code, result.summary.counts[Result.UPDATED]) == (0, 30)
    assert result.output is not None
    assert result.output.exists()


def test_a_worker_sends_what_a_plan_says(make_fleet: MakeFleet, tmp_path: Path) -> None:
    fleet, path = make_fleet("--latency", "5ms"), tmp_path / "plan.json"
    file = updates_of(1, 5)
    engine = fleet.engine(1)

    def write(journal: Journal) -> None:
        write_plan(path, plan_of(journal, engine.options, {}, engine.org_id("org-001")))

    asyncio.run(engine.check(file, write))
    engine.approved_plan = read_plan(path)
    with pytest.raises(UsageError, match="not the one that was checked"):
        asyncio.run(engine.run(updates_of(1, 6)))
    engine.approved_plan = replace(engine.approved_plan, digest="0")
    with pytest.raises(UsageError, match="Other rows would be sent"):
        asyncio.run(engine.run(file))
    assert not fleet.store.runs.of_orgs(["org-001"])
    engine.approved_plan = read_plan(path)
    with fleet.worker():
        result = asyncio.run(engine.run(file))
    assert result.summary.counts[Result.UPDATED] == 5


def test_the_runs_of_an_org_are_sent_one_after_the_other(make_fleet: MakeFleet) -> None:
    fleet = make_fleet("--latency", "5ms")
    runs = [fleet.start(1, 15) for _ in range(3)]
    with fleet.worker():
        until(lambda: all(fleet.as_it_stands(run).is_closed for run in runs))
    ended = [fleet.as_it_stands(run).finished_at for run in runs]
    assert ended == sorted(ended, key=str)
    assert puts(fleet) == {1: 45}


def test_a_worker_that_ends_gives_its_run_to_the_next(make_fleet: MakeFleet) -> None:
    fleet = make_fleet("--latency", "50ms", "--in-flight-cap", "4")
    run = fleet.start(1, 60)
    with fleet.worker():
        until(lambda: fleet.as_it_stands(run).figures.settled >= 8)
    waiting = fleet.as_it_stands(run)
    assert waiting.state is RunState.QUEUED
    assert waiting.figures.counts[Result.UNKNOWN] == 0
    with fleet.worker():
        until(lambda: fleet.as_it_stands(run).is_closed)
    assert puts(fleet) == {1: 60}
    assert fleet.as_it_stands(run).figures.counts[Result.UPDATED] == 60
    ends = LogFilter(orgs=["org-001"], words=f"ended {run.run_id}")
    [entry] = fleet.store.audit_log.entries(ends, limit=9)  # none of the worker that gave it back
    assert entry.subject.endswith("(finished): 60 updated")


@pytest.mark.parametrize(
    ("code", "state"), [(StopCode.STOPPED, RunState.STOPPED), (StopCode.PAUSED, RunState.PAUSED)]
)
def test_a_request_of_a_person_reaches_the_worker(
    make_fleet: MakeFleet, code: StopCode, state: RunState
) -> None:
    fleet = make_fleet("--latency", "50ms", "--in-flight-cap", "2")
    run = fleet.start(1, 400)
    with fleet.worker():
        until(lambda: fleet.as_it_stands(run).figures.settled > 0)
        fleet.store.runs.request_stop(run.run_id, StopReason(code=code, sentence="By Ann."))
        notify_workers(fleet.store, run.run_id)
        until(lambda: fleet.as_it_stands(run).state is state)
        stopped = fleet.as_it_stands(run)
        assert stopped.reason is not None
        assert (stopped.reason.sentence, stopped.figures.remaining > 0) == ("By Ann.", True)
        # The org is free for the next run at once.
        other = fleet.start(1, 2)
        until(lambda: fleet.as_it_stands(other).is_closed)


def test_a_run_that_cannot_begin_says_why_and_does_not_stop_the_next(
    make_fleet: MakeFleet, database_url: str
) -> None:
    fleet = make_fleet()
    broken, run = fleet.start(1, 2), fleet.start(1, 3)
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM run_facts WHERE run = %s", (broken.run_id,))
    with fleet.worker():
        until(lambda: fleet.as_it_stands(run).is_closed)
    ended = fleet.as_it_stands(broken)
    assert ended.state is RunState.STOPPED
    assert ended.reason is not None
    assert "no journal" in ended.reason.sentence


def test_a_worker_obeys_the_options_of_a_run(make_fleet: MakeFleet) -> None:
    fleet = make_fleet("--latency", "20ms")
    file = updates_of(1, 30)
    engine = fleet.engine(1, typed={"limits.in_flight": "2"})
    with fleet.worker():
        asyncio.run(engine.run(file))
    (org,) = (one for one in fleet.stand_in.orgs()["orgs"] if one["updates"])
    # Two questions about the org are asked beside the rows.
    assert org["in_flight_peak"] <= 4


def test_the_runs_of_a_disabled_org_wait(make_fleet: MakeFleet) -> None:
    fleet = make_fleet()
    run = fleet.start(1, 2)
    fleet.store.orgs.set_disabled("org-001", disabled=True)
    other = make_other_org(fleet)
    with fleet.worker():
        until(lambda: fleet.as_it_stands(other).is_closed)
        assert fleet.as_it_stands(run).state is RunState.QUEUED
        fleet.store.orgs.set_disabled("org-001", disabled=False)
        until(lambda: fleet.as_it_stands(run).is_closed)


def make_other_org(fleet: Fleet) -> Run:
    fleet.add_orgs(2)
    return fleet.start(2, 2)


def test_a_worker_needs_a_shared_database(tmp_path: Path) -> None:
    settings = Settings()
    with Store(tmp_path) as store, pytest.raises(UsageError, match="`database`"):
        Worker(settings, store)


def test_a_worker_of_an_older_version_ends_in_a_sentence(
    make_fleet: MakeFleet, database_url: str
) -> None:
    fleet = make_fleet()
    worker = Worker(fleet.settings, fleet.store)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(UsageError, match="newer version"):
        asyncio.run(worker.run())


def test_an_org_that_only_a_configuration_names_is_refused(make_fleet: MakeFleet) -> None:
    """Two machines may use the same name for two orgs of Zoho."""
    fleet = make_fleet()
    engine = fleet.engine(1)
    engine.settings = replace(engine.settings, org="default")
    with pytest.raises(UsageError, match="orgs add default"):
        asyncio.run(engine.run(updates_of(1, 2)))


def test_fresh_sends_the_rows_again_that_are_done(make_fleet: MakeFleet) -> None:
    fleet = make_fleet("--latency", "5ms")
    file = updates_of(1, 4)
    with fleet.worker():
        first, again, fresh = (
            asyncio.run(fleet.engine(1, fresh=is_fresh).run(file))
            for is_fresh in (False, False, True)
        )
    assert first.summary.counts[Result.UPDATED] == 4
    assert again.summary.counts[Result.UNCHANGED] == 4
    assert fresh.summary.counts[Result.UPDATED] == 4


def test_many_runs_of_one_org_leave_places_for_others(make_fleet: MakeFleet) -> None:
    fleet = make_fleet("--latency", "40ms", "--in-flight-cap", "1", orgs=2, orgs_at_once="2")
    runs = [fleet.start(1, 40) for _ in range(4)]
    with fleet.worker():
        until(lambda: fleet.as_it_stands(runs[0]).state is RunState.RUNNING)
        for _ in runs:
            wake(fleet.store, "org-001")
        other = fleet.start(2, 2)
        until(lambda: fleet.as_it_stands(other).is_closed)
        assert not fleet.as_it_stands(runs[-1]).is_closed


def test_an_upgrade_of_the_database_lets_the_runs_wait(
    make_fleet: MakeFleet, database_url: str
) -> None:
    fleet = make_fleet("--latency", "50ms", "--in-flight-cap", "2")
    run = fleet.start(1, 400)

    def upgrade_while_it_is_sent() -> None:
        with fleet.worker():
            until(lambda: fleet.as_it_stands(run).figures.settled > 0)
            with psycopg.connect(database_url) as connection:
                connection.execute("UPDATE alembic_version SET version_num = '9999'")
            until(lambda: fleet.as_it_stands(run).state is RunState.QUEUED)

    with pytest.raises(UsageError, match="newer version"):
        upgrade_while_it_is_sent()


def test_what_a_search_costs_is_counted_whole(make_fleet: MakeFleet) -> None:
    fleet = make_fleet("--inventory-size", "60", "--latency", "5ms")
    request = FindRequest(modules=("Leads",))
    with fleet.worker():
        result = asyncio.run(fleet.engine(1).locks(request))
    (org,) = (one for one in fleet.stand_in.orgs()["orgs"] if one["calls"])
    assert (result.summary.requests, result.summary.credits_used) == (
        org["calls"],
        org["credits_used"],
    )
