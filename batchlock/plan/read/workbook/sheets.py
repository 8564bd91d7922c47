"""Read a workbook: its sheets, and the rows of one of them.

An .xls is read by xlrd (see `xls`), everything else by python-calamine, after a survey of each
sheet. Only an .xlsx with cells far outside its table, or with more text than can be held, is read
by openpyxl: python-calamine holds a sheet as a rectangle, openpyxl holds one row at a time.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime, time
from functools import partial
from pathlib import Path
from typing import Any

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from batchlock.core.errors import UnreadableFile, UsageError
from batchlock.core.rows import Cell, NoValue
from batchlock.plan.read.cells import normalise_cell
from batchlock.plan.read.detect import FileKind
from batchlock.plan.read.header import find_header, header_error
from batchlock.plan.read.table import ReadOptions, RowSource, Sheet, SheetHandle
from batchlock.plan.read.workbook import ods, xls, xlsb, xlsx
from batchlock.plan.read.workbook.no_value import LARGEST, with_unread
from batchlock.plan.read.workbook.zip_safety import (
    Package,
    damaged,
    opened,
    protected,
    too_sparse,
    zip_bomb,
)

Inside = xlsx.Xlsx | xlsb.Xlsb | ods.Ods

_INSIDE: Mapping[FileKind, Callable[[Package], Inside]] = {
    FileKind.XLSX: xlsx.opened,
    FileKind.XLSB: xlsb.opened,
    FileKind.ODS: ods.opened,
}


def open_sheet(path: Path, kind: FileKind, options: ReadOptions) -> Sheet:
    """Find the one visible sheet that has the header, or the sheet that was asked for."""
    with nullcontext(xls.tabs(path)) if kind is FileKind.XLS else _zipped(path, kind) as tabs:
        sheets: list[Sheet] = []
        for tab in _candidates(path, tabs, options.sheet):
            rows = tab.open()
            header = find_header(rows(), options)
            # A sheet that cannot be the one is held no longer, since it may be large.
            held = not header.missing and all(sheet.header.missing for sheet in sheets)
            sheets.append(Sheet(name=tab.name, header=header, rows=rows if held else _let_go))
            del rows
    return _the_one(path, sheets, options)


def _let_go() -> Iterator[Sequence[Cell]]:
    raise AssertionError("no one reads a sheet that was not chosen")


@contextmanager
def _zipped(path: Path, kind: FileKind) -> Iterator[Sequence[SheetHandle]]:
    """Open a zipped workbook for as long as its sheets are being opened."""
    inside = _INSIDE[kind](opened(path))
    with _readable(path):
        if not isinstance(inside, xlsb.Xlsb) and inside.needs_rewrite:
            workbook = CalamineWorkbook.from_filelike(inside.normalised())
        # By its path only a file with the usual ending is recognised.
        elif path.suffix.casefold() in kind.value:
            workbook = CalamineWorkbook.from_path(path)
        else:
            with path.open("rb") as file:
                workbook = CalamineWorkbook.from_filelike(file)
    with workbook:
        yield [
            SheetHandle(
                name=sheet.name,
                visible=sheet.visible is SheetVisibleEnum.Visible,
                open=partial(_open, path, workbook, inside, sheet.name),
            )
            for sheet in workbook.sheets_metadata
            if sheet.typ is SheetTypeEnum.WorkSheet
        ]


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except PasswordError as error:
        raise protected(path) from error
    except CalamineError as error:
        raise damaged(path) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise damaged(path) from error  # a part ends before it should


def _candidates(
    path: Path, tabs: Sequence[SheetHandle], wanted: str | None
) -> Sequence[SheetHandle]:
    """Return the sheets to look at: the visible ones, or the one asked for."""
    if wanted is not None:
        # Excel takes two names that differ only in case for the same.
        for form in (str, str.casefold):
            for tab in tabs:
                if form(tab.name) == form(wanted):
                    return [tab]
        named = ", ".join(tab.name for tab in tabs)
        raise UsageError(
            f'{path.name} has no sheet "{wanted}". Its sheets are: {named}.',
            sheets=[tab.name for tab in tabs],
        )
    visible = [tab for tab in tabs if tab.visible]
    if not visible:
        raise UnreadableFile(
            f"{path.name} has no visible sheet. Name one with --sheet NAME.",
            sheets=[tab.name for tab in tabs],
        )
    return visible


def _the_one(path: Path, sheets: Sequence[Sheet], options: ReadOptions) -> Sheet:
    fitting = [sheet for sheet in sheets if not sheet.header.missing]
    if len(fitting) > 1:
        named = ", ".join(str(sheet.name) for sheet in fitting)
        raise UsageError(
            f"{path.name} has more than one sheet with such columns: {named}. "
            f'Name the right one with --sheet "{fitting[0].name}".',
            sheets=[str(sheet.name) for sheet in fitting],
        )
    best = max(
        fitting or sheets, key=lambda sheet: (len(sheet.header.fields), bool(sheet.header.titles))
    )
    name = path.name if len(sheets) == 1 else f"{path.name}, sheet {best.name}"
    if problem := header_error(name, best.header, options):
        raise problem
    return best


def _open(path: Path, workbook: CalamineWorkbook, inside: Inside, name: str) -> RowSource:
    """Survey a sheet, and hold it in memory when that is not too much."""
    survey = inside.survey(name)
    one_by_one = isinstance(inside, xlsx.Xlsx) and not inside.strict and not inside.needs_rewrite
    if one_by_one and (survey.sparse or not survey.fits):
        held = partial(_rows_one_by_one, path, name)
    elif survey.fits:
        with _readable(path):
            held = partial(_rows, path, workbook.get_sheet_by_name(name))
    elif survey.area > LARGEST:
        raise too_sparse(path, name, survey.rows, survey.columns)
    else:
        raise zip_bomb(path)
    if not survey.unread:
        return held
    return lambda: with_unread(held(), inside.marks(name))


def _rows(path: Path, sheet: CalamineSheet) -> Iterator[Sequence[Cell]]:
    """Yield every row from the first of the sheet on, its cells from the first column on."""
    indent: list[Cell] = [None] * (sheet.start[1] if sheet.start else 0)
    for row in sheet.iter_rows():
        # Most cells are text, and nothing happens to those.
        cells = [
            cell
            if cell.__class__ is str and cell and "\0" not in cell
            else normalise_cell(path, cell)
            for cell in row
        ]
        yield indent + cells if indent else cells


def _rows_one_by_one(path: Path, name: str) -> Iterator[Sequence[Cell]]:
    """Yield the same with openpyxl, which holds one row at a time: slow, in little memory."""
    from openpyxl import load_workbook
    from openpyxl.utils.escape import unescape

    def plain(cell: Any) -> Cell:
        """Return what python-calamine would give for it."""
        value = cell.value
        if cell.data_type == "e":
            return NoValue(str(value))
        if isinstance(value, datetime) and value.time() == time():
            return value.date()
        assert value is None or isinstance(value, Cell)
        return unescape(value) if isinstance(value, str) else value

    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about drawings and the like
        try:
            sheet = load_workbook(file, read_only=True, data_only=True, keep_links=False)[name]
            sheet.reset_dimensions()  # what a file says of its size is not always so
            for row in sheet.iter_rows():
                yield [normalise_cell(path, plain(cell)) for cell in row]
        except UnreadableFile:
            raise
        except Exception as error:  # it answers an odd file with any exception
            raise damaged(path) from error
