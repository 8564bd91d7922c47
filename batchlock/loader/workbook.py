"""Read a workbook: its sheets, and the rows of one of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetMetadata,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from batchlock.errors import UnreadableFile, UsageError
from batchlock.loader.header import find, refusal
from batchlock.loader.kinds import Kind
from batchlock.loader.table import Reading, Sheet
from batchlock.loader.unread import unread_cells, with_unread
from batchlock.model import Cell

_TOO_LONG = 1e15
"""From here on a number cell may have lost digits, so it keeps the type that says so."""


def open_sheet(path: Path, kind: Kind, reading: Reading) -> Sheet:
    """Find the one visible sheet that has the header, or the sheet that was asked for."""
    try:
        # By its path only a file with the usual ending is recognised.
        if path.suffix.casefold() in kind.value:
            workbook = CalamineWorkbook.from_path(path)
        else:
            with path.open("rb") as file:
                workbook = CalamineWorkbook.from_filelike(file)
        with workbook:
            sheets = [
                _sheet(path, kind, workbook.get_sheet_by_name(name), reading)
                for name in _candidates(path, workbook.sheets_metadata, reading.sheet)
            ]
    except PasswordError as error:
        raise UnreadableFile(
            f"{path.name} is protected with a password. "
            "Open it in a spreadsheet program, remove the password and save it."
        ) from error
    except CalamineError as error:
        raise UnreadableFile(
            f"{path.name} is damaged, or not a workbook of a kind that can be read. "
            "Open it in a spreadsheet program and save it as .xlsx."
        ) from error
    return _the_one(path, sheets, reading)


def _candidates(path: Path, sheets: Sequence[SheetMetadata], wanted: str | None) -> Sequence[str]:
    """Return the names of the sheets to look at: the visible ones, or the one asked for."""
    tables = [sheet for sheet in sheets if sheet.typ is SheetTypeEnum.WorkSheet]
    if wanted is not None:
        # Excel takes two names that differ only in case for the same.
        for form in (str, str.casefold):
            for sheet in tables:
                if form(sheet.name) == form(wanted):
                    return [sheet.name]
        named = ", ".join(sheet.name for sheet in tables)
        raise UsageError(f'{path.name} has no sheet "{wanted}". Its sheets are: {named}.')
    visible = [sheet.name for sheet in tables if sheet.visible is SheetVisibleEnum.Visible]
    if not visible:
        raise UnreadableFile(f"{path.name} has no visible sheet. Name one with --sheet NAME.")
    return visible


def _sheet(path: Path, kind: Kind, sheet: CalamineSheet, reading: Reading) -> Sheet:
    return Sheet(
        name=sheet.name,
        header=find(_plain_rows(sheet), reading),
        rows=lambda: with_unread(_plain_rows(sheet), unread_cells(path, kind, sheet.name)),
    )


def _the_one(path: Path, sheets: Sequence[Sheet], reading: Reading) -> Sheet:
    fitting = [sheet for sheet in sheets if not sheet.header.missing]
    if len(fitting) > 1:
        named = ", ".join(str(sheet.name) for sheet in fitting)
        raise UsageError(
            f"{path.name} has more than one sheet with such columns: {named}. "
            f'Name the right one with --sheet "{fitting[0].name}".'
        )
    best = max(
        fitting or sheets, key=lambda sheet: (len(sheet.header.fields), bool(sheet.header.titles))
    )
    name = path.name if len(sheets) == 1 else f"{path.name}, sheet {best.name}"
    if problem := refusal(name, best.header, reading):
        raise problem
    return best


def _plain_rows(sheet: CalamineSheet) -> Iterator[list[Cell]]:
    """Yield every row from the first of the sheet on, its cells from the first column on."""
    indent: list[Cell] = [None] * (sheet.start[1] if sheet.start else 0)
    for row in sheet.iter_rows():
        # Most cells are text, and nothing happens to those.
        cells = [cell if cell.__class__ is str and cell else _cell(cell) for cell in row]
        yield indent + cells if indent else cells


def _cell(cell: Cell) -> Cell:
    """Return a blank cell as None, and a whole number as one: every number comes as a float."""
    if cell == "":
        return None
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _TOO_LONG:
        return int(cell)
    return cell
