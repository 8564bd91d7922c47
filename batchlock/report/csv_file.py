"""The results as CSV."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from batchlock.core.results import ResultRow
from batchlock.report.cells import as_csv, cells_of, our_titles


def write_csv(path: Path, titles: Sequence[str], lines: Iterable[ResultRow]) -> None:
    """Write the results as CSV that Excel opens right: UTF-8 with BOM, commas, CRLF.

    Text that a spreadsheet might take for a formula, or that begins with an apostrophe, gets one
    apostrophe in front: whoever takes one off again has the text as it was.
    """
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([as_csv(title) for title in (*titles, *our_titles(titles))])
        rows.writerows([as_csv(cell) for cell in cells_of(line)] for line in lines)
