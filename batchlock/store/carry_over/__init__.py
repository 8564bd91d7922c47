"""Carry the state of 0.1.0 over into the store, when the store is opened for the first time.

0.1.0 kept each run in its journal only, and people, uploads, the queue and the audit log of the
page in a database of their own. Both are only read, so a kill loses nothing: everything is written
in one transaction, and the next start does it again.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock, Timeout

from batchlock.core.errors import AlreadyRunning
from batchlock.store.carry_over.old_runs import read_runs
from batchlock.store.carry_over.web_database import read_web_database
from batchlock.store.database import NAME, reading, writing
from batchlock.store.run_columns import to_columns
from batchlock.store.schema import audit_log, choices, facts, people, runs, sessions, uploads

_FACT = "carried_over"
# A process of 0.1.0 that shows the page takes the lock of an org for a moment to see whether it
# is free.
_LOCK_WAIT_SECONDS = 0.3


def carry_over(engine: sa.Engine, state: Path) -> None:
    """Add what 0.1.0 left in the state folder to the store, unless that was done before.

    Raises AlreadyRunning when a run of 0.1.0 is at work, because its end would not be recorded,
    and BatchlockError when the database of the page cannot be read.
    """
    if is_carried_over(engine):
        return
    with FileLock(state / f"{NAME}.lock", mode=0o600):
        if not is_carried_over(engine):  # another process may have done it meanwhile
            with _org_locks(state):
                _carry_over(engine, state)


def is_carried_over(engine: sa.Engine) -> bool:
    """Return whether what 0.1.0 left is in the store, also when it had left nothing."""
    with reading(engine) as connection:
        return connection.scalar(sa.select(facts.c.value).where(facts.c.name == _FACT)) is not None


def _carry_over(engine: sa.Engine, state: Path) -> None:
    web = read_web_database(state / "web" / "web.sqlite")
    rows_by_table = {
        people: web.people,
        sessions: web.sessions,
        uploads: web.uploads,
        choices: web.choices,
        audit_log: web.audit_log,
        runs: [to_columns(run) for run in read_runs(state / "runs", web.queue)],
        facts: [{"name": _FACT, "value": datetime.now(UTC).isoformat()}],
    }
    with writing(engine) as connection:
        for table, rows in rows_by_table.items():
            if rows:
                connection.execute(table.insert(), rows)


@contextmanager
def _org_locks(state: Path) -> Iterator[None]:
    """Hold the locks of 0.1.0 during the block, so that it sends no run and serves no page.

    Raises AlreadyRunning, which names the run or the page.
    """
    folder = state / "locks"
    with ExitStack() as stack:
        for path in sorted(folder.glob("*.lock")):
            try:
                stack.enter_context(FileLock(path, mode=0o600).acquire(timeout=_LOCK_WAIT_SECONDS))
            except Timeout:
                raise AlreadyRunning(
                    f"Another run is at work on {path.stem}{_holder(path.with_suffix('.run'))}, "
                    "and an earlier version of batchlock started it. This version can use the "
                    "state folder when that run has ended. Wait for its end, or stop it first."
                ) from None
        for path in sorted((state / "web").glob("*.lock")):
            try:
                stack.enter_context(FileLock(path, mode=0o600).acquire(timeout=_LOCK_WAIT_SECONDS))
            except Timeout:
                raise AlreadyRunning(
                    f"An earlier version of batchlock serves the page of {path.stem}, and what "
                    "people do there would be lost. Stop it, then start again."
                ) from None
        yield


def _holder(path: Path) -> str:
    """Return what holds the lock of an org, as it stands behind the org; empty when unknown."""
    try:
        holder = json.loads(path.read_text())
        return f": {holder['what']}, process {holder['process']}"
    except (OSError, ValueError, TypeError, KeyError):  # not there yet, or half written
        return ""
