"""Bring a cell that a library has read into the form in which it travels."""

from pathlib import Path

from batchlock.core.cell_text import INEXACT_FROM
from batchlock.core.rows import Cell
from batchlock.plan.read.workbook.zip_safety import damaged


def normalise_cell(path: Path, cell: Cell) -> Cell:
    """Return a blank cell as None, and a whole number as one: every number comes as a float.

    Refuses the file when there is a NUL in the cell: none can hold one, so it was read wrong.
    """
    if cell == "":
        return None
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < INEXACT_FROM:
        return int(cell)  # a longer one keeps the type that says that digits may be lost
    if isinstance(cell, str) and "\0" in cell:
        raise damaged(path)
    return cell
