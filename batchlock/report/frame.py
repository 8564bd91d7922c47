"""The results of a run, or of a check, as a pandas DataFrame; a DataFrame as the file of a run."""

import csv
import hashlib
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchlock.core.results import ResultRow
from batchlock.report.cells import cells_of, result_titles

if TYPE_CHECKING:
    import pandas as pd

    from batchlock.core.rows import Cell

# Above this number a float does not hold every whole number, so it may be a rounded id. Written as
# a float, it is refused as one.
_LARGEST_EXACT_FLOAT = 2**53


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


@contextmanager
def frame_file(frame: "pd.DataFrame") -> Iterator[Path]:
    """Write a frame as CSV in a temporary folder, which is removed at the end.

    Equal frames become equal files of the same name, so that an unfinished run is found again. The
    run keeps the cells in its journal, and does not need the file later.
    """
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow([str(title) for title in frame.columns])
    # Objects, because a row of numbers of several types would become one of floats.
    for row in frame.astype(object).itertuples(index=False, name=None):
        writer.writerow([_cell_text(cell) for cell in row])
    content = text.getvalue().encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(content).hexdigest()
    # A folder for each call: two calls with the same frame must not remove each other's file.
    with tempfile.TemporaryDirectory(prefix="batchlock-") as folder:
        file = Path(folder) / f"frame-{digest[:8]}.csv"
        file.write_bytes(content)
        yield file


def _cell_text(cell: Any) -> str:
    """Return a cell as text; a missing value is blank."""
    import pandas as pd

    if isinstance(cell, str):
        return cell
    if pd.api.types.is_scalar(cell) and pd.isna(cell):
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _LARGEST_EXACT_FLOAT:
        return str(int(cell))
    return str(cell)
