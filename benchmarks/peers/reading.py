"""Read a file to its end with one library and nothing else: LIBRARY FILE."""

import sys
from collections.abc import Callable


def calamine(file: str) -> int:
    """Read a workbook with python-calamine."""
    from python_calamine import CalamineWorkbook

    return sum(1 for _ in CalamineWorkbook.from_path(file).get_sheet_by_index(0).iter_rows())


def csv_reader(file: str) -> int:
    """Read a text file with csv.reader."""
    import csv
    from pathlib import Path

    with Path(file).open(newline="") as source:
        return sum(1 for _ in csv.reader(source))


def pandas(file: str) -> int:
    """Read a workbook with pandas and openpyxl."""
    import pandas as pd

    return len(pd.read_excel(file, dtype=str, engine="openpyxl")) + 1


LIBRARIES: dict[str, Callable[[str], int]] = {
    "calamine": calamine,
    "csv_reader": csv_reader,
    "pandas": pandas,
}

if __name__ == "__main__":
    print(LIBRARIES[sys.argv[1]](sys.argv[2]))
