"""Runs of whole commands: where their state is, and what they report."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from batchlock import config
from batchlock.core.cancel import CancelToken
from batchlock.core.observer import RunObserver
from batchlock.core.options import RunOptions
from batchlock.core.runs import Run
from batchlock.engine import Engine
from batchlock.store.store import Store
from support.commands import TIMEOUT_SECONDS, Process
from support.sheets import lines

STATE = Path("state")

# Record ids to which the stand-in gives a certain answer; see docs/simulator.md.
REJECTED = "990000000000000103"
BROKEN = "990000000000000201"
BAD_GATEWAY = "990000000000000202"
DROPPED_AFTER = "990000000000000204"
THROTTLED = "990000000000000209"
DROPPED_AFTER_ONCE = "990000000000000304"
REVOKED_ONCE = "990000000000000312"
NOT_LOCKED = "990000000000000401"
NO_EDITION = "990000000000000501"
NO_API_ACCESS = "990000000000000502"
NEVER_VALID = "990000000000000505"


def wait_until(condition: Callable[[], bool], process: Process) -> None:
    """Wait until a condition holds while another process runs, which must not end before."""
    deadline_monotonic = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline_monotonic, "it never happened"
        assert process.poll() is None, "the command ended first"
        time.sleep(0.02)


def by_row(result: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Return the lines of the results file by the number of their row."""
    return {int(line["Source row"]): line for line in lines(result["output"])}


def results(result: dict[str, Any]) -> list[str]:
    """Return the column `Result` of the results file."""
    return [line["Result"] for line in lines(result["output"])]


def new_engine() -> Engine:
    """Return an engine as the page makes it. The caller closes it."""
    return Engine(config.load(environment=os.environ), RunOptions(), CancelToken(), RunObserver())


def open_store() -> Store:
    """Open the store that the commands of a test use. The caller closes it."""
    return Store(STATE)


def recorded(run_id: str) -> Run:
    """Return the record of a run."""
    with open_store() as store:
        run = store.runs.get(run_id)
    assert run is not None, f"there is no run {run_id}"
    return run


def journals(org: str = "default") -> list[Path]:
    """Return the journals of an org, the oldest first."""
    return sorted((STATE / "runs" / org).glob("*.journal"))


def rows_with_status(journal: Path, status: str) -> int:
    """Count the rows of a journal that have a status."""
    with closing(sqlite3.connect(journal)) as sql:
        query = "SELECT count(*) FROM progress WHERE status = ?"
        (count,) = sql.execute(query, (status,)).fetchone()
    return int(count)
