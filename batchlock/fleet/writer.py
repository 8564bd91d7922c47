"""One commit for the outcomes of all runs of a worker, at most twenty times a second.

The runs of a worker record a few rows each in that time, and a commit of their own for each of
them costs more than their rows. Every commit begins by locking the leases of its runs, so nothing
is recorded for a run whose lease was taken over.

While the database is away, batches wait, and are written when it is back. A commit whose answer
was lost is written again: outcomes are set and not added, and rows that it had claimed are claimed
again. A run whose lease ends in that time gets LeaseLost.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from batchlock.core.errors import DATABASE_ERRORS, LeaseLost
from batchlock.core.results import Outcome
from batchlock.core.rows import PreviousLock, Update
from batchlock.core.runs import Totals
from batchlock.fleet.lease_guard import LeaseGuard
from batchlock.fleet.metrics import Metrics
from batchlock.store.journal import Journal
from batchlock.store.journal.shared import Batch
from batchlock.store.shared_journals import SharedJournals

_log = logging.getLogger(__name__)

# Outcomes wait this long for others to share their commit, as in `send/sender.py`.
_COMMIT_SECONDS = 0.05
_RETRY_SECONDS = 0.25


@dataclass(slots=True)
class _Waiting:
    """A batch that is not written yet."""

    batch: Batch
    guard: LeaseGuard
    in_doubt: frozenset[int]
    written: "asyncio.Future[list[Update]]"


@dataclass(slots=True)
class RunWriter:
    """Writes to the journal of one run through the shared commits; a `JournalWriter`."""

    writer: "SharedWriter"
    guard: LeaseGuard
    journal: Journal
    run_id: str
    totals: Totals
    """The cost of the run so far, over all its sessions."""
    in_doubt: frozenset[int]
    """The rows that an earlier session has left in doubt; they are not claimed."""
    last_row: int = -1
    """The last row that this session has claimed."""

    async def commit(
        self,
        outcomes: Sequence[Outcome],
        *,
        released: Sequence[int] = (),
        claim: int = 0,
        previous_locks: Sequence[PreviousLock] = (),
        costs: Totals = Totals(),  # noqa: B008  frozen
    ) -> list[Update]:
        """Write a batch with the next shared commit. Raises LeaseLost."""
        self.totals += costs
        self.writer.metrics.add_costs(costs)
        batch = Batch(
            run_id=self.run_id,
            lease=self.guard.lease,
            outcomes=tuple(outcomes),
            released=tuple(released),
            claim=claim,
            after_row=self.last_row,
            previous_locks=tuple(previous_locks),
            totals=self.totals,
        )
        claimed = await self.writer.write(batch, self.guard, self.in_doubt)
        if claimed:
            self.last_row = claimed[-1].row
        return claimed

    async def reload(self) -> None:
        """Read the totals again: the pages of a search have added to them."""
        self.totals = await asyncio.to_thread(lambda: self.journal.totals)


@dataclass(slots=True)
class SharedWriter:
    """Writes the batches of all runs of a worker."""

    journals: SharedJournals
    metrics: Metrics = field(default_factory=Metrics)
    _waiting: list[_Waiting] = field(default_factory=list)
    _has_batch: asyncio.Event = field(default_factory=asyncio.Event)
    _is_closed: bool = False

    async def write(
        self, batch: Batch, guard: LeaseGuard, in_doubt: frozenset[int]
    ) -> list[Update]:
        """Return the claimed rows when a batch is on the disk. Raises LeaseLost.

        `in_doubt` are the rows that were in doubt before the session.
        """
        written: asyncio.Future[list[Update]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(batch, guard, in_doubt, written))
        self._has_batch.set()
        return await written

    def close(self) -> None:
        """Let `run` end when nothing waits any more."""
        self._is_closed = True
        self._has_batch.set()

    async def run(self) -> None:
        """Write what waits, until `close`."""
        loop = asyncio.get_running_loop()
        # A thread of its own, so that commits wait for no other use of the database.
        with ThreadPoolExecutor(1, "commits") as thread:
            while not self._is_closed or self._waiting:
                await self._has_batch.wait()
                self._has_batch.clear()
                begun = loop.time()
                waiting, self._waiting = self._waiting, []
                await self._write(thread, waiting)
                await asyncio.sleep(max(0.0, _COMMIT_SECONDS - (loop.time() - begun)))
            self.journals.close()

    async def _write(self, thread: ThreadPoolExecutor, waiting: list[_Waiting]) -> None:
        """Write one commit; what cannot be written because the database is away waits again."""
        current = [one for one in waiting if not _give_up(one)]
        if not current:
            return
        batches, in_doubt = [one.batch for one in current], [one.in_doubt for one in current]
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            committed = await loop.run_in_executor(thread, self.journals.commit, batches, in_doubt)
        except DATABASE_ERRORS as error:
            _log.warning("%s The outcomes wait.", error)
            self.metrics.set_database(is_up=False)
            self._waiting = current + self._waiting
            self._has_batch.set()
            await asyncio.sleep(_RETRY_SECONDS)
        except Exception as error:
            if len(current) > 1:
                # One by one, so that what cannot be written ends one run only.
                for one in current:
                    await self._write(thread, [one])
            elif not current[0].written.done():
                current[0].written.set_exception(error)
        else:
            self.metrics.commit_seconds.observe(loop.time() - begun)
            self.metrics.set_database(is_up=True)
            for one, result in zip(current, committed, strict=True):
                _end(one, result)


def _give_up(waiting: _Waiting) -> bool:
    """Return whether a batch is not to be written, because its lease has ended here."""
    if waiting.written.done():  # cancelled
        return True
    if not waiting.guard.is_over:
        return False
    _end(waiting, None)
    return True


def _end(waiting: _Waiting, claimed: list[Update] | None) -> None:
    if waiting.written.done():
        return
    if claimed is None:
        waiting.guard.is_lost = True
        org = waiting.batch.lease.org
        waiting.written.set_exception(LeaseLost(f"The lease of {org} was lost."))
    else:
        waiting.written.set_result(claimed)
