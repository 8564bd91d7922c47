"""Read the first sheet of a workbook with batchlock, and compare it with another reading."""

from contextlib import nullcontext
from datetime import date, time, timedelta
from itertools import islice, zip_longest
from pathlib import Path

from batchlock.core.errors import BatchlockError
from batchlock.core.rows import NoValue
from batchlock.plan.read.detect import FileKind, detect_kind
from batchlock.plan.read.workbook import xls
from batchlock.plan.read.workbook.zipped import open_zipped

Rows = list[list[str]]
Reading = tuple[str, Rows] | str
"""The name and rows of the first worksheet, or the message of a refusal."""

ANY = "\0any"
"""A cell that is not compared: programs show dates, errors and truth values in many ways."""

MAX_ROWS = 3_000
"""A mutant with more rows has a number changed into one of a row far away."""


def read_with_batchlock(path: Path) -> Reading:
    """Return the name and rows of the first worksheet, or the message of a refusal."""
    try:
        kind = detect_kind(path)
        if kind is None or kind is FileKind.ARCHIVE:
            return "no workbook"
        opened = (
            nullcontext(xls.sheet_handles(path))
            if kind is FileKind.XLS
            else open_zipped(path, kind)
        )
        with opened as handles:
            if not handles:
                return f"{path.name} has no sheets"
            handle = handles[0]
            rows = [[shown(cell) for cell in row] for row in islice(handle.open()(), MAX_ROWS)]
            for _ in islice(handle.hidden_rows(), MAX_ROWS):
                pass
    except BatchlockError as error:
        return str(error)
    except MemoryError:  # batchlock says that the file takes too much
        return "too much memory"
    return handle.name, trimmed(rows)


def trimmed(rows: Rows) -> Rows:
    """Return rows without blank cells and rows at their ends; white space is not compared."""
    result = []
    for row in rows:
        cells = [cell.strip().replace("\r\n", "\n").replace("\r", "\n") for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        result.append(cells)
    while result and not result[-1]:
        result.pop()
    return result


def differences(first: Rows, second: Rows) -> set[tuple[str, str]]:
    """Return the pairs of cells that two readings show differently."""
    pairs = set()
    blank: list[str] = []
    for one, two in zip_longest(first, second, fillvalue=blank):
        for cell, other in zip_longest(one, two, fillvalue=""):
            # What is not compared must be there all the same.
            same = cell != "" if other == ANY else cell in (ANY, other)
            if not same and not _same_number(cell, other):
                pairs.add((cell, other))
    return pairs


def _same_number(cell: str, other: str) -> bool:
    try:
        return abs(float(cell) - float(other)) <= 1e-9 * abs(float(cell))
    except ValueError:
        return False


def shown(cell: object) -> str:
    """Return a cell of any reader as text."""
    match cell:
        case None:
            return ""
        case NoValue() | bool() | date() | time() | timedelta():
            return ANY
        case str():
            return ANY if cell.startswith("#") else cell
        case _:
            return str(cell)
