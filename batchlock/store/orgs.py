"""The orgs: those that a person has added, with their secrets, and what runs have left about each.

The row of an org is made by whoever needs it first: a run, for the lock of the org and for what
Zoho has said, or a person who adds the org. Only the latter sets `added_at`.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from pydantic import SecretStr

from batchlock.core.errors import BatchlockError
from batchlock.core.org import OrgFacts, StoredOrg
from batchlock.store.database import reading, upsert, writing
from batchlock.store.schema import grants, pending_sign_ins, schedules, secrets, tokens
from batchlock.store.schema import orgs as table
from batchlock.store.sealing import Sealed, SealingKeys

_log = logging.getLogger(__name__)

_WAS_ADDED = table.c.added_at.is_not(None)
# What a person has said about an org, and what Zoho has said to its sign-in.
_OF_ADDED_ORG = (
    *("added_at", "data_center", "environment", "api_url", "accounts_url", "settings"),
    *("facts", "sign_in", "pace", "composite", "credits_left", "credits_at"),
)


class OrgTable:
    """The tables `orgs` and `secrets`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def set_holder(self, org: str, holder: str | None) -> None:
        """Store what this process does while it holds the lock of an org; None when it does not."""
        self._set(org, {"holder": holder, "process": None if holder is None else os.getpid()})

    def holder(self, org: str) -> str | None:
        """Return what holds the lock of an org, in words; None when it was given back."""
        row = self.row(org)
        return None if row is None or row.holder is None else f"{row.holder}, process {row.process}"

    def save_facts(self, org: str, sign_in: str, facts: OrgFacts) -> None:
        """Store what Zoho has said about an org to the sign-in with this hash."""
        self._set(org, {"facts": facts.to_json(), "sign_in": sign_in})

    def facts(self, org: str, sign_in: str | None = None) -> OrgFacts | None:
        """Return what Zoho has said last about an org, however old; None when nothing is known.

        With `sign_in`, what it has said to another sign-in does not count: the name of the org may
        stand for another org now.
        """
        row = self.row(org)
        if row is None or sign_in not in (None, row.sign_in):
            return None
        return _facts(row.facts)

    def column(self, org: str, name: str) -> "OrgColumn":
        """Return the place of a JSON object about an org: `pace` or `composite`."""
        return OrgColumn(self, org, name)

    def save_credits(self, org: str, credits_left: int, at: datetime) -> None:
        """Store how many credits were left of an org's day. A failure is only logged."""
        self.try_to_set(org, {"credits_left": credits_left, "credits_at": at})

    def try_to_set(self, org: str, values: Mapping[str, Any]) -> None:
        """Set columns of which the next run may be without. A failure is only logged."""
        try:
            self._set(org, values)
        except BatchlockError as error:
            _log.warning("What the run has found about %s is not stored. %s", org, error)

    def put(
        self, orgs: Sequence[StoredOrg], sealed: Mapping[str, Mapping[str, Sealed]] | None = None
    ) -> None:
        """Add orgs, or replace those that were added before, in one transaction.

        `sealed` are their secrets, by org and field. Whether an org is disabled is kept.
        """
        now = datetime.now(UTC)
        with writing(self._engine) as connection:
            for org in orgs:
                values = {
                    "data_center": org.data_center,
                    "environment": org.environment,
                    "api_url": org.api_url,
                    "accounts_url": org.accounts_url,
                    "settings": {section: dict(keys) for section, keys in org.settings.items()},
                }
                upsert(connection, table, {"org": org.name}, values)
                new = table.update().where(table.c.org == org.name, sa.not_(_WAS_ADDED))
                connection.execute(new.values(added_at=now))
            for name, fields in (sealed or {}).items():
                if fields:  # a sign-in before, of another grant, had others
                    is_other = secrets.c.field.not_in(list(fields))
                    connection.execute(secrets.delete().where(secrets.c.org == name, is_other))
                for field, secret in fields.items():
                    _put_secret(connection, name, field, secret)

    def get(self, org: str) -> StoredOrg | None:
        """Return an org that was added; None when there is none of this name."""
        row = self.row(org)
        return None if row is None or row.added_at is None else _stored_org(row)

    def all(self) -> list[StoredOrg]:
        """Return the orgs that were added, by name."""
        with reading(self._engine) as connection:
            rows = connection.execute(table.select().where(_WAS_ADDED)).all()
        return sorted(map(_stored_org, rows), key=lambda org: org.name)

    def set_disabled(self, org: str, *, disabled: bool) -> bool:
        """Forbid or allow to send to an org; return False when there is none of this name."""
        with writing(self._engine) as connection:
            statement = table.update().where(table.c.org == org, _WAS_ADDED)
            return connection.execute(statement.values(disabled=disabled)).rowcount > 0

    def remove(self, org: str) -> None:
        """Remove an org with its secrets, its token, its schedules and the rights on it.

        Its runs stay. So does its row, whose epoch must never begin anew.
        """
        empty: dict[str, Any] = dict.fromkeys(_OF_ADDED_ORG)
        with writing(self._engine) as connection:
            for other in (secrets, pending_sign_ins, tokens, schedules, grants):
                connection.execute(other.delete().where(other.c.org == org))
            removed = table.update().where(table.c.org == org)
            connection.execute(removed.values(**empty, disabled=False))

    def secrets(self, org: str, keys: SealingKeys) -> dict[str, SecretStr]:
        """Return the secrets of an org by field, such as `refresh_token`.

        Raises UnknownKey and UsageError as `SealingKeys.open` does.
        """
        with reading(self._engine) as connection:
            rows = connection.execute(secrets.select().where(secrets.c.org == org)).all()
        return {
            row.field: keys.open(org, row.field, Sealed(row.key_id, row.sealed)) for row in rows
        }

    def remove_secrets(self, org: str) -> None:
        """Remove the secrets and the access token of an org, which stays without a sign-in."""
        with writing(self._engine) as connection:
            for other in (secrets, tokens):
                connection.execute(other.delete().where(other.c.org == org))

    def has_secrets(self) -> bool:
        """Tell whether any secret is stored."""
        return bool(self.with_secrets())

    def with_secrets(self) -> frozenset[str]:
        """Return the names of the orgs that have a secret."""
        with reading(self._engine) as connection:
            return frozenset(connection.scalars(sa.select(secrets.c.org).distinct()))

    def reseal(self, keys: SealingKeys) -> int:
        """Seal every secret with the first key, in one transaction; return how many there are.

        Raises as `secrets` does; then nothing is changed.
        """
        with writing(self._engine) as connection:
            query = secrets.select().order_by(secrets.c.org, secrets.c.field).with_for_update()
            rows = connection.execute(query).all()
            for row in rows:
                secret = keys.open(row.org, row.field, Sealed(row.key_id, row.sealed))
                _put_secret(connection, row.org, row.field, keys.seal(row.org, row.field, secret))
            # An access token lives for an hour, so a new one takes the place of an old one.
            old = tokens.update().where(tokens.c.key_id != keys.first_id)
            connection.execute(old.values(key_id=None, sealed=None, use_until=None))
        return len(rows)

    def row(self, org: str) -> "sa.Row[Any] | None":
        """Return the row of an org; None when there is none."""
        with reading(self._engine) as connection:
            return connection.execute(table.select().where(table.c.org == org)).one_or_none()

    def _set(self, org: str, values: Mapping[str, Any]) -> None:
        with writing(self._engine) as connection:
            upsert(connection, table, {"org": org}, values)


class OrgColumn:
    """A column with a JSON object that one run of an org leaves for the next."""

    def __init__(self, orgs: OrgTable, org: str, name: str) -> None:
        self._orgs = orgs
        self._org = org
        self._name = name

    def read(self) -> dict[str, Any]:
        """Return the object; an empty one when there is none, or when it cannot be read."""
        try:
            row = self._orgs.row(self._org)
        except BatchlockError:  # the run meets the same error where it needs the store
            return {}
        content = None if row is None else getattr(row, self._name)
        return content if isinstance(content, dict) else {}

    def write(self, content: dict[str, Any]) -> None:
        """Replace the object. A failure is only logged."""
        self._orgs.try_to_set(self._org, {self._name: content or None})


def _put_secret(connection: sa.Connection, org: str, field: str, secret: Sealed) -> None:
    values = {"key_id": secret.key_id, "sealed": secret.content}
    upsert(connection, secrets, {"org": org, "field": field}, values)


def _stored_org(row: "sa.Row[Any]") -> StoredOrg:
    return StoredOrg(
        name=row.org,
        data_center=row.data_center,
        environment=row.environment,
        api_url=row.api_url,
        accounts_url=row.accounts_url,
        settings=row.settings or {},
        disabled=row.disabled,
        added_at=row.added_at,
        facts=_facts(row.facts),
        credits_left=row.credits_left,
        credits_at=row.credits_at,
    )


def _facts(content: Any) -> OrgFacts | None:
    try:
        return None if content is None else OrgFacts.from_json(content)
    except (KeyError, TypeError, ValueError):  # of a version with other fields
        return None
