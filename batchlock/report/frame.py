"""The results of a run, or of a check, as a pandas DataFrame."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from batchlock.core.results import ResultRow
from batchlock.report.cells import cells_of, result_titles

if TYPE_CHECKING:
    import pandas as pd

    from batchlock.core.rows import Cell


def results_frame(titles: Sequence[str], rows: Iterable[ResultRow]) -> "pd.DataFrame":
    """Return the columns of the input and those of batchlock, one line for each row.

    The index is the row number in the file. Cells are Python objects; a blank cell is None.
    """
    import pandas as pd

    numbers: list[int] = []
    cells: list[tuple[Cell, ...]] = []
    for row in rows:
        numbers.append(row.row)
        cells.append(cells_of(row))
    columns = [*titles, *result_titles(titles)]
    return pd.DataFrame(cells, index=numbers, columns=columns, dtype=object)
