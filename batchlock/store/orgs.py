"""What holds the lock of an org: for the message of a second run."""

import os

import sqlalchemy as sa

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
