"""Sign-ins to orgs that a person has begun on the page, and not confirmed yet.

They are in the store, since any server of the page may get the next request of the person.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from pydantic import SecretStr

from batchlock.core.errors import UsageError
from batchlock.store.database import reading, upsert, writing
from batchlock.store.schema import pending_sign_ins as table
from batchlock.store.sealing import Sealed, SealingKeys

_FIELD = "pending_sign_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSignIn:
    """A sign-in that is not confirmed yet."""

    content: Mapping[str, Any]
    """A JSON object, whose secrets are sealed in the store."""
    ends_at: datetime
    """When it is forgotten."""
    poll_at: datetime
    """When Zoho may be asked again."""


class PendingSignIns:
    """The table `pending_sign_ins`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def put(self, org: str, sign_in: StoredSignIn, keys: SealingKeys) -> None:
        """Store the sign-in of an org in place of the one before."""
        with writing(self._engine) as connection:
            upsert(connection, table, {"org": org}, _values(org, sign_in, keys))

    def update(self, org: str, sign_in: StoredSignIn, keys: SealingKeys) -> None:
        """Store a new state of the sign-in of an org, unless it was removed or begun anew."""
        same = table.update().where(table.c.org == org, table.c.poll_at == sign_in.poll_at)
        with writing(self._engine) as connection:
            connection.execute(same.values(**_values(org, sign_in, keys)))

    def is_begun(self, org: str, now: datetime) -> bool:
        """Return whether an org has a sign-in whose time is not over."""
        query = sa.select(table.c.org).where(table.c.org == org, table.c.ends_at > now)
        with reading(self._engine) as connection:
            return connection.scalar(query) is not None

    def get(self, org: str, keys: SealingKeys) -> StoredSignIn | None:
        """Return the sign-in of an org; None when there is none, or its key is gone."""
        with reading(self._engine) as connection:
            row = connection.execute(table.select().where(table.c.org == org)).one_or_none()
        if row is None:
            return None
        try:
            text = keys.open(org, _FIELD, Sealed(row.key_id, row.sealed))
        except UsageError:  # the person begins again
            return None
        return StoredSignIn(
            content=json.loads(text.get_secret_value()), ends_at=row.ends_at, poll_at=row.poll_at
        )

    def reserve_poll(
        self, org: str, now: datetime, interval: timedelta, *, ends_at: datetime
    ) -> bool:
        """Reserve the next poll of Zoho, and let the one after it wait for an interval.

        Return False when no poll is due yet, or when the sign-in is not the one that ends at
        `ends_at`: a newer one was begun, and the answer about the older one would overwrite it.
        """
        due = table.update().where(
            table.c.org == org, table.c.poll_at <= now, table.c.ends_at == ends_at
        )
        with writing(self._engine) as connection:
            return connection.execute(due.values(poll_at=now + interval)).rowcount > 0

    def remove(self, org: str) -> bool:
        """Forget the sign-in of an org; return whether there was one."""
        with writing(self._engine) as connection:
            return connection.execute(table.delete().where(table.c.org == org)).rowcount > 0


def _values(org: str, sign_in: StoredSignIn, keys: SealingKeys) -> dict[str, Any]:
    sealed = keys.seal(org, _FIELD, SecretStr(json.dumps(dict(sign_in.content))))
    return {
        "key_id": sealed.key_id,
        "sealed": sealed.content,
        "ends_at": sign_in.ends_at,
        "poll_at": sign_in.poll_at,
    }
