"""The columns and encodings that people chose, for the next file with the same titles."""

import json
import sqlite3
from collections.abc import Mapping, Sequence


class RememberedColumns:
    """The table `columns`."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql

    def save(self, titles: Sequence[str], columns: Mapping[str, str]) -> None:
        """Remember which title serves each field in a table with these titles."""
        self._sql.execute(
            "INSERT OR REPLACE INTO columns VALUES (?, ?)",
            (_key(titles), json.dumps(dict(columns))),
        )

    def load(self, titles: Sequence[str]) -> dict[str, str]:
        """Return the columns that were saved last for these titles; empty if there are none."""
        row = self._sql.execute(
            "SELECT chosen FROM columns WHERE titles = ?", (_key(titles),)
        ).fetchone()
        return {} if row is None else dict(json.loads(row[0]))


class RememberedEncodings:
    """The table `encodings`."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql

    def save(self, titles: Sequence[str], encoding: str) -> None:
        """Remember the encoding of a text file with these titles."""
        self._sql.execute(
            "INSERT OR REPLACE INTO encodings VALUES (?, ?)", (_key(titles), encoding)
        )

    def load(self, titles: Sequence[str]) -> str | None:
        """Return the encoding that was saved last for these titles."""
        row = self._sql.execute(
            "SELECT chosen FROM encodings WHERE titles = ?", (_key(titles),)
        ).fetchone()
        return None if row is None else str(row[0])


def _key(titles: Sequence[str]) -> str:
    # Sorted and without blanks: the same export with another order of columns fits too.
    return json.dumps(sorted(title for title in titles if title.strip()))
