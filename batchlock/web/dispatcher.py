"""Start the runs of all orgs from this server, where the store is in the state folder."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from batchlock.core.errors import BatchlockError
from batchlock.store.store import Store
from batchlock.web.process_queue import ProcessQueue
from batchlock.web.served_orgs import ServedOrgs
from batchlock.web.server_locks import ServerLocks

_log = logging.getLogger(__name__)

# Other processes change the records, so they are polled; a click wakes the loop at once.
_POLL_SECONDS = 0.5


class Dispatcher:
    """The queues of all orgs. Only those of orgs with waiting or running runs take time."""

    def __init__(
        self, store: Store, served_orgs: ServedOrgs, locks: ServerLocks, *, orgs_at_once: int
    ) -> None:
        """Send the runs of at most so many orgs at the same time; the others wait."""
        self._store = store
        self._served_orgs = served_orgs
        self._locks = locks
        self._orgs_at_once = orgs_at_once
        self._queues: dict[str, ProcessQueue] = {}
        self._requested = asyncio.Event()

    def queue(self, org: str) -> ProcessQueue:
        """Return the queue of an org."""
        if org not in self._queues:
            self._queues[org] = ProcessQueue(
                self._store, org, self._served_orgs, self._requested.set
            )
        return self._queues[org]

    async def process_queues(self) -> None:
        """Start each run when its turn comes; runs until cancelled."""
        while True:
            try:
                self._step()
            except BatchlockError as error:
                _log.warning("The runs of all orgs wait: %s", error)
            except Exception:
                _log.exception("A step of the queues failed; the next one follows.")
            self._requested.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._requested.wait()

    def detach(self) -> None:
        """Let the processes of the runs continue when this server ends."""
        for queue in self._queues.values():
            queue.detach()

    def _step(self) -> None:
        served, now = set(self._served_orgs.names()), datetime.now(UTC)
        # Those of the other orgs are left to the server that sends them.
        due = [org for org in self._store.runs.due_orgs(now) if org in served]
        self._store.runs.start_due(now, [org for org in due if self._locks.take(org)])
        works = {
            org: work
            for org, work in self._store.overview.orgs_at_work().items()
            if org in served and self._locks.take(org)
        }
        sending = {org for org, queue in self._queues.items() if queue.is_sending}
        for org in sending | {org for org, work in works.items() if work.has_urgent}:
            self._try(self.queue(org), self.queue(org).settle)
        is_full = False
        for org in [org for org, work in works.items() if work.has_waiting]:
            sending = {name for name, queue in self._queues.items() if queue.is_sending}
            is_full = is_full or len(sending) >= self._orgs_at_once
            queue = self.queue(org)
            queue.waits_for_other_orgs = is_full
            if not is_full:
                self._try(queue, queue.start_next)

    def _try(self, queue: ProcessQueue, step: Callable[[], object]) -> None:
        """Take a step of an org; the next one follows when it fails, for a full disk perhaps."""
        problem = ""
        try:
            step()
        except BatchlockError as error:
            problem = str(error)
            if problem != queue.problem:
                _log.warning("The runs of an org wait: %s", problem)
        except Exception:
            _log.exception("A step of the queue failed; the next one follows.")
        queue.problem = problem
