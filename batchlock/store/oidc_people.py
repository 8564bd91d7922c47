"""People who sign in with OpenID Connect, and what they may do."""

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from batchlock.store.audit_log import RESERVED_NAMES
from batchlock.store.database import reading, upsert, writing
from batchlock.store.people import folded, lock_names
from batchlock.store.schema import oidc_people as table
from batchlock.store.schema import people, sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcPerson:
    """Somebody who signs in with OpenID Connect."""

    issuer: str
    subject: str
    """Who it is at the issuer; it stays when name or e-mail address change."""
    name: str
    """The name on the page, which no other person has."""
    roles: Mapping[str, str]
    """By org, as the groups of the person gave them at the last sign-in."""
    signed_in_at: float
    """The last sign-in, in seconds since 1970."""


class OidcPeople:
    """The table `oidc_people`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def sign_in(self, issuer: str, subject: str, name: str, roles: Mapping[str, str]) -> str:
        """Record a sign-in with the roles of the person from now on; return the person's name.

        A person keeps the name of the first sign-in, since it stands in logs. A new person whose
        name somebody else has gets a number behind it: `Anna (2)`.
        """
        key = {"issuer": issuer, "subject": subject}
        with writing(self._engine) as connection:
            lock_names(connection)
            known_name = connection.scalar(sa.select(table.c.name).filter_by(**key))
            name = known_name or _free_name(connection, name)
            values = {"name": name, "roles": dict(roles), "signed_in_at": time.time()}
            upsert(connection, table, key, values)
        return name

    def all(self) -> list[OidcPerson]:
        """Return all who have ever signed in, by name."""
        with reading(self._engine) as connection:
            rows = connection.execute(table.select().order_by(table.c.name))
            return [OidcPerson(**row) for row in rows.mappings()]

    def find(self, name: str) -> OidcPerson | None:
        """Return the person with this name in any case; None if there is none."""
        key = folded(name)
        return next((person for person in self.all() if folded(person.name) == key), None)

    def sign_out(self, name: str) -> None:
        """End the sessions of a person, who has no role until the next sign-in.

        The person stays known, so that nobody else gets the name.
        """
        with writing(self._engine) as connection:
            connection.execute(table.update().where(table.c.name == name).values(roles={}))
            connection.execute(sessions.delete().where(sessions.c.name == name))

    def withdraw(self, issuer: str, subject: str) -> None:
        """Sign a person out who has no role any more; nothing happens if nobody is known."""
        query = sa.select(table.c.name).filter_by(issuer=issuer, subject=subject)
        with reading(self._engine) as connection:
            name = connection.scalar(query)
        if name is not None:
            self.sign_out(name)


def _free_name(connection: sa.Connection, name: str) -> str:
    """Return the name, with a number behind it when somebody has it already, or it is reserved."""
    names = sa.union_all(sa.select(people.c.name), sa.select(table.c.name))
    used_names = {folded(each) for each in (*connection.scalars(names), *RESERVED_NAMES)}
    candidates = itertools.chain([name], (f"{name} ({number})" for number in itertools.count(2)))
    return next(candidate for candidate in candidates if folded(candidate) not in used_names)
