"""Put the cells that python-calamine shows as blank, and a person does not, back in their place.

They are errors, formulas that no program has worked out yet, and in an .ods lengths of time. Each
format has its own way to find them; only a sheet in which a quick look found such a cell is read a
second time.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from itertools import zip_longest

from batchlock.core.rows import Cell, NoValue

Mark = NoValue | time | timedelta

Marks = Sequence[Mark | None]
"""One for each cell of a row; None where nothing is wrong."""

ERRORS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}
"""The errors of the binary formats by their codes."""

LAST_ROW, LAST_COLUMN = 1 << 20, 1 << 14
"""The limits of a sheet, which all formats share."""


LARGEST = 40_000_000
"""Cells of the rectangle that a sheet is held in, 32 bytes each."""
_SMALL = 4_000_000
_SPARSE = 8
"""How many cells of a rectangle beyond `_SMALL` there may be for each one that holds something."""
MOST_TEXT = 1 << 30
"""Bytes, each text counted as often as it is shown: every cell gets its own copy."""


@dataclass(frozen=True, slots=True)
class SheetStats:
    """What a sheet holds, found before it is read; rows and columns count from 1."""

    rows: int = 0
    """Up to the last cell that is not blank; so too the columns."""
    columns: int = 0
    unread: bool = False
    """Whether there may be errors or formulas without a value."""
    cells: int | None = None
    """How many are not blank, where it is known."""
    text: int = 0
    """Bytes of text, where it is known."""

    @property
    def area(self) -> int:
        """The cells of the rectangle that holds the sheet."""
        return self.rows * self.columns

    @property
    def fits(self) -> bool:
        """Whether the sheet can be held in memory as a rectangle."""
        return self.area <= LARGEST and self.text <= MOST_TEXT

    @property
    def sparse(self) -> bool:
        """Whether holding it would take memory for next to nothing."""
        return self.cells is not None and self.area > max(_SMALL, _SPARSE * self.cells)


def with_unread(rows: Iterable[Sequence[Cell]], marks: Iterable[Marks]) -> Iterator[Sequence[Cell]]:
    """Put the marks in the place of the blanks, beyond the last row too."""
    for row, marked in zip_longest(rows, marks, fillvalue=()):
        if not any(marked):
            yield row
            continue
        cells = [*row, *[None] * (len(marked) - len(row))]
        for at, mark in enumerate(marked):
            # A writer that leaves formulas to be worked out may store 0 for their value.
            if mark is not None and cells[at] in (None, 0):
                cells[at] = mark
        yield cells
