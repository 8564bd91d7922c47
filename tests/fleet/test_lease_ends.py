"""A lease is given back only when every call was awaited."""

from collections.abc import Callable

import psycopg
from support.fleet import Fleet, until

from batchlock.core.runs import RunState

MakeFleet = Callable[..., Fleet]


def test_a_lease_is_kept_when_an_error_has_cut_calls(
    make_fleet: MakeFleet, database_url: str
) -> None:
    """Zoho counts the calls that were cut, so the next session must not add its own to them."""
    fleet = make_fleet("--latency", "200ms")
    run = fleet.start(1, 60)
    with psycopg.connect(database_url, autocommit=True) as connection:
        # The first outcome cannot be recorded, which no code expects.
        connection.execute("ALTER TABLE progress ADD CHECK (status <> 'updated')")
        with fleet.worker():
            until(lambda: fleet.as_it_stands(run).state is RunState.STOPPED)
        query = "SELECT leaseholder FROM orgs WHERE org = 'org-001'"
        (holder,) = connection.execute(query).fetchone() or ("",)
    assert holder is not None
    assert holder.endswith(run.run_id)
