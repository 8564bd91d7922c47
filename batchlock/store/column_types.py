"""Types of columns that SQLite and PostgreSQL store alike."""

import json
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator


class UtcTime(TypeDecorator[datetime]):
    """A moment. SQLite stores no time zone, so every moment is stored in UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: sa.Dialect) -> datetime | None:
        """Convert a moment to UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _: sa.Dialect) -> datetime | None:
        """Return a moment with its time zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class AnyText(TypeDecorator[str]):
    """Text that may hold lone surrogates, as a file name that is no UTF-8 does: a JSON string.

    Neither database stores such text as it is.
    """

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _: sa.Dialect) -> str | None:
        """Return the text as ASCII."""
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: str | None, _: sa.Dialect) -> Any:
        """Return the text."""
        return None if value is None else json.loads(value)
