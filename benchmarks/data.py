"""Write a spreadsheet for the measurements: `python -m benchmarks.data ROWS FILE`.

Every row names another lock, with a reason of about forty characters. The same arguments write the
same file.
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

TITLES = ("Module", "Record Id", "Lock Id", "Reason")
_MODULES = ("Leads", "Deals", "Contacts", "Quotes")


def rows(count: int) -> Iterator[tuple[str, str, str, str]]:
    """Yield this many rows, without the titles."""
    for number in range(count):
        yield (
            _MODULES[number % len(_MODULES)],
            # 19 digits, as Zoho's ids have. 7919 has no factor in common with 10**12, so no two
            # rows have the same id.
            f"5843104{number * 7919 % 10**12 + 1:012d}",
            f"6843104{number * 7919 % 10**12 + 2:012d}",
            f"Contract {number} under review until audit",
        )


def write(path: Path, count: int) -> None:
    """Write `count` rows to `path`, a .csv or .xlsx."""
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(TITLES)
            writer.writerows(rows(count))
        return
    from xlsxwriter import Workbook  # type: ignore[import-untyped]  # comes without types

    with Workbook(path, {"constant_memory": True, "strings_to_numbers": False}) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate((TITLES, *rows(count))):
            sheet.write_row(row, 0, cells)


if __name__ == "__main__":
    write(Path(sys.argv[2]), int(sys.argv[1]))
