"""How a page shows a part of a long table."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

# A page of 50 rows and 12 columns stays readable, and is rendered in a few milliseconds.
PAGE_ROWS = 50
MAX_COLUMNS = 12
# Longer words are not typed by people, and each is searched for in every row.
_MAX_WORDS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOfTable:
    """Which part of a table a page shows, and which words it is searched for."""

    words: str
    total: int
    """Rows in the whole table, or those that fit the search."""
    number: int
    """Of this page, from 1."""
    page_count: int
    size: int

    @classmethod
    def requested(cls, query: Mapping[str, str], total: int, *, size: int = PAGE_ROWS) -> Self:
        """Return the page that a query names, or the nearest that exists."""
        page_count = max(1, -(-total // size))
        number = query.get("page", "1")
        # At most 7 digits, because int() of a very long text is slow.
        page_number = int(number) if re.fullmatch("[0-9]{1,7}", number) else 1
        return cls(
            words=search_words(query),
            total=total,
            number=min(max(1, page_number), page_count),
            page_count=page_count,
            size=size,
        )

    @property
    def offset(self) -> int:
        """How many rows come before this page."""
        return (self.number - 1) * self.size


def search_words(query: Mapping[str, str]) -> str:
    """Return the words that a table is searched for."""
    return query.get("words", "")[:_MAX_WORDS]
