"""Say for the rows of a text file which of them may be the rest of a cell in the row above."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from batchlock.core.rows import Cell

NumberedRow = tuple[int, Sequence[Cell]]

_SPACE_AND_DIGIT = re.compile(r"\s+'?(?:zcrm_)?[0-9]", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowAbove:
    """The filled row above a row that may be the rest of one of its cells."""

    number: int
    last_title: str
    """The title of its last cell."""
    is_whole: bool
    """Whether it has as many cells as there are titles."""
    completes: bool
    """Whether both rows together, with the two cells at the break as one, are a whole row."""
    ends_file: bool
    """Whether the row below it is one of the last rows, which all have fewer cells than titles."""


def rows_above(
    batch: Sequence[NumberedRow],
    above: NumberedRow | None,
    titles: Sequence[str],
    record_position: int,
    *,
    is_last: bool,
) -> Iterator[RowAbove | None]:
    """Yield for each row of a batch the row above it, or None for a row that has all its cells.

    A row with fewer cells than titles may be the rest of a cell, and so may one with as many or
    more where the cells begin with spaces, as in `legal, sales, finance, HR`. `above` is the row
    before the first of the batch, and `is_last` tells whether the file ends behind it.
    """
    width = len(titles)
    # In a file that has a space behind each delimiter, a space says nothing.
    is_padded = any(
        isinstance(cell, str) and _SPACE_AND_DIGIT.match(cell)
        for _, row in batch
        for cell in row[record_position : record_position + 1]
    )
    last_rows = sum(1 for _ in takewhile(lambda one: len(one[1]) < width, reversed(batch)))
    first_of_last = len(batch) - last_rows if is_last else len(batch)
    for i, (number, row) in enumerate(batch):
        is_rest = len(row) < width or (not is_padded and is_prose(row, record_position))
        if above is None or not is_rest:
            yield None
        else:
            number_above, width_above = above[0], min(len(above[1]), width)
            yield RowAbove(
                number=number_above,
                last_title=titles[width_above - 1],
                is_whole=len(above[1]) >= width,
                completes=width_above + len(row) - 1 == width,
                ends_file=i >= first_of_last,
            )
        above = number, row


def is_prose(row: Sequence[Cell], record_position: int) -> bool:
    """Tell whether the cells of a row look like parts of a sentence: with spaces between them."""
    if not 0 < record_position < len(row) or not _begins_with_space(row[record_position]):
        return False
    return sum(map(_begins_with_space, row[1:])) > 1


def _begins_with_space(cell: Cell) -> bool:
    return isinstance(cell, str) and cell[:1] in {" ", "\u00a0"} and bool(cell.strip())
