"""The queue for password hashes, which take a moment of a whole core each."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from batchlock.web.auth.throttle import network_of

_T = TypeVar("_T")

# Each takes a core and 19 MiB (32 MiB for scrypt) for 20 to 100 ms.
_CONCURRENT_HASHES = 2
# With those under way. The last one waits for half a second on a slow machine.
_MAX_PENDING = 12
# So that one address cannot fill the queue.
_MAX_PENDING_OF_ADDRESS = 3


class HashQueueFullError(Exception):
    """Too many passwords are being checked; nothing was done."""


class HashQueue:
    """Computes hashes in threads, a few at a time, and refuses what would wait for long."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(_CONCURRENT_HASHES)
        self._pending: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[object]] = set()

    def is_full_for(self, address: str) -> bool:
        """Return whether `run` would refuse a hash for an address."""
        is_full = self._pending.total() >= _MAX_PENDING
        return is_full or self._pending[network_of(address)] >= _MAX_PENDING_OF_ADDRESS

    async def run(self, address: str, compute: Callable[[], _T]) -> _T:
        """Return what a function returns that computes hashes for an address.

        Raises HashQueueFullError when too many are pending.
        """
        if self.is_full_for(address):
            raise HashQueueFullError
        network = network_of(address)
        self._pending[network] += 1
        task = asyncio.create_task(self._compute(network, compute))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A thread cannot be cancelled: it takes its slot until its end, also when the browser has
        # left. Else whoever sends sign-ins and leaves at once would have any number of threads.
        return await asyncio.shield(task)

    async def _compute(self, network: str, compute: Callable[[], _T]) -> _T:
        try:
            async with self._slots:
                return await asyncio.to_thread(compute)
        finally:
            self._pending[network] -= 1
            if not self._pending[network]:
                del self._pending[network]
