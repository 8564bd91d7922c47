"""The workers that share the store: who they are, and when each was heard of last."""

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from batchlock import __version__
from batchlock.store.database import reading, upsert, writing
from batchlock.store.schema import workers as table

# A worker writes every few seconds. One that was killed stays in the list for a day, so that a
# person sees that it is missing.
_GONE_AFTER = timedelta(minutes=1)
_FORGOTTEN_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWorker:
    """A worker, as it has recorded itself last."""

    worker: str
    host: str
    process: int
    version: str
    started_at: datetime
    heartbeat_at: datetime
    runs: int
    """How many runs it is sending."""
    stopping: bool
    """Whether it ends, and takes no more runs."""

    @property
    def is_alive(self) -> bool:
        """Whether it was heard of within the last minute."""
        return abs(datetime.now(UTC) - self.heartbeat_at) < _GONE_AFTER


class WorkerTable:
    """The table `workers`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def beat(self, worker: str, *, started_at: datetime, runs: int, stopping: bool) -> None:
        """Record that this process is alive, and forget workers that were gone for a day."""
        now = datetime.now(UTC)
        values = {
            "host": socket.gethostname(),
            "process": os.getpid(),
            "version": __version__,
            "started_at": started_at,
            # By the clock of the database: `count_alive` compares the times of several machines.
            "heartbeat_at": sa.func.clock_timestamp(),
            "runs": runs,
            "stopping": stopping,
        }
        with writing(self._engine) as connection:
            upsert(connection, table, {"worker": worker}, values)
            connection.execute(table.delete().where(table.c.heartbeat_at < now - _FORGOTTEN_AFTER))

    def remove(self, worker: str) -> None:
        """Remove a worker that has ended."""
        with writing(self._engine) as connection:
            connection.execute(table.delete().where(table.c.worker == worker))

    def count_alive(self, *, within_seconds: float) -> int:
        """Return how many workers take runs, and were heard of within some seconds."""
        since = sa.func.clock_timestamp() - sa.func.make_interval(0, 0, 0, 0, 0, 0, within_seconds)
        query = (
            sa.select(sa.func.count())
            .select_from(table)
            .where(table.c.heartbeat_at > since, sa.not_(table.c.stopping))
        )
        with reading(self._engine) as connection:
            return connection.scalar(query) or 0

    def all(self) -> list[StoredWorker]:
        """Return all workers, by name."""
        with reading(self._engine) as connection:
            rows = connection.execute(table.select().order_by(table.c.worker)).mappings()
            return [StoredWorker(**row) for row in rows]
