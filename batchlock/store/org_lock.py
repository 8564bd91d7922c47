"""Allow one run at a time for each org, across all processes of this machine.

<state>/locks/<org>.lock   locked while a run is being sent
<state>/locks/<org>.run    the run that holds the lock: JSON of Holder
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from batchlock.core.errors import AlreadyRunning, UsageError
from batchlock.core.paths import refuse_missing_home

# `current_holder` takes the lock for a moment to see whether it is free. A run that starts in
# that moment waits so long before it reports another run.
_LOCK_WAIT_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Holder:
    """The run that holds the lock of an org."""

    what: str
    """The run and its file, in words."""
    run_id: str
    """Empty until the run has an id."""
    process: int
    """The process id; 0 when it cannot be read."""

    def __str__(self) -> str:
        return f"{self.what}, process {self.process}"


class SetHolder(Protocol):
    """Stores which run holds the lock."""

    def __call__(self, what: str, run_id: str = "") -> None:
        """Store the run in words and, once it has one, with its id."""


@contextmanager
def org_lock(state: Path, org: str) -> Iterator[SetHolder]:
    """Hold the lock of an org during the block, and yield the function that names the run.

    Raises AlreadyRunning, which names the other run and its process, and UsageError when the
    state folder cannot be written.
    """
    refuse_missing_home(state)
    folder = state / "locks"
    holder_file = folder / f"{org}.run"
    lock = FileLock(folder / f"{org}.lock", mode=0o600)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire(timeout=_LOCK_WAIT_SECONDS, poll_interval=_LOCK_WAIT_SECONDS / 10)
    except Timeout:
        holder = _read(holder_file)
        run = f": {holder}" if holder else ""
        raise AlreadyRunning(
            f"Another run is at work on {org}{run}. Wait for its end, or stop it first."
        ) from None
    except OSError as error:
        raise UsageError(
            f"The state folder {state} cannot be written: {error.strerror}. "
            "Set state_directory to a folder that can be."
        ) from None
    _delete(holder_file)  # a killed run leaves its file

    def set_holder(what: str, run_id: str = "") -> None:
        with suppress(OSError):  # only messages use the file, so a failure must not end the run
            holder_file.write_text(json.dumps(asdict(Holder(what, run_id, os.getpid()))))

    try:
        yield set_holder
    finally:
        _delete(holder_file)
        lock.release()


def current_holder(state: Path, org: str) -> Holder | None:
    """Return the run that is being sent to an org; None when there is none.

    This takes the lock for a moment when it is free. A run that starts in that moment waits.
    """
    lock = FileLock(state / "locks" / f"{org}.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return _read(state / "locks" / f"{org}.run") or Holder("a run without a name", "", 0)
    except OSError:
        return None  # the folder is missing, so no run was ever sent here
    lock.release()
    return None


def _delete(holder_file: Path) -> None:
    with suppress(OSError):
        holder_file.unlink(missing_ok=True)


def _read(holder_file: Path) -> Holder | None:
    try:
        return Holder(**json.loads(holder_file.read_text()))
    except (OSError, ValueError, TypeError):  # not there yet, half written, or of another version
        return None
