"""Allow one run at a time for each org, across all processes of this machine.

<state>/locks/<org>.lock   locked while a run is planned, sent and reported

The system gives the lock back when its process ends, however it ends, which no time in a database
can do.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from batchlock.core.errors import AlreadyRunning, BatchlockError, UsageError
from batchlock.core.paths import make_private_folder
from batchlock.store.orgs import OrgTable


@contextmanager
def org_lock(state: Path, org: str, orgs: OrgTable) -> Iterator[Callable[[str], None]]:
    """Hold the lock of an org during the block, and yield the function that says for what.

    Raises AlreadyRunning, which names what the other process does, and UsageError when the state
    folder cannot be written.
    """
    folder = state / "locks"
    lock = FileLock(folder / f"{org}.lock", mode=0o600)
    try:
        make_private_folder(folder)
        lock.acquire(timeout=0)
    except Timeout:
        run = _holder(orgs, org)
        raise AlreadyRunning(
            f"Another run is at work on {org}{run}. Wait for its end, or stop it first."
        ) from None
    except OSError as error:
        raise UsageError(
            f"The state folder {state} cannot be written: {error.strerror}. "
            "Set state_directory to a folder that can be."
        ) from None

    def set_holder(holder: str | None) -> None:
        with suppress(BatchlockError):  # only messages use it, so a failure must not end the run
            orgs.set_holder(org, holder)

    set_holder(None)  # a process that was killed has left its own
    try:
        yield set_holder
    finally:
        set_holder(None)
        lock.release()


def _holder(orgs: OrgTable, org: str) -> str:
    """Return what holds the lock, as it stands behind the org; empty when that is not known."""
    with suppress(BatchlockError):
        if (holder := orgs.holder(org)) is not None:
            return f": {holder}"
    return ""
