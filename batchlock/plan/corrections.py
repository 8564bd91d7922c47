"""Put the corrections of people in the place of cells, before the rows are checked."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from batchlock.core.cell_text import display_text
from batchlock.core.corrections import Correction
from batchlock.core.reading import Note

if TYPE_CHECKING:
    import pandas as pd

    from batchlock.core.rows import Cell
    from batchlock.plan.read import Table


class Corrector:
    """Corrects the chunks of one table.

    A correction is for the cell that the person saw. Where the file is read in another way now, so
    that the field is read from another column or another text stands there, the correction is not
    applied, and a note says so.
    """

    def __init__(self, corrections: Sequence[Correction], table: "Table") -> None:
        self._table = table
        self._by_row: dict[int, list[Correction]] = {}
        for one in sorted(corrections, key=lambda each: (each.row, each.field)):
            self._by_row.setdefault(one.row, []).append(one)
        self.applied: list[Correction] = []
        """Those that were applied so far, in row order."""

    def apply(self, chunk: "pd.DataFrame") -> None:
        """Replace the corrected cells of a chunk."""
        if not self._by_row:
            return
        for position, row in enumerate(chunk.index.tolist()):
            for correction in self._by_row.pop(row, ()):
                self._apply(chunk, position, correction)

    def _apply(self, chunk: "pd.DataFrame", position: int, correction: Correction) -> None:
        table, column = self._table, self._table.fields.get(correction.field)
        if (
            column is not None
            and correction.sheet == table.sheet
            and correction.column == table.titles[column]
        ):
            cells: Sequence[Cell] = chunk[column].tolist()
            if display_text(cells[position]) == correction.old:
                chunk.iloc[position, column] = correction.new or None
                self.applied.append(correction)
                return
        self._by_row.setdefault(correction.row, []).append(correction)

    def notes(self) -> Iterator[Note]:
        """Yield the note about corrections that were not applied; after the last chunk."""
        rows = sorted(self._by_row)
        if rows:
            count = sum(map(len, self._by_row.values()))
            cells = "1 correction is" if count == 1 else f"{count:,} corrections are"
            yield Note.of_rows(
                "correction_not_applied",
                f"{cells} not applied, because the file is read in another way now: from another "
                "column, or another text stands in the cell. Correct the cell again, or take the "
                "correction back.",
                rows,
            )
