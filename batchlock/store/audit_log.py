"""The audit log of the page: who did what."""

import time
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from batchlock.store.database import reading, writing
from batchlock.store.schema import audit_log as table

SERVER = "batchlock"
"""Who has done what the program does by itself."""
LOCAL_USER = "local user"
"""Whoever came by a link. Not the account that runs the page: that is often root or a service's,
and says nothing about the person.
"""
UNKNOWN_NAME = "an unknown name"
"""Stands for a name that nobody has: it may be a password in the wrong field."""
RESERVED_NAMES = (SERVER, LOCAL_USER, UNKNOWN_NAME)
"""Names in the log, and of sessions, that no person may have."""

_SEARCHED = (
    table.c.person, table.c.action, table.c.subject, table.c.address, table.c.run, table.c.org
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """A line of the audit log."""

    id: int
    at: float
    """Seconds since 1970."""
    org: str
    person: str
    action: str
    subject: str
    """What the action is about, such as the name of a file."""
    address: str | None
    """Where the browser was; None for what was not done in a browser, and in old entries."""
    run: str | None
    """The id of the run that the action is about."""
    upload: str | None
    """The id of the upload that the action is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """The conditions of a search; an entry must fit all of them."""

    orgs: Collection[str]
    words: str = ""
    """Each must occur in the entry, in whatever case."""
    person: str = ""
    """A part of the name."""
    since: float | None = None
    """Seconds since 1970."""
    before: float | None = None
    """Seconds since 1970."""


class AuditLog:
    """The table `audit_log`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(
        self,
        org: str,
        person: str,
        action: str,
        subject: str = "",
        *,
        address: str | None = None,
        run: str | None = None,
        upload: str | None = None,
    ) -> None:
        """Record that somebody did something, at this moment."""
        values = {"at": time.time(), "org": org, "person": person, "action": action}
        values |= {"subject": subject, "address": address or None, "run": run, "upload": upload}
        with writing(self._engine) as connection:
            connection.execute(table.insert().values(values))

    def count(self, log_filter: LogFilter) -> int:
        """Count the entries that fit a filter."""
        query = sa.select(sa.func.count()).select_from(table).where(*_conditions(log_filter))
        with reading(self._engine) as connection:
            return connection.scalar(query) or 0

    def entries(
        self,
        log_filter: LogFilter,
        *,
        limit: int,
        offset: int = 0,
        older_than: LogEntry | None = None,
    ) -> list[LogEntry]:
        """Return entries that fit a filter, newest first; with `older_than`, only older ones."""
        query = (
            table.select()
            .where(*_conditions(log_filter))
            .order_by(table.c.at.desc(), table.c.id.desc())  # two can have the same time
            .limit(limit)
            .offset(offset)
        )
        if older_than is not None:
            place = sa.tuple_(table.c.at, table.c.id)
            query = query.where(place < sa.tuple_(older_than.at, older_than.id))
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
        return [LogEntry(**row) for row in rows]

    def remove_before(self, org: str, moment: float) -> int:
        """Remove the entries of an org from before a moment; return how many."""
        is_old = table.c.org == org, table.c.at < moment
        with reading(self._engine) as connection:
            if connection.scalar(sa.select(table.c.id).where(*is_old).limit(1)) is None:
                return 0
        with writing(self._engine) as connection:
            return connection.execute(table.delete().where(*is_old)).rowcount


def _conditions(log_filter: LogFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [table.c.org.in_(log_filter.orgs)]
    conditions += [
        sa.or_(*(column.icontains(word, autoescape=True) for column in _SEARCHED))
        for word in log_filter.words.split()
    ]
    if log_filter.person:
        conditions.append(table.c.person.icontains(log_filter.person, autoescape=True))
    if log_filter.since is not None:
        conditions.append(table.c.at >= log_filter.since)
    if log_filter.before is not None:
        conditions.append(table.c.at < log_filter.before)
    return conditions
