"""Cells as a file can hold them."""

import math
import re
from collections.abc import Iterable
from datetime import UTC

from batchlock.core.cell_text import INEXACT_FROM, display_text
from batchlock.core.results import RESULT_TITLES, ResultRow
from batchlock.core.rows import Cell

UNITS_A_CELL = 32_767  # Excel's limit, in UTF-16 units
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LIKE_A_FORMULA = ("=", "+", "-", "@", "'", "\t", "\r")


def our_titles(titles: Iterable[str]) -> list[str]:
    """Return the titles of our columns; those that the input has as well are marked as ours."""
    taken = {title.strip().casefold() for title in titles}
    ours = []
    for title in RESULT_TITLES:
        while title.casefold() in taken:
            title += " (batchlock)"
        ours.append(title)
    return ours


def cut(text: str) -> str:
    """Return text as far as a cell can hold it."""
    units = text.encode("utf-16-le")
    if len(units) <= 2 * UNITS_A_CELL:
        return text
    return units[: 2 * (UNITS_A_CELL - 1)].decode("utf-16-le", "ignore") + "…"


def legible(text: str) -> str:
    """Return text that a file can hold: what it cannot hold is shown as `[U+0000]`."""
    return _UNWRITABLE.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def cells_of(line: ResultRow) -> tuple[Cell, ...]:
    """Return a line's cells: the input's, then ours."""
    at, spent = line.finished_at, line.duration
    return (
        *line.cells,
        line.result.value,
        line.http_status,
        line.code,
        line.message,
        line.remedy,
        line.attempts,
        None
        if at is None
        else f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z",
        None if spent is None else round(spent * 1000),
        line.row,
        line.check,
    )


def is_exact(number: float) -> bool:
    """Say whether a number cell holds every digit of a number."""
    return -INEXACT_FROM < number < INEXACT_FROM


def as_csv(cell: Cell) -> str:
    """Return a cell as it stands in a CSV file."""
    if isinstance(cell, str) and cell.isprintable():  # nearly all, so this has to be quick
        return f"'{cell}" if cell.startswith(_LIKE_A_FORMULA) else cell
    text = legible(display_text(cell))
    is_number = isinstance(cell, int | float) and math.isfinite(cell)
    return f"'{text}" if text.startswith(_LIKE_A_FORMULA) and not is_number else text
