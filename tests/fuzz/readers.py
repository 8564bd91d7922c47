"""Read the first sheet of a workbook with batchlock, and with other programs."""

import csv
import io
import resource
import shutil
import subprocess
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import date, time, timedelta
from functools import partial
from itertools import islice, zip_longest
from pathlib import Path

import openpyxl
from python_calamine import CalamineWorkbook

from batchlock.core.errors import BatchlockError
from batchlock.core.rows import NoValue
from batchlock.plan.read.detect import FileKind, detect_kind
from batchlock.plan.read.workbook import xls
from batchlock.plan.read.workbook.zipped import open_zipped

Rows = list[list[str]]
# A cell that is not compared: programs show dates, errors and truth values in many ways.
ANY = "\0any"
# A mutant with more rows has a number changed into one of a row far away.
_MAX_ROWS, _MAX_COLUMNS = 3_000, 300


def read_with_batchlock(path: Path) -> tuple[str, Rows] | str:
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
            rows = [[_shown(cell) for cell in row] for row in islice(handle.open()(), _MAX_ROWS)]
            for _ in islice(handle.hidden_rows(), _MAX_ROWS):
                pass
    except BatchlockError as error:
        return str(error)
    return handle.name, trimmed(rows)


def read_with_openpyxl(path: Path) -> Mapping[str, Rows]:
    """Return the rows of each sheet; nothing when openpyxl cannot read it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(io.BytesIO(path.read_bytes()), data_only=True)
            return {
                sheet.title: trimmed(
                    [[_shown(cell) for cell in row] for row in islice(sheet.values, _MAX_ROWS)]
                )
                for sheet in book.worksheets
            }
    except Exception:  # openpyxl raises any exception for an odd file
        return {}


def read_with_calamine(path: Path, reading: tuple[str, Rows] | str) -> Mapping[str, Rows]:
    """Return the rows of each sheet; nothing when python-calamine cannot read it.

    A sheet that reaches far is left out, because it would take more memory than there is.
    """
    if isinstance(reading, str) or max(map(len, reading[1]), default=0) > _MAX_COLUMNS:
        return {}
    try:
        with CalamineWorkbook.from_path(path) as book:
            return {
                name: trimmed(
                    [
                        [_shown(cell) for cell in row]
                        for row in book.get_sheet_by_name(name).to_python(skip_empty_area=False)
                    ]
                )
                for name in book.sheet_names
            }
    except BaseException:  # a panic is no Exception
        return {}


def convert_with_libreoffice(folder: Path, files: Sequence[Path]) -> None:
    """Write the sheets of workbooks as CSV files into a folder, if LibreOffice is installed."""
    if not files or shutil.which("soffice") is None:
        return
    options = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,-1"
    command = ["soffice", "--headless", f"-env:UserInstallation=file://{folder}/profile"]
    command += ["--convert-to", options, "--outdir", str(folder), *map(str, files)]
    try:
        subprocess.run(
            command,
            capture_output=True,
            check=False,
            timeout=20 + 2 * len(files),
            # The limit of this process is for batchlock.
            preexec_fn=partial(resource.setrlimit, resource.RLIMIT_AS, (-1, -1)),
        )
    except subprocess.TimeoutExpired:
        return


def read_sheets(folder: Path, path: Path) -> Mapping[str, Rows]:
    """Return the rows of each sheet of a workbook that LibreOffice has written as CSV."""
    sheets = {}
    for file in folder.glob(f"{path.stem}-*.csv"):
        with file.open(encoding="utf-8", newline="") as text:
            rows = [list(row) for row in islice(csv.reader(text), _MAX_ROWS)]
        sheets[file.stem.removeprefix(f"{path.stem}-")] = trimmed(rows)
    return sheets


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
            if ANY not in (cell, other) and cell != other and not _same_number(cell, other):
                pairs.add((cell, other))
    return pairs


def _same_number(cell: str, other: str) -> bool:
    try:
        return abs(float(cell) - float(other)) <= 1e-9 * abs(float(cell))
    except ValueError:
        return False


def _shown(cell: object) -> str:
    match cell:
        case None:
            return ""
        case NoValue() | bool() | date() | time() | timedelta():
            return ANY
        case str():
            return ANY if cell.startswith("#") else cell
        case _:
            return str(cell)
