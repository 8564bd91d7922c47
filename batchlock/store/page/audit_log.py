"""The audit log of the page: who did what."""

import sqlite3
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A line of the audit log."""

    at: float
    """Seconds since 1970."""
    org: str
    user: str
    action: str
    subject: str
    """The file, run or address that the action is about."""


class AuditLog:
    """The table `log`."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql

    def add(self, org: str, user: str, action: str, subject: str = "") -> None:
        """Record that somebody did something, at this moment."""
        self._sql.execute(
            "INSERT INTO log VALUES (?, ?, ?, ?, ?)", (time.time(), org, user, action, subject)
        )

    def count(self, org: str) -> int:
        """Count the entries of an org."""
        row = self._sql.execute("SELECT count(*) FROM log WHERE org = ?", (org,)).fetchone()
        return int(row[0])

    def entries(self, org: str, *, offset: int, limit: int) -> list[LogEntry]:
        """Return some entries, newest first."""
        rows = self._sql.execute(
            "SELECT at, org, who, what, about FROM log WHERE org = ? ORDER BY at DESC, rowid DESC"
            " LIMIT ? OFFSET ?",  # rowid: two entries can have the same time
            (org, limit, offset),
        )
        return [LogEntry(*row) for row in rows]
