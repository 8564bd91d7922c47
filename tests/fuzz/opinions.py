"""Read the sheets of a workbook with other programs than batchlock.

Each function returns the rows of each sheet, and nothing when the program refuses the file.
"""

import csv
import io
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path

import openpyxl
import pandas as pd
from python_calamine import CalamineWorkbook

from fuzz.readers import MAX_ROWS, Rows, shown, trimmed

Sheets = Mapping[str, Rows]

_CONVERTED_AT_ONCE = 40
# Settings of LibreOffice, which takes seconds to write them.
_PROFILE = tempfile.TemporaryDirectory()
# A sheet that reaches further is not compared; python-calamine holds all of its rectangle.
_MAX_COLUMNS = 300


def with_openpyxl(path: Path) -> Sheets:
    """Read an .xlsx; batchlock reads most of them with python-calamine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(io.BytesIO(path.read_bytes()), data_only=True)
    return {
        sheet.title: trimmed(
            [[shown(cell) for cell in row] for row in islice(sheet.values, MAX_ROWS)]
        )
        for sheet in book.worksheets
    }


def with_calamine(path: Path) -> Sheets:
    """Read an .xls, which batchlock reads with xlrd, or an .xlsb, which it reads itself."""
    with CalamineWorkbook.from_path(path) as book:
        return {name: _calamine_rows(book, name) for name in book.sheet_names}


def _calamine_rows(book: CalamineWorkbook, name: str) -> Rows:
    sheet = book.get_sheet_by_name(name)
    if sheet.width > _MAX_COLUMNS:
        raise ValueError("a sheet that reaches far")
    rows = islice(sheet.to_python(skip_empty_area=False), MAX_ROWS)
    return trimmed([[shown(cell) for cell in row] for row in rows])


def with_odfpy(path: Path) -> Sheets:
    """Read an .ods with pandas, which uses odfpy."""
    frames = pd.read_excel(
        path, engine="odf", sheet_name=None, header=None, dtype=object, na_filter=False
    )
    return {
        str(name): trimmed(
            [
                [shown(cell) for cell in row]
                for row in islice(frame.itertuples(index=False), MAX_ROWS)
            ]
        )
        for name, frame in frames.items()
    }


READERS: Mapping[str, Callable[[Path], Sheets]] = {
    ".xlsx": with_openpyxl,
    ".xlsb": with_calamine,
    ".xls": with_calamine,
    ".ods": with_odfpy,
}


def convert_with_libreoffice(folder: Path, files: Sequence[Path]) -> None:
    """Write the sheets of workbooks as CSV files into a folder, if LibreOffice is installed."""
    if shutil.which("soffice") is None:
        return
    for start in range(0, len(files), _CONVERTED_AT_ONCE):
        rest = [*files[start : start + _CONVERTED_AT_ONCE]]
        while rest and not _convert(folder, rest):
            # A crash loses what follows in the same call.
            done = [at for at, path in enumerate(rest) if any(folder.glob(f"{path.stem}-*.csv"))]
            rest = rest[max(done, default=-1) + 2 :]


def _convert(folder: Path, files: Sequence[Path]) -> bool:
    options = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,-1"
    command = ["soffice", "--headless", f"-env:UserInstallation=file://{_PROFILE.name}"]
    command += ["--convert-to", options, "--outdir", str(folder), *map(str, files)]
    try:
        finished = subprocess.run(
            command, capture_output=True, check=False, timeout=20 + 2 * len(files)
        )
    except subprocess.TimeoutExpired:
        return False
    return finished.returncode == 0


def with_libreoffice(folder: Path, path: Path) -> Sheets:
    """Read the CSV files into which a workbook was converted."""
    sheets = {}
    for file in folder.glob(f"{path.stem}-*.csv"):
        with file.open(encoding="utf-8", newline="") as text:
            rows = [list(row) for row in islice(csv.reader(text), MAX_ROWS)]
        sheets[file.stem.removeprefix(f"{path.stem}-")] = trimmed(rows)
    return sheets
