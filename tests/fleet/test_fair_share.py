"""Workers share the orgs that have something to do."""

from collections.abc import Callable
from datetime import UTC, datetime

from support.fleet import Fleet, until

from batchlock.fleet.fair_share import FairShare
from batchlock.fleet.settings import WorkerSettings

MakeFleet = Callable[..., Fleet]


def share_of(fleet: Fleet, *, most: int = 100) -> FairShare:
    share = FairShare(fleet.store, WorkerSettings(orgs_at_once=most))
    share.count()
    return share


def record_workers(fleet: Fleet, *names: str) -> None:
    for name in names:
        fleet.store.workers.beat(name, started_at=datetime.now(UTC), runs=0, stopping=False)


def test_a_worker_leaves_the_other_orgs_to_the_other_workers(make_fleet: MakeFleet) -> None:
    fleet = make_fleet(orgs=5)
    for number in range(1, 6):
        fleet.start(number, 1)
    record_workers(fleet, "a:1", "b:2")
    share = share_of(fleet)
    assert [share.may_take("org-006", held=held) for held in range(5)] == [True] * 3 + [False] * 2


def test_a_worker_alone_takes_as_many_orgs_as_it_may(make_fleet: MakeFleet) -> None:
    fleet = make_fleet(orgs=5)
    for number in range(1, 6):
        fleet.start(number, 1)
    record_workers(fleet, "a:1")
    share = share_of(fleet, most=4)
    assert [share.may_take("org-006", held=held) for held in range(5)] == [True] * 4 + [False]


def test_a_worker_that_ends_or_was_killed_does_not_count(make_fleet: MakeFleet) -> None:
    fleet = make_fleet(orgs=1)
    record_workers(fleet, "a:1", "b:2")
    workers = fleet.store.workers
    workers.beat("c:3", started_at=datetime.now(UTC), runs=0, stopping=True)
    assert workers.count_alive(within_seconds=60) == 2
    assert workers.count_alive(within_seconds=0) == 0


def test_an_org_that_nobody_takes_is_taken_after_all(make_fleet: MakeFleet) -> None:
    fleet = make_fleet("--latency", "5ms", orgs=4)
    # Says that it is alive, and takes nothing.
    record_workers(fleet, "silent:1")
    runs = [fleet.start(number, 2) for number in range(1, 5)]
    with fleet.worker():
        until(lambda: all(fleet.as_it_stands(run).is_closed for run in runs))
