"""The runs of many orgs as the workers of a server see them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from support.journals import Home, simple_update
from support.run_info import figures_of, run_info, run_record

from batchlock.core.errors import AlreadyRunning, LeaseLost, UsageError
from batchlock.core.org import StoredOrg
from batchlock.core.runs import Run, RunState, superseded_by
from batchlock.core.stop import COMPLETED, StopCode, StopReason
from batchlock.store.leases import Lease
from batchlock.store.shared_runs import Beat
from batchlock.store.store import Store

ONE = run_info(run_id="20260314-020304-0001", org="one")
TWO = run_info(run_id="20260314-020305-0002", org="one")
OTHER = run_info(run_id="20260314-020306-0003", org="two")
LEFT = figures_of(updated=1, left=4)


@pytest.fixture
def store(server_store: Store) -> Store:
    for info in (ONE, TWO, OTHER):
        server_store.runs.add(run_record(info))
    return server_store


def queue(store: Store, *infos: object) -> None:
    for info in infos:
        assert store.runs.enqueue(getattr(info, "run_id", ""))


def stored(store: Store, run_id: str = ONE.run_id) -> Run:
    run = store.runs.get(run_id)
    assert run is not None
    return run


def running(store: Store, holder: str = "worker/1") -> Lease:
    """Send the first run under a lease."""
    queue(store, ONE)
    lease = store.leases.take("one", holder, seconds=60)
    assert lease is not None
    assert store.runs.start_session(stored(store))
    return lease


def beat_of(lease: Lease, *, has_progress: bool = False) -> Beat:
    return Beat(
        run_id=ONE.run_id,
        lease=lease,
        message="Sending\ud800.",
        snapshot=None,
        figures=LEFT,
        has_progress=has_progress,
    )


def test_orgs_wait_while_they_have_runs_and_nobody_holds_them(store: Store) -> None:
    runs = store.shared_runs
    assert runs.waiting_orgs() == []
    queue(store, OTHER, ONE)
    assert runs.waiting_orgs() == ["two", "one"]
    assert store.leases.take("two", "worker/3", seconds=60)
    assert runs.waiting_orgs() == ["one"]
    store.orgs.put([StoredOrg(name="one", data_center="us", environment="production")], {})
    store.orgs.set_disabled("one", disabled=True)
    assert runs.waiting_orgs() == []
    assert runs.next_run("one") is None


def test_the_run_of_a_killed_worker_comes_first(store: Store) -> None:
    queue(store, TWO)
    lease = running(store)
    next_run = store.shared_runs.next_run("one")
    assert next_run is not None
    assert next_run.run_id == ONE.run_id
    store.shared_runs.settle_killed(lease)
    assert (stored(store).state, stored(store).starts) == (RunState.QUEUED, 1)


def test_a_beat_records_the_figures_and_returns_a_request(store: Store) -> None:
    lease = running(store)
    assert store.shared_runs.beat([beat_of(lease)]) == {}
    run = stored(store)
    assert (run.figures, run.message, run.is_alive) == (LEFT, "Sending\ud800.", True)
    stop = StopReason(code=StopCode.PAUSED, sentence="Paused by ann.")
    store.runs.request_stop(ONE.run_id, stop)
    reason = store.shared_runs.beat([beat_of(lease)])[ONE.run_id]
    assert (reason.code, reason.sentence) == (stop.code, stop.sentence)


def test_progress_forgets_the_workers_that_were_killed_before(store: Store) -> None:
    lease = running(store)
    store.shared_runs.settle_killed(lease)
    store.runs.start_session(stored(store))
    store.shared_runs.beat([beat_of(lease)])
    assert stored(store).starts == 1
    store.shared_runs.beat([beat_of(lease, has_progress=True)])
    assert stored(store).starts == 0


def test_a_run_that_kills_its_workers_is_stopped(store: Store) -> None:
    lease = running(store)
    for _ in range(20):
        store.runs.start_session(stored(store))
        store.shared_runs.settle_killed(lease)
    ended = stored(store)
    assert (ended.state, ended.reason and ended.reason.code) == (RunState.STOPPED, StopCode.KILLED)


def test_without_the_lease_nothing_of_a_run_changes(store: Store) -> None:
    lease = replace(running(store), epoch=99)
    runs, before = store.shared_runs, stored(store)
    assert ONE.run_id in runs.beat([beat_of(lease)])
    runs.settle_killed(lease)
    ended = runs.end_session(ONE.run_id, lease, COMPLETED, exit_code=0, results=None, figures=LEFT)
    assert not ended
    assert not runs.requeue(ONE.run_id, lease, LEFT)
    assert stored(store) == before


def test_without_the_lease_no_session_begins(store: Store) -> None:
    queue(store, ONE)
    lease = store.leases.take("one", "worker/1", seconds=60)
    assert lease is not None
    with pytest.raises(LeaseLost):
        store.runs.start_session(stored(store), replace(lease, epoch=lease.epoch - 1))
    assert stored(store).state is RunState.QUEUED
    assert store.runs.start_session(stored(store), lease)


def test_the_end_of_a_session_is_recorded_under_the_lease(store: Store) -> None:
    lease = running(store)
    assert store.shared_runs.end_session(
        ONE.run_id, lease, COMPLETED, exit_code=3, results="/r.xlsx", figures=figures_of(updated=5)
    )
    run = stored(store)
    assert (run.state, run.exit_code, run.results) == (RunState.FINISHED, 3, "/r.xlsx")


def test_a_worker_that_ends_lets_its_run_wait_again(store: Store) -> None:
    lease = running(store)
    assert store.shared_runs.requeue(ONE.run_id, lease, LEFT)
    assert (stored(store).state, stored(store).figures) == (RunState.QUEUED, LEFT)


def test_a_request_of_a_person_ends_the_run_of_a_killed_worker(store: Store) -> None:
    lease = running(store)
    stop = StopReason(code=StopCode.STOPPED, sentence="Stopped by ann.")
    store.runs.request_stop(ONE.run_id, stop)
    store.shared_runs.settle_killed(lease)
    ended = stored(store)
    assert (ended.state, ended.reason and ended.reason.sentence) == (
        RunState.STOPPED,
        "Stopped by ann.",
    )


def test_a_killed_run_is_settled_by_its_journal(store: Store, tmp_path: Path) -> None:
    """The last heartbeat has counted rows whose outcome was lost with the worker."""
    Home(store.journals, tmp_path).plan([simple_update(row) for row in range(2, 7)], ONE)
    lease = running(store)
    done = replace(beat_of(lease), figures=figures_of(updated=5))
    assert store.shared_runs.beat([done]) == {}
    stop = StopReason(code=StopCode.STOPPED, sentence="Stopped by ann.")
    store.runs.request_stop(ONE.run_id, stop)
    store.shared_runs.settle_killed(lease)
    ended = stored(store)
    assert (ended.state, ended.figures.remaining) == (RunState.STOPPED, 5)


def test_an_org_has_one_running_run(store: Store) -> None:
    running(store)
    queue(store, TWO)
    with pytest.raises(UsageError, match="ix_runs_running"):
        store.runs.start_session(stored(store, TWO.run_id))


def test_a_request_survives_the_end_of_the_worker(store: Store) -> None:
    lease = running(store)
    store.runs.request_stop(
        ONE.run_id, StopReason(code=StopCode.STOPPED, sentence="Stopped by ann.")
    )
    assert store.shared_runs.requeue(ONE.run_id, lease, LEFT)
    ended = stored(store)
    assert (ended.state, ended.reason and ended.reason.sentence) == (
        RunState.STOPPED,
        "Stopped by ann.",
    )


def test_the_run_of_a_disabled_org_does_not_stay_running(store: Store) -> None:
    store.orgs.put([StoredOrg(name="one", data_center="us", environment="production")], {})
    lease = running(store)
    store.orgs.set_disabled("one", disabled=True)
    store.shared_runs.settle_disabled()
    assert stored(store).state is RunState.RUNNING
    store.leases.release(lease)
    store.shared_runs.settle_disabled()
    assert stored(store).state is RunState.QUEUED


def test_a_run_under_a_lease_is_not_superseded_however_old_its_heartbeat(store: Store) -> None:
    running(store)
    age_heartbeat(store)
    retry = run_info(run_id="20260314-020307-0004", org="one", kind="retry", retry_of=ONE.run_id)
    with pytest.raises(AlreadyRunning, match=ONE.run_id):
        store.runs.add(run_record(retry), superseded=superseded_by(retry))


def test_two_retries_at_once_are_one(store: Store) -> None:
    names = [f"20260314-02030{number}-0005" for number in range(7, 10)]

    def add(run_id: str) -> str:
        retry = run_info(run_id=run_id, org="one", kind="retry", retry_of=ONE.run_id)
        added = store.runs.add(run_record(retry), superseded=superseded_by(retry))
        return added.run_id

    with ThreadPoolExecutor(3) as threads:
        assert len(set(threads.map(add, names))) == 1


def test_a_run_that_is_being_sent_is_not_queued(store: Store) -> None:
    running(store)
    assert not store.runs.enqueue(ONE.run_id)
    assert stored(store).state is RunState.RUNNING


def age_heartbeat(store: Store) -> None:
    """Let the clock of the machine of the worker be an hour late."""
    assert store.database_url is not None
    with psycopg.connect(store.database_url) as connection:
        connection.execute("UPDATE runs SET heartbeat_at = heartbeat_at - interval '1 hour'")
