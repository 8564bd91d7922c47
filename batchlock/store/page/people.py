"""Who may sign in, and who is signed in."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

# A session's last use is written only when it is older than this share of its lifetime:
# a live page sends requests all the time, and each would be a write otherwise.
_TOUCH_AFTER = 1 / 100


class People:
    """The table `people`."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql

    def names(self) -> list[str]:
        """Return the names of all people who may sign in."""
        return [name for (name,) in self._sql.execute("SELECT name FROM people ORDER BY name")]

    def password_hash(self, name: str) -> str | None:
        """Return the password hash of a person; None if there is no such person."""
        row = self._sql.execute("SELECT secret FROM people WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def put(self, name: str, password_hash: str) -> None:
        """Add a person, or change a password, and end the sessions of that name.

        The first person also ends all sessions that a link has opened.
        """
        with _transaction(self._sql):
            # A link signs in whoever has it, so these sessions end when passwords begin.
            is_first = not self.names()
            self._sql.execute("INSERT OR REPLACE INTO people VALUES (?, ?)", (name, password_hash))
            self._sql.execute("DELETE FROM sessions WHERE name = ? OR ?", (name, is_first))

    def rehash(self, name: str, old_hash: str, new_hash: str) -> None:
        """Replace the hash of an unchanged password; the sessions go on.

        Nothing happens if the password was changed in the meantime.
        """
        # `serve --add-user` may have changed the password since the old hash was read.
        self._sql.execute(
            "UPDATE people SET secret = ? WHERE name = ? AND secret = ?", (new_hash, name, old_hash)
        )

    def remove(self, name: str) -> bool:
        """Remove a person and end the sessions of that name; return whether the person existed."""
        with _transaction(self._sql):
            self._sql.execute("DELETE FROM sessions WHERE name = ?", (name,))
            return self._sql.execute("DELETE FROM people WHERE name = ?", (name,)).rowcount > 0


class Sessions:
    """The table `sessions`. A key is the hash of a cookie."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql

    def start(self, key: str, name: str) -> None:
        """Start a session of a person."""
        self._sql.execute("INSERT INTO sessions VALUES (?, ?, ?)", (key, name, time.time()))

    def name(self, key: str, *, max_idle_seconds: float) -> str | None:
        """Return whose session it is; None if there is none, or it was idle for too long."""
        now = time.time()
        row = self._sql.execute("SELECT name, seen FROM sessions WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        name, last_seen = row
        if now - last_seen > max_idle_seconds:
            # All idle sessions, so that the table does not grow.
            self._sql.execute("DELETE FROM sessions WHERE seen < ?", (now - max_idle_seconds,))
            return None
        if now - last_seen > max_idle_seconds * _TOUCH_AFTER:
            self._sql.execute("UPDATE sessions SET seen = ? WHERE key = ?", (now, key))
        return str(name)

    def end(self, key: str) -> None:
        """End a session."""
        self._sql.execute("DELETE FROM sessions WHERE key = ?", (key,))


@contextmanager
def _transaction(sql: sqlite3.Connection) -> Iterator[None]:
    # IMMEDIATE: a transaction that begins with a read cannot always be upgraded to a write.
    sql.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        sql.execute("ROLLBACK")
        raise
    sql.execute("COMMIT")
