"""The audit log of the page: who did what."""

import time
from dataclasses import dataclass

import sqlalchemy as sa

from batchlock.store.database import reading, writing
from batchlock.store.schema import audit_log as table


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A line of the audit log."""

    at: float
    """Seconds since 1970."""
    org: str
    user: str
    action: str
    subject: str
    """The file, run or address that the action is about."""


class AuditLog:
    """The table `audit_log`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, org: str, user: str, action: str, subject: str = "") -> None:
        """Record that somebody did something, at this moment."""
        values = {"at": time.time(), "org": org, "person": user}
        values |= {"action": action, "subject": subject}
        with writing(self._engine) as connection:
            connection.execute(table.insert().values(values))

    def count(self, org: str) -> int:
        """Count the entries of an org."""
        query = sa.select(sa.func.count()).select_from(table).where(table.c.org == org)
        with reading(self._engine) as connection:
            return connection.scalar(query) or 0

    def entries(self, org: str, *, offset: int, limit: int) -> list[LogEntry]:
        """Return some entries, newest first."""
        query = (
            table.select()
            .where(table.c.org == org)
            .order_by(table.c.at.desc(), table.c.id.desc())  # two can have the same time
            .limit(limit)
            .offset(offset)
        )
        with reading(self._engine) as connection:
            return [
                LogEntry(row.at, row.org, row.person, row.action, row.subject)
                for row in connection.execute(query)
            ]
