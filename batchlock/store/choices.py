"""The columns and encodings that people chose, for the next file with the same titles."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from batchlock.store.database import reading, upsert, writing
from batchlock.store.schema import choices as table


class ChoiceTable:
    """The table `choices`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def save_columns(self, titles: Sequence[str], columns: Mapping[str, str]) -> None:
        """Remember which title serves each field in a table with these titles."""
        self._save(titles, columns=dict(columns))

    def columns(self, titles: Sequence[str]) -> dict[str, str]:
        """Return the columns that were saved last for these titles; empty if there are none."""
        query = sa.select(table.c.columns).where(table.c.titles == _key(titles))
        with reading(self._engine) as connection:
            return connection.scalar(query) or {}

    def save_encoding(self, titles: Sequence[str], encoding: str) -> None:
        """Remember the encoding of a text file with these titles."""
        self._save(titles, encoding=encoding)

    def encoding(self, titles: Sequence[str]) -> str | None:
        """Return the encoding that was saved last for these titles."""
        query = sa.select(table.c.encoding).where(table.c.titles == _key(titles))
        with reading(self._engine) as connection:
            value: str | None = connection.scalar(query)
        return value

    def _save(self, titles: Sequence[str], **choice: Any) -> None:
        with writing(self._engine) as connection:
            upsert(connection, table, {"titles": _key(titles)}, choice)


def _key(titles: Sequence[str]) -> str:
    # Sorted and without blanks: the same export with another order of columns fits too.
    return json.dumps(sorted(title for title in titles if title.strip()))
