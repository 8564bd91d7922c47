"""Result rows and the files that tests write from them."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
from python_calamine import CalamineWorkbook

from batchlock.core.results import Result, ResultRow, Summary
from batchlock.core.rows import Cell
from batchlock.report.workbook import write_workbook
from support.previews import preview

TITLES = ("Module", "Record Id", "Lock Id", "Reason")
CELLS = ("Leads", "5843104000000425565", None, "Audit")
NOON = datetime(2026, 3, 14, 12, 0, 0, tzinfo=UTC)


def naive(*parts: int) -> datetime:
    """Return a moment as cells have it: without a time zone."""
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[arg-type,misc]  # a date's


def result_row(row: int = 2, cells: Sequence[Cell] = CELLS, **changes: Any) -> ResultRow:
    """Return an updated row, with some changes."""
    return ResultRow(row=row, cells=tuple(cells), **{"result": Result.UPDATED, **changes})


def run_summary(result_rows: Sequence[ResultRow], **changes: Any) -> Summary:
    """Return the summary of a run with these rows, with some changes."""
    counts = Counter(result_row.result for result_row in result_rows)
    values: dict[str, Any] = {
        "run_id": "20260314-1200-a1b2",
        "file": "/in/locks.xlsx",
        "sheet": "Locks",
        "sha256": "ab" * 32,
        "version": "0.1.0",
        "settings": {"Org": "acme", "Environment": "production"},
        "rows": len(result_rows),
        "settled": counts[Result.UPDATED] + counts[Result.UNCHANGED],
        "counts": {result: counts[result] for result in Result},
        "causes": (),
        "started_at": NOON,
        "finished_at": NOON + timedelta(minutes=2),
        "seconds": 119.6,
        "requests": 12,
        "credits_used": 11,
        "in_flight_peak": 5,
        "preview": preview(),
    }
    return Summary(**values | changes)


def workbook_of(folder: Path, result_rows: Sequence[ResultRow], **changes: Any) -> Path:
    """Write a workbook; `changes` are titles, rows_per_sheet, or fields of the summary."""
    path = folder / "results.xlsx"
    titles = changes.pop("titles", TITLES)
    limits = {name: changes.pop(name) for name in ("rows_per_sheet",) if name in changes}
    write_workbook(path, titles, result_rows, run_summary(result_rows, **changes), **limits)
    return path


def opened(path: Path, sheet: str = "Results") -> Any:
    """Return a sheet as openpyxl reads it."""
    return openpyxl.load_workbook(path)[sheet]


def summary_texts(path: Path) -> list[str]:
    """Return the text of every cell of the summary that is not blank, row by row."""
    cells = (cell.value for row in opened(path, "Summary").iter_rows() for cell in row)
    return [str(value) for value in cells if value is not None]


def rows_of(path: Path) -> list[list[Any]]:
    """Return the results as python-calamine reads them, the titles first."""
    sheet = CalamineWorkbook.from_path(str(path)).get_sheet_by_name("Results")
    return [list(row) for row in sheet.to_python()]


def code_point(match: re.Match[str]) -> str:
    """Return a character as results show one that a file cannot hold: `[U+0000]`."""
    return f"[U+{ord(match[0]):04X}]"
