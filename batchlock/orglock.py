"""One run at a time for each org, across all processes of this machine.

<state>/locks/<org>.lock   held while a run is at work
<state>/locks/<org>.run    who holds it: JSON with run and process, for the message
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from batchlock.errors import AlreadyRunning, UsageError


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
        lock.acquire(timeout=0)
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
    """Return what is at work on the org, in words; None when nothing is.

    It looks without taking the lock, which would turn away a run that starts at this moment.
    """
    try:
        told = json.loads((state / "locks" / f"{org}.run").read_text())
        what, process = str(told["what"]), int(told["process"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return f"{what}, process {process}" if _lives(process) else None


def _lives(process: int) -> bool:
    if sys.platform == "win32":  # where the question would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _forget(holder: Path) -> None:
    with suppress(OSError):
        holder.unlink(missing_ok=True)


def _who(holder: Path) -> str:
    try:
        told = json.loads(holder.read_text())
        return f": {told['what']}, process {told['process']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
