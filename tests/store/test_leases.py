"""The lease of an org, in PostgreSQL."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from batchlock.core.errors import AlreadyRunning
from batchlock.store.leases import Lease, LeaseTable
from batchlock.store.postgres import connect_arguments
from batchlock.store.store import Store

LONG = 60.0
SHORT = 0.001


@pytest.fixture
def leases(server_store: Store) -> LeaseTable:
    return server_store.leases


def taken(leases: LeaseTable, holder: str, *, org: str = "acme", seconds: float = LONG) -> Lease:
    lease = leases.take(org, holder, seconds=seconds)
    assert lease is not None
    return lease


def run_out(leases: LeaseTable, holder: str) -> Lease:
    """Return a lease whose time is up."""
    lease = taken(leases, holder, seconds=SHORT)
    while leases.holder(lease.org) is not None:
        time.sleep(SHORT)
    return lease


def test_a_lease_is_held_by_one_only_until_it_is_given_back(leases: LeaseTable) -> None:
    first = taken(leases, "one")
    assert leases.take("acme", "two", seconds=LONG) is None
    assert leases.take("acme", "one", seconds=LONG) is None
    assert leases.holder("acme") == "one"
    leases.release(first)
    assert leases.holder("acme") is None
    assert taken(leases, "two").epoch == first.epoch + 1


def test_each_org_has_a_lease_of_its_own(leases: LeaseTable) -> None:
    taken(leases, "one")
    taken(leases, "one", org="globex")


def test_a_lease_that_has_run_out_is_taken_over(leases: LeaseTable) -> None:
    first = run_out(leases, "one")
    second = taken(leases, "two")
    assert second.epoch == first.epoch + 1
    assert leases.renew([first, second], seconds=LONG) == [second]
    leases.release(first)  # no effect: it belongs to another
    assert leases.holder("acme") == "two"


def test_a_lease_that_nobody_took_over_can_be_renewed_late(leases: LeaseTable) -> None:
    lease = run_out(leases, "one")
    assert leases.renew([lease], seconds=LONG) == [lease]
    assert leases.take("acme", "two", seconds=LONG) is None


def test_only_one_of_many_takes_a_lease(leases: LeaseTable) -> None:
    with ThreadPoolExecutor(8) as threads:
        names = [f"worker {number}" for number in range(24)]
        results = list(threads.map(lambda name: leases.take("acme", name, seconds=LONG), names))
    assert sum(lease is not None for lease in results) == 1


def test_no_lease_is_renewed_without_one(leases: LeaseTable) -> None:
    assert leases.renew([], seconds=LONG) == []


def test_the_lock_of_an_org_is_its_lease(server_store: Store) -> None:
    with server_store.lock("acme") as set_holder:
        set_holder("run 1")
        with pytest.raises(AlreadyRunning, match="acme"), server_store.lock("acme"):
            pass
        with server_store.lock("globex"):
            pass
    with server_store.lock("acme"):
        pass


def test_a_commit_under_way_keeps_others_from_the_org_but_not_its_own_renewal(
    leases: LeaseTable, database_url: str
) -> None:
    lease = run_out(leases, "one")
    with psycopg.connect(database_url) as other:
        other.execute("SELECT org FROM orgs WHERE org = 'acme' FOR KEY SHARE")
        assert leases.take("acme", "two", seconds=LONG) is None
        assert leases.renew([lease], seconds=LONG) == [lease]


def test_a_locked_row_is_not_a_lost_lease(leases: LeaseTable, database_url: str) -> None:
    lease = taken(leases, "one")
    other_org = taken(leases, "one", org="globex")
    with psycopg.connect(database_url) as other:
        other.execute("SELECT org FROM orgs WHERE org = 'acme' FOR UPDATE")
        assert leases.renew([lease, other_org], seconds=LONG) == [other_org]
        assert leases.held([lease, other_org]) == [lease, other_org]


def test_a_connection_for_leases_does_not_stand_still_in_a_transaction(database_url: str) -> None:
    arguments: Any = connect_arguments(database_url, is_brief=True)
    with psycopg.connect(**arguments) as connection:
        settings = ("idle_in_transaction_session_timeout", "lock_timeout", "tcp_keepalives_idle")
        for name in settings:
            (value,) = connection.execute(f"SHOW {name}").fetchone() or ("",)
            # A socket of this machine has no keepalives.
            assert value == "5s" or name.startswith("tcp")
