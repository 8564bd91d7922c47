"""What holds the lock of an org, for the message of a second run, and what Zoho says about it."""

import os

import sqlalchemy as sa

from batchlock.core.org import OrgFacts
from batchlock.store.database import reading, upsert, writing
from batchlock.store.schema import orgs as table


class OrgTable:
    """The table `orgs`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def set_holder(self, org: str, holder: str | None) -> None:
        """Store what this process does while it holds the lock of an org; None when it does not."""
        values = {"holder": holder, "process": None if holder is None else os.getpid()}
        with writing(self._engine) as connection:
            upsert(connection, table, {"org": org}, values)

    def holder(self, org: str) -> str | None:
        """Return what holds the lock of an org, in words; None when it was given back."""
        with reading(self._engine) as connection:
            row = connection.execute(table.select().where(table.c.org == org)).one_or_none()
        return None if row is None or row.holder is None else f"{row.holder}, process {row.process}"

    def save_facts(self, org: str, sign_in: str, facts: OrgFacts) -> None:
        """Store what Zoho has said about an org to the sign-in with this hash."""
        values = {"facts": facts.to_json(), "sign_in": sign_in}
        with writing(self._engine) as connection:
            upsert(connection, table, {"org": org}, values)

    def facts(self, org: str, sign_in: str | None = None) -> OrgFacts | None:
        """Return what Zoho has said last about an org, however old; None when nothing is known.

        With `sign_in`, what it has said to another sign-in does not count: the name of the org may
        stand for another org now.
        """
        with reading(self._engine) as connection:
            row = connection.execute(table.select().where(table.c.org == org)).one_or_none()
        if row is None or row.facts is None or sign_in not in (None, row.sign_in):
            return None
        try:
            return OrgFacts.from_json(row.facts)
        except (KeyError, TypeError, ValueError):  # of a version with other fields
            return None
