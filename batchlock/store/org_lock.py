"""One run at a time for each org, across all processes of this machine.

<state>/locks/<org>.lock   held while a run is at work
<state>/locks/<org>.run    who holds it: JSON
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

_INSTANT = 0.3
"""Seconds for which somebody may hold the org only to see whether it is held."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds an org."""

    what: str
    """In words."""
    run_id: str
    """Of the run that is sent; empty while that is not known."""
    process: int

    def __str__(self) -> str:
        return f"{self.what}, process {self.process}"


class SetHolder(Protocol):
    """Where a run says what it is."""

    def __call__(self, what: str, run_id: str = "") -> None:
        """Take it in: in words and, as soon as that is known, by its id."""


@contextmanager
def org_lock(state: Path, org: str) -> Iterator[SetHolder]:
    """Hold the org while the block runs, which is given the way to say what it does.

    Raises AlreadyRunning, which names the other run and its process, and UsageError where the
    state folder cannot be written.
    """
    folder = state / "locks"
    holder = folder / f"{org}.run"
    lock = FileLock(folder / f"{org}.lock", mode=0o600)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire(timeout=_INSTANT, poll_interval=_INSTANT / 10)
    except Timeout:
        raise AlreadyRunning(
            f"Another run is at work on {org}{_told(holder)}. Wait for its end, or stop it first."
        ) from None
    except OSError as error:
        raise UsageError(
            f"The state folder {state} cannot be written: {error.strerror}. "
            "Set state_directory to a folder that can be."
        ) from None
    _forget(holder)

    def set_holder(what: str, run_id: str = "") -> None:
        with suppress(OSError):  # it serves another run's message only
            holder.write_text(json.dumps(asdict(Holder(what, run_id, os.getpid()))))

    try:
        yield set_holder
    finally:
        _forget(holder)
        lock.release()


def current_holder(state: Path, org: str) -> Holder | None:
    """Return who is at work on the org; None when nobody is.

    It takes the lock for an instant, which a run that starts at this moment waits for.
    """
    lock = FileLock(state / "locks" / f"{org}.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return _who(state / "locks" / f"{org}.run") or Holder("a run without a name", "", 0)
    except OSError:
        return None  # no run was ever at work here
    lock.release()
    return None


def _forget(holder: Path) -> None:
    with suppress(OSError):
        holder.unlink(missing_ok=True)


def _told(holder: Path) -> str:
    found = _who(holder)
    return f": {found}" if found else ""


def _who(holder: Path) -> Holder | None:
    try:
        return Holder(**json.loads(holder.read_text()))
    except (OSError, ValueError, TypeError):
        return None
