"""The access token of each org that its workers share, sealed in the database of a server.

Zoho grants few tokens in ten minutes, so one process at a time requests one. It holds the column
`refreshing_until`, and renews it while it waits for Zoho. The next process takes over from one that
was killed as soon as that time is past. All times are those of the database.

A database that is away for a moment must not end a run, which waits for it anyway. So the lock is
tried again until its time is over, and a token that cannot be read or kept is requested again.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime

import sqlalchemy as sa
from pydantic import SecretStr

from batchlock.core.access_token import AccessToken
from batchlock.core.errors import BatchlockError, Stopped, UsageError
from batchlock.store.database import reading, upsert, writing
from batchlock.store.schema import tokens as table
from batchlock.store.sealing import Sealed, SealingKeys

_log = logging.getLogger(__name__)

# How long the token of an org cannot be refreshed after the process that did so was killed, and
# how often that time is renewed.
_LOCK_SECONDS = 30.0
_RENEWAL_SECONDS = 10.0
# A request for a token takes about half a second.
_POLL_SECONDS = 0.25


class SharedTokens:
    """The token of one org; a `TokenCache`."""

    def __init__(self, engine: sa.Engine, org: str, keys: SealingKeys) -> None:
        self._engine = engine
        self._org = org
        self._keys = keys
        self._failure = ""
        """Why the last statement about the lock failed; empty when it did not."""

    @asynccontextmanager
    async def locked(self, *, timeout_seconds: float) -> AsyncIterator[None]:
        """Keep all other processes from requesting a token; see `TokenCache`."""
        deadline_monotonic = time.monotonic() + timeout_seconds
        while (until := await self._lock()) is None:
            if time.monotonic() >= deadline_monotonic:
                if self._failure:
                    raise Stopped(self._failure)
                raise Stopped(
                    f"Another batchlock has been signing in to {self._org} for "
                    f"{timeout_seconds:g} s. See what it waits for, then run the same command "
                    "again."
                )
            await asyncio.sleep(_POLL_SECONDS)
        is_over = asyncio.Event()
        renewal = asyncio.create_task(self._renew(until, is_over))
        try:
            yield
        finally:
            # The task gives the lock back, since it knows the time that it has set last.
            is_over.set()
            await renewal

    async def read(self, account: str, *, now: float) -> AccessToken | None:
        """Return the token of an account. One that cannot be opened or read counts as none."""
        with suppress(BatchlockError):
            return await asyncio.to_thread(self._read, account, now)
        return None

    async def write(self, account: str, token: AccessToken, *, now: float) -> None:
        """Keep the token of an account in place of the one before. A failure is only logged."""
        try:
            await asyncio.to_thread(self._write, account, token, now)
        except BatchlockError as error:
            _log.warning("The access token of %s is not shared. %s", self._org, error)

    async def remove(self, account: str, *, now: float) -> None:  # noqa: ARG002  as in TokenCache
        """Remove the token, of whichever sign-in. Raises BatchlockError."""
        await asyncio.to_thread(self._remove)

    async def _renew(self, until: datetime, is_over: asyncio.Event) -> None:
        while True:
            try:
                async with asyncio.timeout(_RENEWAL_SECONDS):
                    await is_over.wait()
            except TimeoutError:
                until = await self._lock(until) or until
            else:
                with suppress(BatchlockError):  # its time is over soon
                    await asyncio.to_thread(self._unlock, until)
                return

    async def _lock(self, until: datetime | None = None) -> datetime | None:
        """Take the lock, or renew the one that ends at `until`; return its end, None without it."""
        try:
            end = await asyncio.to_thread(self._update_lock, until)
        except BatchlockError as error:
            self._failure = str(error)
            return None
        self._failure = ""
        return end

    def _update_lock(self, until: datetime | None) -> datetime | None:
        now = sa.func.clock_timestamp()
        is_held = table.c.refreshing_until == until
        is_free = sa.or_(table.c.refreshing_until.is_(None), table.c.refreshing_until < now)
        with writing(self._engine) as connection:
            upsert(connection, table, {"org": self._org}, {"org": self._org})
            end = now + sa.func.make_interval(0, 0, 0, 0, 0, 0, _LOCK_SECONDS)
            renewed: datetime | None = connection.scalar(
                table.update()
                .where(table.c.org == self._org, is_free if until is None else is_held)
                .values(refreshing_until=end)
                .returning(table.c.refreshing_until)
            )
            return renewed

    def _unlock(self, until: datetime) -> None:
        is_held = table.c.refreshing_until == until
        with writing(self._engine) as connection:
            statement = table.update().where(table.c.org == self._org, is_held)
            connection.execute(statement.values(refreshing_until=None))

    def _read(self, account: str, now: float) -> AccessToken | None:
        rest = sa.extract("epoch", table.c.use_until - sa.func.clock_timestamp())
        query = sa.select(table.c.key_id, table.c.sealed, rest.label("seconds"))
        with reading(self._engine) as connection:
            row = connection.execute(query.where(table.c.org == self._org)).one_or_none()
        if row is None or row.sealed is None or row.seconds is None:
            return None
        try:
            text = self._keys.open(self._org, _field(account), Sealed(row.key_id, row.sealed))
        except UsageError:  # of another sign-in, or of a key that is gone
            return None
        return AccessToken(text.get_secret_value(), now + float(row.seconds))

    def _write(self, account: str, token: AccessToken, now: float) -> None:
        sealed = self._keys.seal(self._org, _field(account), SecretStr(token.text))
        seconds = sa.func.make_interval(0, 0, 0, 0, 0, 0, token.use_until - now)
        values = {
            "key_id": sealed.key_id,
            "sealed": sealed.content,
            "use_until": sa.func.clock_timestamp() + seconds,
        }
        with writing(self._engine) as connection:
            upsert(connection, table, {"org": self._org}, values)

    def _remove(self) -> None:
        empty = {"key_id": None, "sealed": None, "use_until": None}
        with writing(self._engine) as connection:
            connection.execute(table.update().where(table.c.org == self._org).values(**empty))


def _field(account: str) -> str:
    """Return what the token is bound to: that of an older sign-in cannot be opened any more."""
    return f"access_token {account}"
