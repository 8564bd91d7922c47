"""Convert a cell from a parser's form into the form that all formats share."""

from pathlib import Path

from batchlock.core.cell_text import INEXACT_FROM
from batchlock.core.rows import Cell
from batchlock.plan.read.workbook.zip_safety import damaged


def normalise_cell(path: Path, cell: Cell) -> Cell:
    """Return None for empty text, and int for a whole number.

    Raises UnreadableFile for a NUL in a text: no format can hold one, so the parser misread the
    file.
    """
    if cell == "":
        return None
    # The parsers return every number as a float. A float of 16 digits or more stays one: its type
    # tells that digits may be lost.
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < INEXACT_FROM:
        return int(cell)
    if isinstance(cell, str) and "\0" in cell:
        raise damaged(path)
    return cell
