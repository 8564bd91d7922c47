"""Workbooks that become far larger when they are unpacked."""

import zipfile
from pathlib import Path

from support.paths import DATA

SHEET = "xl/worksheets/sheet1.xml"
SHEET_HEAD = (
    b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
)
SHEET_TAIL = b"</sheetData></worksheet>"
MIB = 1 << 20


def write_bomb(path: Path, unit: bytes, size: int, part: str = SHEET) -> Path:
    """Write an .xlsx one part of which repeats `unit` for `size` bytes, in whole mebibytes."""
    with (
        zipfile.ZipFile(DATA / "hand-plain.xlsx") as plain,
        # Level 1 compresses repetitions as well as 9 does, and faster.
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for name in plain.namelist():
            if name != part:
                archive.writestr(name, plain.read(name))
        piece = unit * (MIB // len(unit))
        with archive.open(part, "w", force_zip64=True) as file:
            file.write(SHEET_HEAD)
            for _ in range(size // len(piece)):
                file.write(piece)
            file.write(SHEET_TAIL)
    return path
