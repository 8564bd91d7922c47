"""Who may sign in to the page, and who is signed in."""

import time

import sqlalchemy as sa

from batchlock.store.database import reading, upsert, writing
from batchlock.store.schema import people as people_table
from batchlock.store.schema import sessions as session_table

# A session's last use is written only when it is older than this share of its lifetime:
# a live page sends requests all the time, and each would be a write otherwise.
_TOUCH_AFTER = 1 / 100
_NAMES = sa.select(people_table.c.name).order_by(people_table.c.name)


class People:
    """The table `people`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def names(self) -> list[str]:
        """Return the names of all people who may sign in."""
        with reading(self._engine) as connection:
            return list(connection.scalars(_NAMES))

    def password_hash(self, name: str) -> str | None:
        """Return the password hash of a person; None if there is no such person."""
        query = sa.select(people_table.c.password_hash).where(people_table.c.name == name)
        with reading(self._engine) as connection:
            value: str | None = connection.scalar(query)
        return value

    def put(self, name: str, password_hash: str) -> None:
        """Add a person, or change a password, and end the sessions of that name.

        The first person also ends all sessions that a link has opened.
        """
        with writing(self._engine) as connection:
            # A link signs in whoever has it, so these sessions end when passwords begin.
            is_first = connection.scalar(_NAMES) is None
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

    def remove(self, name: str) -> bool:
        """Remove a person and end the sessions of that name; return whether the person existed."""
        with writing(self._engine) as connection:
            connection.execute(session_table.delete().where(session_table.c.name == name))
            removed = connection.execute(people_table.delete().where(people_table.c.name == name))
            return removed.rowcount > 0


class Sessions:
    """The table `sessions`. A key is the hash of a cookie."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def start(self, key: str, name: str) -> None:
        """Start a session of a person."""
        with writing(self._engine) as connection:
            connection.execute(
                session_table.insert().values(key=key, name=name, last_seen=time.time())
            )

    def name(self, key: str, *, max_idle_seconds: float) -> str | None:
        """Return whose session it is; None if there is none, or it was idle for too long."""
        now = time.time()
        is_session = session_table.c.key == key
        with reading(self._engine) as connection:
            row = connection.execute(session_table.select().where(is_session)).one_or_none()
        if row is None:
            return None
        idle_seconds = now - row.last_seen
        if idle_seconds > max_idle_seconds:
            # All idle sessions, so that the table does not grow.
            is_idle = session_table.c.last_seen < now - max_idle_seconds
            with writing(self._engine) as connection:
                connection.execute(session_table.delete().where(is_idle))
            return None
        if idle_seconds > max_idle_seconds * _TOUCH_AFTER:
            with writing(self._engine) as connection:
                connection.execute(session_table.update().where(is_session).values(last_seen=now))
        return str(row.name)

    def end(self, key: str) -> None:
        """End a session."""
        with writing(self._engine) as connection:
            connection.execute(session_table.delete().where(session_table.c.key == key))
