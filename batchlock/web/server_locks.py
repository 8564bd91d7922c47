"""Which server starts the runs of an org, where the store is in the state folder.

<state>/web/<org>.lock   locked by the server of an org; two would both start the runs of its queue
"""

from pathlib import Path

from filelock import FileLock, Timeout

from batchlock.store.database import make_state_folder


class ServerLocks:
    """The orgs whose runs this server starts."""

    def __init__(self, state: Path) -> None:
        """Use a state folder. Raises UsageError when that cannot be written."""
        self._folder = state / "web"
        self._locks: dict[str, FileLock] = {}
        make_state_folder(self._folder)

    def take(self, org: str) -> bool:
        """Return whether this server starts the runs of an org: no other server does."""
        if org not in self._locks:
            lock = FileLock(self._folder / f"{org}.lock", mode=0o600)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                return False
            self._locks[org] = lock
        return True

    def release(self) -> None:
        """Give all locks back."""
        while self._locks:
            self._locks.popitem()[1].release()
