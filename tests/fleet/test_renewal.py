"""A worker keeps its leases, whatever else of it waits for the database."""

from collections.abc import Callable

import psycopg
import pytest
from support.fleet import Fleet, until

from batchlock.core.results import Result
from batchlock.fleet import worker as worker_module

MakeFleet = Callable[..., Fleet]


def test_leases_are_renewed_while_all_threads_wait_for_the_database(
    make_fleet: MakeFleet, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "_THREADS", 1)
    fleet = make_fleet("--latency", "50ms", "--in-flight-cap", "2", lease="5s")
    run = fleet.start(1, 60)
    with fleet.worker(), psycopg.connect(database_url) as connection:
        until(lambda: fleet.as_it_stands(run).figures.settled > 0)
        connection.execute("LOCK TABLE runs")
        leases = "SELECT epoch, lease_until + interval '5 seconds' FROM orgs WHERE org = 'org-001'"
        epoch, later = connection.execute(leases).fetchone() or (0, None)
        # No statement about the table of the runs can end, and the lease is renewed all the same.
        renewed = "SELECT 1 FROM orgs WHERE org = 'org-001' AND epoch = %s AND lease_until > %s"
        until(lambda: connection.execute(renewed, (epoch, later)).fetchone() is not None)
        connection.rollback()
        until(lambda: fleet.as_it_stands(run).is_closed)
    assert fleet.as_it_stands(run).figures.counts[Result.UPDATED] == 60
