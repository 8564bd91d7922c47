"""Who may do what with which org on the page: grants give people roles, and roles have rights.

As long as there is no grant at all, everybody who may sign in has all rights on every org. So has
whoever signs in by a link, as long as nobody has a password. People who sign in with OpenID Connect
have the roles of their groups instead, and no grants. What a role may do is decided here and
nowhere else: a page asks `Access.may`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from batchlock.store.database import reading, upsert, writing
from batchlock.store.schema import grants as table
from batchlock.store.schema import oidc_people, people

EVERY_ORG = "*"
"""The org of a grant that holds for every org."""


class Role(StrEnum):
    """What a person is for an org; each role also has the rights of those before it."""

    VIEWER = "viewer"
    PREPARER = "preparer"
    SENDER = "sender"
    ADMINISTRATOR = "administrator"


class Right(StrEnum):
    """Something that a person may do with an org."""

    SEE = "see"
    """Look at files, runs, results and the log."""
    PREPARE = "prepare"
    """Upload files, check them, choose how they are read, and remove them."""
    SEND = "send"
    """Whatever makes calls to Zoho: start, pause, stop, retry and undo runs, and find locks."""
    ADMINISTER = "administer"
    """Change what holds for everybody."""


_RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.SEE}),
    Role.PREPARER: frozenset({Right.SEE, Right.PREPARE}),
    Role.SENDER: frozenset({Right.SEE, Right.PREPARE, Right.SEND}),
    Role.ADMINISTRATOR: frozenset(Right),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The role that a person has for an org."""

    person: str
    org: str
    """The name of an org, or EVERY_ORG."""
    role: Role


@dataclass(frozen=True, slots=True)
class Access:
    """What one person may see and do."""

    roles: Mapping[str, Role] | None
    """By org, also for EVERY_ORG. None: there are no grants or no people, so all is allowed."""

    def role(self, org: str) -> Role | None:
        """Return the role for an org: that of a grant for this org, else that for every org."""
        if self.roles is None:
            return Role.ADMINISTRATOR
        return self.roles.get(org) or self.roles.get(EVERY_ORG)

    def may(self, right: Right, org: str) -> bool:
        """Return whether the person has a right on an org."""
        role = self.role(org)
        return role is not None and right in _RIGHTS[role]


class GrantTable:
    """The table `grants`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def put(self, grant: Grant) -> None:
        """Give a person a role for an org, in place of the one before."""
        key = {"person": grant.person, "org": grant.org}
        with writing(self._engine) as connection:
            upsert(connection, table, key, {"role": grant.role.value})

    def remove(self, person: str, org: str | None = None) -> bool:
        """Remove the grant for an org, or all grants of a person; return whether there was one."""
        condition = table.c.person == person
        if org is not None:
            condition &= table.c.org == org
        with writing(self._engine) as connection:
            return connection.execute(table.delete().where(condition)).rowcount > 0

    def all(self) -> list[Grant]:
        """Return all grants, by person and org."""
        query = table.select().order_by(table.c.person, table.c.org)
        with reading(self._engine) as connection:
            return [
                Grant(person=row.person, org=row.org, role=Role(row.role))
                for row in connection.execute(query)
            ]

    def access(self, person: str) -> Access:
        """Return what a person may see and do."""
        exists = sa.select(sa.literal(1)).select_from(table).exists()
        query = sa.select(table.c.org, table.c.role).where(table.c.person == person)
        of_groups = sa.select(oidc_people.c.roles).where(oidc_people.c.name == person)
        with reading(self._engine) as connection:
            if (group_roles := connection.scalar(of_groups)) is not None:
                return Access({org: Role(role) for org, role in group_roles.items()})
            roles = {org: Role(role) for org, role in connection.execute(query)}
            if not roles and not connection.scalar(sa.select(exists)):
                return Access(None)
            # Whoever came by a link: a grant is left, but nobody may sign in by a password.
            if not roles and connection.scalar(sa.select(people.c.name).limit(1)) is None:
                return Access(None)
        return Access(roles)
