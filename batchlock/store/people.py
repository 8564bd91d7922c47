"""People who sign in to the page with a password."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from batchlock.core.errors import UsageError
from batchlock.store.database import reading, upsert, writing
from batchlock.store.schema import oidc_people
from batchlock.store.schema import people as people_table
from batchlock.store.schema import sessions as session_table

_NAMES = sa.select(people_table.c.name).order_by(people_table.c.name)
_OIDC_NAMES = sa.select(oidc_people.c.name)
# Two people who are added at the same time must not get one name. The number is arbitrary.
_NAMES_LOCK = 7_233_417_012


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may sign in."""

    name: str
    """As it was typed when the person was added."""
    password_hash: str


class AmbiguousName(UsageError):
    """A name that differs from those of several people, and from each only in case.

    Older versions took such names as two people.
    """

    def __init__(self, name: str, names: Sequence[str]) -> None:
        self.names = names
        super().__init__(
            f"{name} may be {' or '.join(names)}, which differ only in case. Write the name "
            "exactly as it stands here."
        )


def folded(name: str) -> str:
    """Return a name without what people do not see as a difference: case, and forms of letters."""
    return unicodedata.normalize("NFKC", name).casefold()


def lock_names(connection: sa.Connection) -> None:
    """Let no other transaction add a person before this one has ended."""
    if connection.dialect.name == "postgresql":  # SQLite has one writing transaction at a time
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_NAMES_LOCK)))


class People:
    """The table `people`. Names that differ only in case are the name of one person."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def names(self) -> list[str]:
        """Return the names of all people who may sign in."""
        with reading(self._engine) as connection:
            return list(connection.scalars(_NAMES))

    def same_but_for_case(self) -> list[Sequence[str]]:
        """Return the names that differ from each other only in case, each group together."""
        groups: dict[str, list[str]] = {}
        for name in self.names():
            groups.setdefault(folded(name), []).append(name)
        return [names for names in groups.values() if len(names) > 1]

    def find(self, name: str) -> Person | None:
        """Return a person; None if there is no such person. Raises AmbiguousName."""
        with reading(self._engine) as connection:
            return _find(connection, name)

    def put(self, name: str, password_hash: str) -> None:
        """Add a person, or change a password, and end the sessions of that person.

        The first person also ends all sessions that a link has opened. Raises UsageError when the
        name is that of a person who signs in with OpenID Connect, and AmbiguousName.
        """
        with writing(self._engine) as connection:
            lock_names(connection)
            key = folded(name)
            if any(folded(each) == key for each in connection.scalars(_OIDC_NAMES)):
                raise UsageError(
                    f"{name} signs in with OpenID Connect, and cannot have a password. Use "
                    "another name."
                )
            # A link signs in whoever has it, so these sessions end when passwords begin.
            is_first = connection.scalar(_NAMES) is None
            if (person := _find(connection, name)) is not None:
                name = person.name
            upsert(connection, people_table, {"name": name}, {"password_hash": password_hash})
            ended = sa.true() if is_first else session_table.c.name == name
            connection.execute(session_table.delete().where(ended))

    def rehash(self, name: str, old_hash: str, new_hash: str) -> None:
        """Replace the hash of an unchanged password; the sessions go on.

        Nothing happens if the password was changed in the meantime.
        """
        # `serve --add-user` may have changed the password since the old hash was read.
        is_unchanged = people_table.c.name == name, people_table.c.password_hash == old_hash
        with writing(self._engine) as connection:
            connection.execute(
                people_table.update().where(*is_unchanged).values(password_hash=new_hash)
            )

    def change_password(self, name: str, old_hash: str, new_hash: str) -> bool:
        """Change the password of a person, and end the sessions; return whether it was changed.

        Nothing happens if the password was changed in the meantime, or the person removed.
        """
        is_unchanged = people_table.c.name == name, people_table.c.password_hash == old_hash
        with writing(self._engine) as connection:
            changed = connection.execute(
                people_table.update().where(*is_unchanged).values(password_hash=new_hash)
            )
            if changed.rowcount:
                connection.execute(session_table.delete().where(session_table.c.name == name))
            return changed.rowcount > 0

    def remove(self, name: str) -> bool:
        """Remove a person and end the sessions; return whether the person existed.

        Raises AmbiguousName.
        """
        with writing(self._engine) as connection:
            if (person := _find(connection, name)) is not None:
                name = person.name
            connection.execute(session_table.delete().where(session_table.c.name == name))
            removed = connection.execute(people_table.delete().where(people_table.c.name == name))
            return removed.rowcount > 0


def _find(connection: sa.Connection, name: str) -> Person | None:
    # Compared here: SQLite folds the case of ASCII letters only. The table is small.
    key = folded(name)
    rows = connection.execute(people_table.select().order_by(people_table.c.name))
    similar = [Person(row.name, row.password_hash) for row in rows if folded(row.name) == key]
    exact = [person for person in similar if person.name == name]
    if len(similar) > 1 and not exact:
        raise AmbiguousName(name, [person.name for person in similar])
    return next(iter(exact or similar), None)
