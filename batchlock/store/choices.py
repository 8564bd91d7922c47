"""The columns and encodings that people chose, for the next file with the same titles.

Each choice belongs to the person who made it. One that an administrator has agreed holds for
everybody who has made no other choice for these titles.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from batchlock.store.database import reading, upsert, writing
from batchlock.store.schema import choices as table

FOR_ALL = ""
"""The person of a choice that holds for everybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was chosen for files with some titles."""

    key: str
    """Names the titles to `remove` and `agree`."""
    titles: Sequence[str]
    """Sorted, without blank ones."""
    person: str
    """Who chose it, or FOR_ALL."""
    columns: Mapping[str, str]
    """The titles of the columns, by field; empty when only the encoding was chosen."""
    encoding: str | None


class ChoiceTable:
    """The table `choices`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def save_columns(
        self, titles: Sequence[str], columns: Mapping[str, str], person: str = FOR_ALL
    ) -> None:
        """Remember which title serves each field in a table with these titles."""
        self._save(titles, person, columns=dict(columns))

    def columns(self, titles: Sequence[str], person: str = FOR_ALL) -> dict[str, str]:
        """Return the columns that a person saved last for these titles, else those for all.

        They are empty if there are none.
        """
        return self._value(table.c.columns, titles, person) or {}

    def save_encoding(self, titles: Sequence[str], encoding: str, person: str = FOR_ALL) -> None:
        """Remember the encoding of a text file with these titles."""
        self._save(titles, person, encoding=encoding)

    def encoding(self, titles: Sequence[str], person: str = FOR_ALL) -> str | None:
        """Return the encoding that a person saved last for these titles, else that for all."""
        value: str | None = self._value(table.c.encoding, titles, person)
        return value

    def of(self, person: str) -> list[Choice]:
        """Return the choices of a person and those that hold for all, by their titles."""
        query = (
            table.select()
            .where(table.c.person.in_([person, FOR_ALL]))
            .order_by(table.c.titles, table.c.person)
        )
        with reading(self._engine) as connection:
            return [
                Choice(
                    key=row.titles,
                    titles=tuple(json.loads(row.titles)),
                    person=row.person,
                    columns=row.columns or {},
                    encoding=row.encoding,
                )
                for row in connection.execute(query)
            ]

    def remove(self, key: str, person: str) -> bool:
        """Forget a choice; return whether there was one."""
        condition = (table.c.titles == key) & (table.c.person == person)
        with writing(self._engine) as connection:
            return connection.execute(table.delete().where(condition)).rowcount > 0

    def agree(self, key: str, person: str) -> bool:
        """Let the choice of a person hold for all; return whether there was one."""
        choice = next(
            (one for one in self.of(person) if (one.key, one.person) == (key, person)), None
        )
        if choice is None:
            return False
        values = {"columns": dict(choice.columns) or None, "encoding": choice.encoding}
        with writing(self._engine) as connection:
            upsert(connection, table, {"titles": key, "person": FOR_ALL}, values)
        return True

    def _value(self, column: "sa.Column[Any]", titles: Sequence[str], person: str) -> Any:
        query = sa.select(table.c.person, column).where(
            table.c.titles == _key(titles),
            table.c.person.in_([person, FOR_ALL]),
            column.is_not(None),
        )
        with reading(self._engine) as connection:
            by_person = {row[0]: row[1] for row in connection.execute(query)}
        return by_person.get(person, by_person.get(FOR_ALL))

    def _save(self, titles: Sequence[str], person: str, **choice: Any) -> None:
        with writing(self._engine) as connection:
            upsert(connection, table, {"titles": _key(titles), "person": person}, choice)


def _key(titles: Sequence[str]) -> str:
    # Sorted and without blanks: the same export with another order of columns fits too.
    return json.dumps(sorted(title for title in titles if title.strip()))
