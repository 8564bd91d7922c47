"""How much of a table a page shows."""

import re
from collections.abc import Mapping

PAGE = 50
"""Rows on a page."""
COLUMNS = 12
"""Columns of the input on a page."""


def page_number(query: Mapping[str, str], found: int, size: int = PAGE) -> int:
    """Return which page is asked for, from 1 to the last of those that hold what was found."""
    asked = query.get("page", "1")
    last = max(1, -(-found // size))
    return min(max(1, int(asked)), last) if re.fullmatch("[0-9]{1,7}", asked) else 1
