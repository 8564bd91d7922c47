"""Who is signed in to the page."""

import math
import time
from dataclasses import dataclass

import sqlalchemy as sa

from batchlock.store.database import reading, writing
from batchlock.store.schema import oidc_people, people
from batchlock.store.schema import sessions as table

# A session's last use is written only when it is older than this share of its lifetime:
# a live page sends requests all the time, and each would be a write otherwise.
_TOUCH_AFTER = 1 / 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser in which somebody is signed in. Times are in seconds since 1970."""

    key: str
    name: str
    """Of the person."""
    started_at: float
    last_seen: float
    """The last request that the person has caused."""
    address: str | None
    browser: str | None
    """The User-Agent header."""


class Sessions:
    """The table `sessions`. A key is the hash of a cookie."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def start(self, key: str, name: str, *, address: str = "", browser: str = "") -> None:
        """Start a session of a person."""
        now = time.time()
        values = {"key": key, "name": name, "started_at": now, "last_seen": now}
        values |= {"address": address, "browser": browser}
        with writing(self._engine) as connection:
            connection.execute(table.insert().values(values))

    def name(
        self,
        key: str,
        *,
        max_idle_seconds: float,
        max_age_seconds: float = math.inf,
        is_use: bool = True,
    ) -> str | None:
        """Return whose session it is; None if there is none, or it is too old or was idle too long.

        Without `is_use` the session stays idle: the request was made by a page that is open.
        """
        now = time.time()
        is_session = table.c.key == key
        with reading(self._engine) as connection:
            row = connection.execute(table.select().where(is_session)).one_or_none()
        if row is None:
            return None
        idle_seconds = now - row.last_seen
        if idle_seconds > max_idle_seconds or now - row.started_at > max_age_seconds:
            return None
        if is_use and idle_seconds > max_idle_seconds * _TOUCH_AFTER:
            with writing(self._engine) as connection:
                connection.execute(table.update().where(is_session).values(last_seen=now))
        return str(row.name)

    def of(
        self, name: str, *, max_idle_seconds: float, max_age_seconds: float = math.inf
    ) -> list[Session]:
        """Return the sessions of a person that are not over, the last used first."""
        now = time.time()
        query = (
            table.select()
            .where(table.c.name == name)
            .where(table.c.last_seen >= now - max_idle_seconds)
            .where(table.c.started_at >= now - max_age_seconds)
            .order_by(table.c.last_seen.desc(), table.c.key)
        )
        with reading(self._engine) as connection:
            return [Session(**row) for row in connection.execute(query).mappings()]

    def remove_expired(self, *, max_idle_seconds: float, max_age_seconds: float) -> list[Session]:
        """Remove the sessions that are too old or were idle for too long, and return them."""
        now = time.time()
        is_expired = (table.c.last_seen < now - max_idle_seconds) | (
            table.c.started_at < now - max_age_seconds
        )
        with reading(self._engine) as connection:
            if connection.scalar(sa.select(table.c.key).where(is_expired).limit(1)) is None:
                return []
        removal = table.delete().where(is_expired).returning(*table.c)
        # Of several servers only one gets a session that it removes.
        with writing(self._engine) as connection:
            return [Session(**row) for row in connection.execute(removal).mappings()]

    def end(self, key: str) -> None:
        """End a session."""
        self._end(table.c.key == key)

    def end_own(self, key: str, name: str) -> bool:
        """End a session of a person; return whether that person has it."""
        return self._end(table.c.key == key, table.c.name == name)

    def end_others(self, key: str, name: str) -> bool:
        """End all sessions of a person but one; return whether there were any."""
        return self._end(table.c.key != key, table.c.name == name)

    def end_without_sign_in(self, *, passwords: bool, issuer: str | None) -> None:
        """End the sessions of people who could not sign in any more, as the settings are now.

        Without `passwords` they are those of people with a password; with an `issuer`, those of
        people of other issuers and those that a link has opened.
        """
        oidc_names = sa.select(oidc_people.c.name)
        is_oidc = table.c.name.in_(oidc_names)
        is_of_issuer = table.c.name.in_(oidc_names.where(oidc_people.c.issuer == issuer))
        has_password = table.c.name.in_(sa.select(people.c.name))
        cannot_sign_in = is_oidc & ~is_of_issuer
        if not passwords:
            cannot_sign_in |= has_password
        if issuer is not None:
            cannot_sign_in |= ~is_oidc & ~has_password
        self._end(cannot_sign_in)

    def _end(self, *conditions: sa.ColumnElement[bool]) -> bool:
        with writing(self._engine) as connection:
            return connection.execute(table.delete().where(*conditions)).rowcount > 0
