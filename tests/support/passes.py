"""Results files that are given to batchlock again: made, edited by hand, and read once more."""

import csv
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import xlsxwriter  # type: ignore[import-untyped]  # comes without types

from batchlock.core.results import Outcome, Status
from batchlock.plan.child_main import ReadRequest, plan_file
from batchlock.report.results import write_results
from batchlock.store.journal import Journal
from support.result_rows import run_summary
from support.run_info import run_info

NOW = datetime(2026, 3, 14, tzinfo=UTC)
FORMATS = ("xlsx", "csv")


class Pass:
    """One pass of a file through plan, sending and results, in which Zoho accepts every row."""

    def __init__(self, file: Path, results: Path) -> None:
        path = results.with_suffix(".journal")
        path.unlink(missing_ok=True)
        plan_file(ReadRequest(file=file, journal=path, run_info=run_info()))
        with Journal.open(path) as journal:
            self.planned = journal.counts()
            self.problems = list(journal.problems())
            self.titles = journal.info.titles
            self.sent = {}
            while claimed := journal.commit_batch((), claim=1_000):
                self.sent.update({update.row: update for update in claimed})
                journal.commit_batch(
                    Outcome(row=update.row, status=Status.UPDATED, http_status=200, finished_at=NOW)
                    for update in claimed
                )
            self.result_rows = list(journal.result_rows())
            summary = run_summary(self.result_rows, settled=journal.settled())
            write_results(results, results.parent, self.titles, journal.result_rows, summary)


def workbook(path: Path, content: Sequence[Sequence[Any]]) -> Path:
    """Write a workbook in which text is text."""
    with xlsxwriter.Workbook(path, {"strings_to_formulas": False}) as book:
        dates = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        page = book.add_worksheet("Locks")
        for at, row in enumerate(content):
            for column, cell in enumerate(row):
                if isinstance(cell, str):
                    page.write_string(at, column, cell)
                elif isinstance(cell, (date, time, timedelta)):
                    page.write_datetime(at, column, cell, dates)
                elif cell is not None:
                    page.write(at, column, cell)
    return path


def edit(path: Path, change: Callable[[Any, dict[str, int]], None]) -> None:
    """Change the sheet of results by hand; `change` gets it and where each column is."""
    book = openpyxl.load_workbook(path)
    page = book["Results"]
    change(page, {str(cell.value): cell.column or 0 for cell in page[1]})
    book.save(path)
    book.close()


def sort_by(page: Any, column: int) -> None:
    content = [[cell.value for cell in row] for row in page.iter_rows(min_row=2)]
    content.sort(key=lambda row: str(row[column - 1]), reverse=True)
    for at, row in enumerate(content, 2):
        for position, value in enumerate(row, 1):
            cell = page.cell(at, position)
            cell.value = value
            if isinstance(value, str):
                cell.data_type = "s"


def correct(path: Path, title: str, text: str) -> None:
    """Change a cell in the third line of results by hand."""
    if path.suffix == ".xlsx":
        edit(path, lambda page, columns: page.cell(3, columns[title], text) and None)
        return
    with path.open(encoding="utf-8-sig", newline="") as file:
        content = list(csv.reader(file))
    content[2][content[0].index(title)] = text
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(content)


# A cell of a workbook, and the reason that is sent for it.
CELLS_AND_REASONS = [
    (42, "42"),
    (42.5, "42.5"),
    (0.1 + 0.2, "0.3"),
    (1e-7, "0.0000001"),
    (1e-12, "1E-12"),
    (1234567890123456, "1.23456789012346E+15"),
    (-5, "-5"),
    (True, "TRUE"),
    (date(2025, 3, 14), "2025-03-14"),
    (datetime(2025, 3, 14, 17, 5), "2025-03-14 17:05"),  # noqa: DTZ001 - cells have no time zone
    (datetime(2025, 3, 14, 17, 5, 59), "2025-03-14 17:05:59"),  # noqa: DTZ001 - the same
    (time(17, 5), "17:05"),
    ("N/A yet", "N/A yet"),
    ("NULL and void", "NULL and void"),
    ("TRUE", "TRUE"),
    ("007", "007"),
    ("=1+1", "=1+1"),
    ("'Tis", "'Tis"),
    ("'=quoted", "'=quoted"),
    ("''", "''"),
    ("-5 %", "-5 %"),
    ("+49 30 1234", "+49 30 1234"),
    ("@home", "@home"),
    ("1/2", "1/2"),
    ("2025-03-14", "2025-03-14"),
    ("1E5", "1E5"),
    ("two\nlines", "two\nlines"),
    ("two\r\nlines", "two\r\nlines"),
    ("_x000D_ <r>a</r> &amp;", "_x000D_ <r>a</r> &amp;"),
    (
        "👩\u200d🔬 e\u0301 \u202bقيد المراجعة\u202c 審査中",
        "👩\u200d🔬 e\u0301 \u202bقيد المراجعة\u202c 審査中",
    ),
]
