"""Restore the cells that python-calamine shows as blank although a person sees something there.

These are errors, formulas without a stored value and, in an .ods, lengths of time. Each format
finds them in its own way. A sheet is read a second time only when its statistics say that it may
hold such a cell.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from itertools import zip_longest

from batchlock.core.rows import Cell, NoValue

Override = NoValue | time | timedelta

# One item for each cell of a row, None where the cell is read right; shorter than the row when
# nothing follows.
RowOverrides = Sequence[Override | None]

# The codes of errors in .xls and .xlsb: BErr in [MS-XLS] and [MS-XLSB].
_ERROR_NAMES = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}

# The limits of a sheet in Excel since 2007, and in LibreOffice.
MAX_ROWS, MAX_COLUMNS = 1 << 20, 1 << 14

# python-calamine holds a sheet as a rectangle with 32 bytes for each cell: 1.2 GiB of the 4 GiB
# that the process may take by default. A million rows of 38 columns fit.
MAX_CELLS = 40_000_000

# A rectangle of this size (128 MB) is always held, however few of its cells are filled.
_SMALL_SHEET_CELLS = 4_000_000

# A larger rectangle may have this many cells for each filled one. Tables are dense; a note far
# outside of a table makes a rectangle of gigabytes from a file of a few kilobytes.
_MAX_CELLS_PER_FILLED = 8

# Each text counts as often as cells show it, because every cell gets its own copy: 40,000 cells
# that share one text of 32,000 letters take 1.2 GiB from a file of a few kilobytes.
MAX_TEXT_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class SheetEntry:
    """A worksheet in the list of a workbook."""

    name: str
    part: str
    """The part that holds it."""
    visible: bool


@dataclass(frozen=True, slots=True)
class SheetStats:
    """The size of a sheet, measured before it is read."""

    rows: int = 0
    """The number of the last row with a filled cell, counted from 1."""
    columns: int = 0
    """The number of the last column with a filled cell, counted from 1."""
    needs_overrides: bool = False
    """Whether the sheet may hold cells that python-calamine shows as blank."""
    filled_cells: int | None = None
    """None where the format does not tell without reading the sheet."""
    text_bytes: int = 0
    """0 where the format does not tell without reading the sheet."""
    hides_rows: bool = False
    """Whether the sheet may hide rows."""
    usual: bool = True
    """Whether it is written as python-calamine reads it right; else nothing is measured."""

    @property
    def area(self) -> int:
        """The number of cells of the rectangle that holds the sheet."""
        return self.rows * self.columns

    @property
    def fits(self) -> bool:
        """Whether the sheet can be held in memory as a rectangle."""
        return self.area <= MAX_CELLS and self.text_bytes <= MAX_TEXT_BYTES

    @property
    def sparse(self) -> bool:
        """Whether nearly all of the rectangle would be blank cells."""
        return self.filled_cells is not None and self.area > max(
            _SMALL_SHEET_CELLS, _MAX_CELLS_PER_FILLED * self.filled_cells
        )


def error_name(code: int) -> str:
    """Return what a spreadsheet shows for the code of an error; Excel adds errors with time."""
    return _ERROR_NAMES.get(code, "#N/A")


def with_overrides(
    rows: Iterable[Sequence[Cell]], overrides: Iterable[RowOverrides]
) -> Iterator[Sequence[Cell]]:
    """Yield the rows with each override in the place of the blank cell.

    Both start at row 1. There may be overrides below the last row and right of the last cell.
    """
    for row, row_overrides in zip_longest(rows, overrides, fillvalue=()):
        if not any(row_overrides):
            yield row
            continue
        cells = [*row, *[None] * (len(row_overrides) - len(row))]
        for column, override in enumerate(row_overrides):
            # XlsxWriter and Perl's writers store 0 for a formula, since they calculate none.
            if override is not None and cells[column] in (None, 0):
                cells[column] = override
        yield cells
