"""How the outcomes of a session are recorded and its next rows claimed, without the event loop."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from batchlock.core.results import Outcome
from batchlock.core.rows import PreviousLock, Update
from batchlock.core.runs import Totals
from batchlock.store.journal import Journal


class JournalWriter(Protocol):
    """Writes to the journal of one run."""

    async def commit(
        self,
        outcomes: Sequence[Outcome],
        *,
        released: Sequence[int] = (),
        claim: int = 0,
        previous_locks: Sequence[PreviousLock] = (),
        costs: Totals = Totals(),  # noqa: B008  frozen
    ) -> list[Update]:
        """Do what `Journal.commit_batch` does; when it returns, the data is on the disk."""

    async def reload(self) -> None:
        """Read the totals again, after the journal itself has added to them."""


class ThreadWriter:
    """Writes to a journal in a thread: one commit for each batch."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def commit(
        self,
        outcomes: Sequence[Outcome],
        *,
        released: Sequence[int] = (),
        claim: int = 0,
        previous_locks: Sequence[PreviousLock] = (),
        costs: Totals = Totals(),  # noqa: B008  frozen
    ) -> list[Update]:
        """Do what `Journal.commit_batch` does."""
        return await asyncio.to_thread(
            self._journal.commit_batch,
            outcomes,
            released=released,
            claim=claim,
            previous_locks=previous_locks,
            costs=costs,
        )

    async def reload(self) -> None:
        """Do nothing: the journal adds to the totals that it has."""
