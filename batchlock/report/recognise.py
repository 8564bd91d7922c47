"""Tell a results file of batchlock from a file of somebody else, which is not to be overwritten."""

import csv
import io
import re
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from batchlock.core.errors import UsageError
from batchlock.core.records import LOCK_TITLES

# A results file always has these two; `plan.read.header` knows one by the same two.
_TITLES_OF_RESULTS = {"Result", "Row check"}
_TITLES_OF_LOCKS = {*LOCK_TITLES}
# What `report.cells` appends to a title that the input has too.
_SUFFIX = " (batchlock)"
# Characters. Far more than a line of titles has, and a larger file is not read to its end.
_MOST_OF_A_HEADER = 1 << 20
# Spreadsheet programs keep these two properties when they save the workbook; see
# `report.workbook`. The author alone would be true of a template that somebody has filled in.
_AUTHOR = re.compile(r"<dc:creator>batchlock [^<]*</dc:creator>")
_TITLE = re.compile(r"<dc:title>(Results|Check|Locks) of ")


def may_be_replaced(path: Path) -> bool:
    """Return whether no file of somebody else is at `path`: none at all, or results of batchlock.

    A file that cannot be read is somebody else's.
    """
    if not path.is_file():
        return True
    try:
        return _is_results_workbook(path) or _is_results_csv(path)
    except OSError:
        return False


def refuse_to_replace(path: Path) -> None:
    """Raise UsageError when a file of somebody else is at `path`."""
    if not may_be_replaced(path):
        raise UsageError(
            f"{path} is there already, and is not a results file of batchlock. Name another file "
            "with --output, or add --overwrite to replace it."
        )


def _is_results_workbook(path: Path) -> bool:
    try:
        with ZipFile(path) as workbook, workbook.open("docProps/core.xml") as part:
            properties = part.read(_MOST_OF_A_HEADER).decode(errors="replace")
    except (BadZipFile, KeyError, ValueError, NotImplementedError, RuntimeError, EOFError):
        return False  # no workbook, or one of a program that writes no properties
    return bool(_AUTHOR.search(properties) and _TITLE.search(properties))


def _is_results_csv(path: Path) -> bool:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = file.read(_MOST_OF_A_HEADER)
    # Excel saves a CSV file again with the semicolon in half of Europe.
    for delimiter in (",", ";", "\t"):
        try:
            titles = next(csv.reader(io.StringIO(header, newline=""), delimiter=delimiter), [])
        except csv.Error:
            continue
        ours = {title.strip().removesuffix(_SUFFIX) for title in titles}
        if ours >= _TITLES_OF_RESULTS or ours >= _TITLES_OF_LOCKS:
            return True
    return False
