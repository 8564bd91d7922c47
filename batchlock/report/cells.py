"""The cells of a result row, and the text of a cell as a file can hold it."""

import math
import re
from collections.abc import Iterable
from datetime import UTC

from batchlock.core.cell_text import INEXACT_FROM, display_text
from batchlock.core.results import RESULT_TITLES, ResultRow
from batchlock.core.rows import Cell

# Excel's limit for the text of one cell. It counts UTF-16 units, so an emoji counts twice.
MAX_CELL_UNITS = 32_767

# XML 1.0 has no way to write these, and Excel calls a workbook with one of them damaged: control
# characters other than tab, LF and CR, single surrogates, and the two non-characters of the BMP.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

# A spreadsheet takes the text of a CSV cell for a formula after any of the first four. Tab and CR
# are dropped on opening, so they can hide one. The apostrophe is here because it is our mark: a
# text that begins with one must get a second, or it would lose its own when ours is removed.
_FORMULA_PREFIXES = ("=", "+", "-", "@", "'", "\t", "\r")


def result_titles(titles: Iterable[str]) -> list[str]:
    """Return the titles of the columns that batchlock adds to the columns `titles` of the input.

    A title that the input has already gets ` (batchlock)` appended, more than once if need be.
    """
    in_use = {title.strip().casefold() for title in titles}
    added = []
    for title in RESULT_TITLES:
        while title.casefold() in in_use:
            title += " (batchlock)"
        added.append(title)
    return added


def truncated(text: str) -> str:
    """Return as much of a text as one cell can hold; `…` marks that the end is missing."""
    units = text.encode("utf-16-le")
    if len(units) <= 2 * MAX_CELL_UNITS:
        return text
    # "ignore" drops half a surrogate pair where the limit falls between the two halves.
    return units[: 2 * (MAX_CELL_UNITS - 1)].decode("utf-16-le", "ignore") + "…"


def writable(text: str) -> str:
    """Return a text with each character that no file can hold replaced by `[U+0000]`."""
    return _UNWRITABLE.sub(lambda match: f"[U+{ord(match[0]):04X}]", text)


def cells_of(result_row: ResultRow) -> tuple[Cell, ...]:
    """Return the cells of the input, then those for RESULT_TITLES in their order."""
    finished_at, duration = result_row.finished_at, result_row.duration
    return (
        *result_row.cells,
        result_row.result.value,
        result_row.http_status,
        result_row.code,
        _message_of(result_row),
        result_row.previous_reason,
        result_row.remedy,
        result_row.attempts,
        None
        if finished_at is None
        else f"{finished_at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z",
        None if duration is None else round(duration * 1000),
        result_row.row,
        result_row.checksum,
    )


def _message_of(result_row: ResultRow) -> str:
    return "\n".join(text for text in (result_row.message, result_row.corrections) if text)


def is_exact(number: float) -> bool:
    """Say whether a number cell holds every digit of the number."""
    return -INEXACT_FROM < number < INEXACT_FROM


def csv_text(cell: Cell) -> str:
    """Return the text of a cell in a CSV file.

    Text that a spreadsheet might take for a formula gets an apostrophe in front.
    """
    # Nearly all cells are printable text. They need neither of the conversions below.
    if isinstance(cell, str) and cell.isprintable():
        return f"'{cell}" if cell.startswith(_FORMULA_PREFIXES) else cell
    text = writable(display_text(cell))
    is_number = isinstance(cell, int | float) and math.isfinite(cell)
    return f"'{text}" if text.startswith(_FORMULA_PREFIXES) and not is_number else text
