"""Choose the sheet of a workbook that holds the table, and read its rows.

xlrd reads an .xls (see `xls`). python-calamine reads everything else, after each sheet has been
measured. openpyxl reads only an .xlsx with cells far outside its table or with too much text:
python-calamine holds a sheet as a rectangle, openpyxl holds one row at a time.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime, time
from functools import cache, partial
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
from batchlock.plan.read.workbook.no_value import MAX_CELLS, SheetStats, with_overrides
from batchlock.plan.read.workbook.zip_safety import (
    Package,
    damaged,
    open_package,
    protected,
    too_sparse,
    zip_bomb,
)

ZippedWorkbook = xlsx.Xlsx | xlsb.Xlsb | ods.Ods

_OPENERS: Mapping[FileKind, Callable[[Package], ZippedWorkbook]] = {
    FileKind.XLSX: xlsx.open_workbook,
    FileKind.XLSB: xlsb.open_workbook,
    FileKind.ODS: ods.open_workbook,
}


def open_sheet(path: Path, kind: FileKind, options: ReadOptions) -> Sheet:
    """Return the one visible sheet that has the header, or the sheet that the options name.

    Raises UsageError when several sheets have it or the named one does not exist, UnreadableFile
    when no sheet has it or the workbook cannot be read safely.
    """
    opened = nullcontext(xls.sheet_handles(path)) if kind is FileKind.XLS else _zipped(path, kind)
    with opened as handles:
        sheets: list[Sheet] = []
        for handle in _candidates(path, handles, options.sheet):
            rows = handle.open()
            header = find_header(rows(), options)
            # Only the first sheet with a header can be the result. The rows of all others are
            # released at once, since a sheet may take a gigabyte.
            candidate = not header.missing and all(sheet.header.missing for sheet in sheets)
            sheets.append(
                Sheet(
                    name=handle.name,
                    header=header,
                    rows=rows if candidate else _released,
                    hidden_rows=handle.hidden_rows,
                )
            )
            del rows
    return _sheet_with_header(path, sheets, options)


def _released() -> Iterator[Sequence[Cell]]:
    raise AssertionError("the rows of a sheet that is not the result are never read")


@contextmanager
def _zipped(path: Path, kind: FileKind) -> Iterator[Sequence[SheetHandle]]:
    """Open a zipped workbook with python-calamine while its sheets are being opened."""
    measured = _OPENERS[kind](open_package(path))
    with _parser_errors(path):
        if not isinstance(measured, xlsb.Xlsb) and measured.needs_rewrite:
            workbook = CalamineWorkbook.from_filelike(measured.normalised())
        # from_path goes by the ending of the name; from_filelike tries each format.
        elif path.suffix.casefold() in kind.value:
            workbook = CalamineWorkbook.from_path(path)
        else:
            with path.open("rb") as file:
                workbook = CalamineWorkbook.from_filelike(file)
    measure = cache(measured.measure)
    with workbook:
        yield [
            SheetHandle(
                name=sheet.name,
                visible=sheet.visible is SheetVisibleEnum.Visible,
                open=partial(_open_rows, path, workbook, measured, measure, sheet.name),
                hidden_rows=partial(_hidden_rows, measured, measure, sheet.name),
            )
            for sheet in workbook.sheets_metadata
            if sheet.typ is SheetTypeEnum.WorkSheet
        ]


@contextmanager
def _parser_errors(path: Path) -> Iterator[None]:
    """Turn what python-calamine raises into UnreadableFile."""
    try:
        yield
    except PasswordError as error:
        raise protected(path) from error
    except CalamineError as error:
        raise damaged(path) from error
    except OSError as error:
        # An error number is the system's. One without is python-calamine's: a part is cut off.
        if error.errno is not None:
            raise
        raise damaged(path) from error


def _candidates(
    path: Path, handles: Sequence[SheetHandle], name: str | None
) -> Sequence[SheetHandle]:
    """Return the visible sheets, or the one with this name, hidden or not."""
    if name is not None:
        # Excel takes two names that differ only in case for the same.
        for form in (str, str.casefold):
            for handle in handles:
                if form(handle.name) == form(name):
                    return [handle]
        names = [handle.name for handle in handles]
        raise UsageError(
            f'{path.name} has no sheet "{name}". Its sheets are: {", ".join(names)}.',
            sheets=names,
        )
    visible = [handle for handle in handles if handle.visible]
    if not visible:
        raise UnreadableFile(
            f"{path.name} has no visible sheet. Name one with --sheet NAME.",
            sheets=[handle.name for handle in handles],
        )
    return visible


def _sheet_with_header(path: Path, sheets: Sequence[Sheet], options: ReadOptions) -> Sheet:
    complete = [sheet for sheet in sheets if not sheet.header.missing]
    if len(complete) > 1:
        names = [str(sheet.name) for sheet in complete]
        raise UsageError(
            f"{path.name} has more than one sheet with such columns: {', '.join(names)}. "
            f'Name the right one with --sheet "{names[0]}".',
            sheets=names,
        )
    # Without a complete header, the message is about the sheet that has most of the columns.
    best = max(
        complete or sheets,
        key=lambda sheet: (len(sheet.header.fields), bool(sheet.header.titles)),
    )
    name = path.name if len(sheets) == 1 else f"{path.name}, sheet {best.name}"
    if problem := header_error(name, best.header, options):
        raise problem
    return best


def _open_rows(
    path: Path,
    workbook: CalamineWorkbook,
    measured: ZippedWorkbook,
    measure: Callable[[str], SheetStats],
    name: str,
) -> RowSource:
    """Measure a sheet, then read it into memory, or row by row when it is too large for that.

    Raises UnreadableFile when it is too large and openpyxl cannot read it either.
    """
    stats = measure(name)
    # openpyxl reads only .xlsx, takes strict Open XML for an empty workbook, and would not see
    # the rewritten parts.
    streamable = (
        isinstance(measured, xlsx.Xlsx) and not measured.strict and not measured.needs_rewrite
    )
    if streamable and (stats.sparse or not stats.fits):
        rows = partial(_streamed_rows, path, name)
    elif stats.fits:
        with _parser_errors(path):
            rows = partial(_rows, path, workbook.get_sheet_by_name(name))
    elif stats.area > MAX_CELLS:
        raise too_sparse(path, name, stats.rows, stats.columns)
    else:
        raise zip_bomb(path)
    if not stats.needs_overrides:
        return rows
    return lambda: with_overrides(rows(), measured.overrides(name))


def _hidden_rows(
    measured: ZippedWorkbook, measure: Callable[[str], SheetStats], name: str
) -> Iterable[int]:
    return measured.hidden_rows(name) if measure(name).hides_rows else ()


def _rows(path: Path, sheet: CalamineSheet) -> Iterator[Sequence[Cell]]:
    """Yield every row from row 1 on, with all cells from column A on."""
    # python-calamine leaves out the columns before the first filled cell, but no rows.
    indent: list[Cell] = [None] * (sheet.start[1] if sheet.start else 0)
    for row in sheet.iter_rows():
        # Most cells are text, which normalise_cell returns unchanged: the call is saved.
        cells = [
            cell
            if cell.__class__ is str and cell and "\0" not in cell
            else normalise_cell(path, cell)
            for cell in row
        ]
        yield indent + cells if indent else cells


def _streamed_rows(path: Path, name: str) -> Iterator[Sequence[Cell]]:
    """Yield the same rows with openpyxl, which is slow but holds one row at a time."""
    from openpyxl import load_workbook
    from openpyxl.utils.escape import unescape

    def cell_value(cell: Any) -> Cell:
        """Return what python-calamine would return for the cell."""
        value = cell.value
        if cell.data_type == "e":
            return NoValue(str(value))
        if isinstance(value, datetime) and value.time() == time():
            return value.date()
        assert value is None or isinstance(value, Cell)
        # openpyxl leaves escapes such as _x000D_ in a text.
        return unescape(value) if isinstance(value, str) else value

    with path.open("rb") as file, warnings.catch_warnings():
        # openpyxl warns about drawings and other parts that it does not keep.
        warnings.simplefilter("ignore")
        try:
            sheet = load_workbook(file, read_only=True, data_only=True, keep_links=False)[name]
            # Some writers store a wrong dimension, at which openpyxl would stop reading.
            sheet.reset_dimensions()
            for row in sheet.iter_rows():
                yield [normalise_cell(path, cell_value(cell)) for cell in row]
        except UnreadableFile:
            raise
        except Exception as error:  # openpyxl raises any exception for an odd file
            raise damaged(path) from error
