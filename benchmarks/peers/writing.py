"""Write the lines of a results CSV as a bare workbook: LIBRARY RESULTS WORKBOOK."""

import csv
import sys
from collections.abc import Callable, Iterator
from pathlib import Path


def lines(results: str) -> Iterator[list[str | int]]:
    """Yield the lines, numbers as numbers where batchlock writes them so."""
    with Path(results).open(encoding="utf-8-sig", newline="") as source:
        rows = csv.reader(source)
        titles = next(rows)
        yield list(titles)
        numbers = [titles.index(one) for one in ("HTTP status", "Attempts", "Duration ms")]
        for row in rows:
            line: list[str | int] = list(row)
            for position in numbers:
                line[position] = int(row[position] or 0)
            yield line


def openpyxl(results: str, workbook: str) -> None:
    """Write with openpyxl in write-only mode."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Results")
    for line in lines(results):
        sheet.append(line)
    book.save(workbook)


def xlsxwriter(results: str, workbook: str) -> None:
    """Write with XlsxWriter in constant memory."""
    from xlsxwriter import Workbook  # type: ignore[import-untyped]  # comes without types

    with Workbook(workbook, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("Results")
        for row, line in enumerate(lines(results)):
            for column, cell in enumerate(line):
                # Not sheet.write(), which would make formulas and links of text.
                if isinstance(cell, str):
                    sheet.write_string(row, column, cell)
                else:
                    sheet.write_number(row, column, cell)


LIBRARIES: dict[str, Callable[[str, str], None]] = {"openpyxl": openpyxl, "xlsxwriter": xlsxwriter}

if __name__ == "__main__":
    LIBRARIES[sys.argv[1]](sys.argv[2], sys.argv[3])
