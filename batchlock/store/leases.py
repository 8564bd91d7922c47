"""The lease of an org: who may send to it, since which takeover, and until when.

Only with a server. A process that holds the lease of an org renews it. One that was killed or
suspended does not, so another process takes the org over when the time is up. The number of the
takeover, the epoch, is checked in every commit, so that a process that wakes up after its lease
has ended records nothing any more.

All times are those of the database, so the clocks of the machines do not matter.
"""

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import sqlalchemy as sa

from batchlock.core.errors import AlreadyRunning, BatchlockError
from batchlock.store.database import reading, writing
from batchlock.store.schema import orgs as table

# Starting a run copies its rows. Half a million rows take four seconds.
_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one session of one run to send to an org."""

    org: str
    holder: str
    """The worker and the run. Not the worker alone: two runs of one worker must differ, too."""
    epoch: int


class LeaseTable:
    """The columns of the table `orgs` that hold the leases."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def take(self, org: str, holder: str, *, seconds: float) -> Lease | None:
        """Take the lease of an org that nobody holds; None when somebody does.

        Also None while a commit of the last holder is under way.
        """
        with writing(self._engine) as connection:
            _insert_missing(connection, org)
            # Conflicts with the lock of a commit, unlike the lock of the update alone.
            free = sa.select(table.c.org).where(table.c.org == org, is_free())
            if connection.scalar(free.with_for_update(skip_locked=True)) is None:
                return None
            epoch = connection.scalar(
                table.update()
                .where(table.c.org == org, is_free())
                .values(leaseholder=holder, epoch=table.c.epoch + 1, lease_until=_after(seconds))
                .returning(table.c.epoch)
            )
        return None if epoch is None else Lease(org, holder, epoch)

    def renew(self, leases: Sequence[Lease], *, seconds: float) -> list[Lease]:
        """Renew leases in one statement; return those that were renewed.

        A lease whose time is up is renewed, too, unless another process has taken it over. One
        that cannot be renewed at this moment, because its row is locked, is not renewed and not
        lost: see `held`.
        """
        if not leases:
            return []
        with writing(self._engine) as connection:
            held_leases = (
                sa.select(table.c.org)
                .where(_is_any_of(leases))
                .order_by(table.c.org)
                # Does not wait for commits, which lock the key of the row only.
                .with_for_update(key_share=True, skip_locked=True)
                .cte()
            )
            renewed = connection.execute(
                table.update()
                .where(table.c.org.in_(sa.select(held_leases.c.org)))
                .values(lease_until=_after(seconds))
                .returning(table.c.org, table.c.leaseholder, table.c.epoch)
            )
            still_held = {Lease(*row) for row in renewed}
        return [lease for lease in leases if lease in still_held]

    def held(self, leases: Sequence[Lease]) -> list[Lease]:
        """Return the leases that no other process has taken over."""
        columns = (table.c.org, table.c.leaseholder, table.c.epoch)
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(*columns).where(_is_any_of(leases)))
            held_leases = {Lease(*row) for row in rows}
        return [lease for lease in leases if lease in held_leases]

    def release(self, lease: Lease) -> None:
        """Give a lease back; no effect when another process has taken it over."""
        with writing(self._engine) as connection:
            # Also waits for a commit that is under way.
            connection.execute(sa.select(table.c.org).where(_is_any_of([lease])).with_for_update())
            connection.execute(
                table.update().where(_is_any_of([lease])).values(leaseholder=None, lease_until=None)
            )

    def holder(self, org: str) -> str | None:
        """Return who holds the lease of an org; None when nobody does."""
        query = sa.select(table.c.leaseholder).where(table.c.org == org, sa.not_(is_free()))
        with reading(self._engine) as connection:
            return connection.scalar(query)


@contextmanager
def org_lease(leases: LeaseTable, org: str) -> Iterator[Callable[[str], None]]:
    """Hold the lease of an org during the block, as `org_lock` holds its lock on one machine.

    Raises AlreadyRunning when a worker holds it.
    """
    lease = leases.take(org, f"{socket.gethostname()}:{os.getpid()}", seconds=_START_SECONDS)
    if lease is None:
        holder = leases.holder(org)
        by = "" if holder is None else f": {holder}"
        raise AlreadyRunning(
            f"Another run is at work on {org}{by}. Wait for its end, or stop it first."
        )
    ended = threading.Event()
    renewing = threading.Thread(target=_renew_until, args=(leases, lease, ended), daemon=True)
    renewing.start()
    try:
        yield lambda _: None
    finally:
        ended.set()
        renewing.join()
        leases.release(lease)


def _renew_until(leases: LeaseTable, lease: Lease, ended: threading.Event) -> None:
    """Renew a lease until an event is set: a person may be asked in the meantime."""
    while not ended.wait(_START_SECONDS / 3):
        with suppress(BatchlockError):  # the next renewal may succeed
            leases.renew([lease], seconds=_START_SECONDS)


def _insert_missing(connection: sa.Connection, org: str) -> None:
    from sqlalchemy.dialects import postgresql

    connection.execute(postgresql.insert(table).values(org=org).on_conflict_do_nothing())


def is_held(connection: sa.Connection, lease: Lease) -> bool:
    """Return whether a lease is still held; nobody takes it over before the transaction ends."""
    query = sa.select(table.c.org).where(_is_any_of([lease]))
    query = query.with_for_update(read=True, key_share=True)
    return connection.scalar(query) is not None


def is_free() -> sa.ColumnElement[bool]:
    """Return the condition of orgs whose lease nobody holds."""
    return sa.or_(table.c.leaseholder.is_(None), table.c.lease_until < sa.func.clock_timestamp())


def _is_any_of(leases: Sequence[Lease]) -> sa.ColumnElement[bool]:
    values = [(lease.org, lease.epoch, lease.holder) for lease in leases]
    return sa.tuple_(table.c.org, table.c.epoch, table.c.leaseholder).in_(values)


def _after(seconds: float) -> sa.ColumnElement[object]:
    return sa.func.clock_timestamp() + sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)
