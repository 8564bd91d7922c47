"""Let one inbox at a time work on a folder.

<folder>/.batchlock-inbox.lock        between the machines that share the folder
<state>/locks/inbox-<hash>.lock       between the processes of this machine

The system gives both back when their process ends, however it ends. So nothing of a killed inbox is
left to be removed, and the next one goes on with its file.
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from batchlock.core.errors import AlreadyRunning, UsageError
from batchlock.core.paths import make_private_folder

_log = logging.getLogger(__name__)

_NAME = ".batchlock-inbox.lock"


@contextmanager
def folder_lock(folder: Path, state: Path) -> Iterator[None]:
    """Hold the lock of a folder during the block.

    A file server may know no locks. The one in the state folder counts then, and two machines are
    not kept apart. Raises AlreadyRunning, and UsageError when a lock cannot be made.
    """
    # Two paths to one folder, such as a link, have one lock.
    name = hashlib.sha256(str(folder.resolve()).encode(errors="surrogateescape")).hexdigest()[:16]
    local = state / "locks" / f"inbox-{name}.lock"
    with ExitStack() as stack:
        try:
            make_private_folder(local.parent)
            stack.enter_context(_acquired(local, folder))
        except OSError as error:
            raise UsageError(
                f"The state folder {state} cannot be written: {error.strerror}. "
                "Set state_directory to a folder that can be."
            ) from None
        # filelock raises NotImplementedError where a file system knows no locks.
        with suppress(NotImplementedError):
            try:
                stack.enter_context(_acquired(folder / _NAME, folder))
            except OSError as error:
                _log.warning(
                    "%s cannot be locked (%s), so an inbox on another machine is not noticed.",
                    folder,
                    error.strerror,
                )
        yield


@contextmanager
def _acquired(path: Path, folder: Path) -> Iterator[None]:
    lock = FileLock(path, mode=0o666 if path.name == _NAME else 0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AlreadyRunning(
            f"Another inbox is at work on {folder}. It takes the files that are complete before it "
            "ends; what comes later is taken the next time."
        ) from None
    try:
        yield
    finally:
        lock.release()
