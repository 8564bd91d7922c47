"""Write the results as CSV."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from batchlock.core.results import ResultRow
from batchlock.report.cells import cells_of, csv_text, result_titles


def write_csv(path: Path, titles: Sequence[str], result_rows: Iterable[ResultRow]) -> None:
    """Write the results as CSV: UTF-8 with BOM, commas, CRLF.

    Text that a spreadsheet might take for a formula, or that begins with an apostrophe, gets one
    apostrophe in front. Removing one apostrophe from each such cell restores the text.
    """
    # Without the BOM, Excel reads UTF-8 as the code page of the machine.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([csv_text(title) for title in (*titles, *result_titles(titles))])
        writer.writerows(
            [csv_text(cell) for cell in cells_of(result_row)] for result_row in result_rows
        )
