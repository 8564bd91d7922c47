"""One run at a time for each org, across all processes of this machine.

<state>/locks/<org>.lock   held while a run is at work
<state>/locks/<org>.run    who holds it: JSON with run and process, for the message
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from batchlock.errors import AlreadyRunning, UsageError

_INSTANT = 0.3
"""Seconds for which somebody may hold the org only to see whether it is held."""


@contextmanager
def held(state: Path, org: str) -> Iterator[Callable[[str], None]]:
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
            f"Another run is at work on {org}{_who(holder)}. Wait for its end, or stop it first."
        ) from None
    except OSError as error:
        raise UsageError(
            f"The state folder {state} cannot be written: {error.strerror}. "
            "Set state_directory to a folder that can be."
        ) from None
    _forget(holder)

    def tell(what: str) -> None:
        with suppress(OSError):  # it serves another run's message only
            holder.write_text(json.dumps({"what": what, "process": os.getpid()}))

    try:
        yield tell
    finally:
        _forget(holder)
        lock.release()


def at_work(state: Path, org: str) -> str | None:
    """Return what is at work on the org, in words such as `run …`; None if nothing is.

    It takes the lock for an instant, which a run that starts at this moment waits for.
    """
    lock = FileLock(state / "locks" / f"{org}.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return _who(state / "locks" / f"{org}.run").removeprefix(": ") or "another run"
    except OSError:
        return None  # no run was ever at work here
    lock.release()
    return None


def _forget(holder: Path) -> None:
    with suppress(OSError):
        holder.unlink(missing_ok=True)


def _who(holder: Path) -> str:
    try:
        told = json.loads(holder.read_text())
        return f": {told['what']}, process {told['process']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
