"""The columns that people chose by hand, for the next file with the same titles."""

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


def _key(titles: Sequence[str]) -> str:
    # Sorted and without blanks: the same export with another order of columns fits too.
    return json.dumps(sorted(title for title in titles if title.strip()))
