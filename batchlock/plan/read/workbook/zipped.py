"""Open the sheets of a zipped workbook: .xlsx, .xlsb and .ods.

python-calamine reads most of them, after each sheet has been measured; see `xlsx` and `xlsb` for
the ones that it would read wrong.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, partial
from pathlib import Path

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from batchlock.core.errors import UnreadableFile
from batchlock.core.rows import Cell
from batchlock.plan.read.cells import normalise_cell
from batchlock.plan.read.detect import FileKind
from batchlock.plan.read.table import RowSource, SheetHandle
from batchlock.plan.read.workbook import ods, xlsb, xlsx
from batchlock.plan.read.workbook.no_value import SheetEntry, SheetStats, with_overrides
from batchlock.plan.read.workbook.zip_safety import Package, damaged, open_package, protected


@contextmanager
def open_zipped(path: Path, kind: FileKind) -> Iterator[Sequence[SheetHandle]]:
    """Open a zipped workbook while its sheets are being opened.

    Raises UnreadableFile for one that is damaged, protected, or not safe to unpack.
    """
    package = open_package(path)
    if kind is FileKind.XLSX:
        with _xlsx_sheets(package) as handles:
            yield handles
    elif kind is FileKind.ODS:
        with _ods_sheets(package) as handles:
            yield handles
    else:
        book = xlsb.open_workbook(package)
        yield [
            SheetHandle(
                name=entry.name,
                visible=entry.visible,
                open=partial(_parsed_rows, book, entry),
                hidden_rows=partial(book.hidden_rows, entry),
            )
            for entry in book.sheets
        ]


@contextmanager
def _xlsx_sheets(package: Package) -> Iterator[Sequence[SheetHandle]]:
    book = xlsx.open_workbook(package)
    measure = cache(book.measure)
    with _calamine_if_usual(package, book) as workbook:
        yield [
            SheetHandle(
                name=entry.name,
                visible=entry.visible,
                open=partial(_xlsx_rows, workbook, book, measure, entry),
                hidden_rows=partial(_xlsx_hidden_rows, book, measure, entry),
            )
            for entry in book.sheets
        ]


def _calamine_if_usual(
    package: Package, book: xlsx.Xlsx
) -> AbstractContextManager[CalamineWorkbook | None]:
    if not book.usual:
        return nullcontext()
    path = package.path
    try:
        # from_path goes by the ending of the name; from_filelike tries each format.
        if path.suffix.casefold() in FileKind.XLSX.value:
            return CalamineWorkbook.from_path(path)
        with path.open("rb") as file:
            return CalamineWorkbook.from_filelike(file)
    except CalamineError:
        # It refuses what does not matter here, such as a macro sheet beside the table.
        return nullcontext()


def _xlsx_rows(
    workbook: CalamineWorkbook | None,
    book: xlsx.Xlsx,
    measure: Callable[[SheetEntry], SheetStats],
    entry: SheetEntry,
) -> RowSource:
    """Read a sheet into memory, or element by element when that is not safe."""
    parsed = partial(book.parsed, entry)
    if workbook is None:
        return parsed
    stats = measure(entry)
    if not stats.usual or stats.sparse or not stats.fits:
        return parsed
    path = book.package.path
    try:
        with _parser_errors(path):
            sheet = workbook.get_sheet_by_name(entry.name)
    except UnreadableFile:
        # It refuses a whole sheet for one thing that it does not know, such as a new error.
        return parsed
    rows = partial(_rows, path, sheet)
    if not stats.needs_overrides:
        return rows
    return lambda: with_overrides(rows(), book.overrides(entry))


def _xlsx_hidden_rows(
    book: xlsx.Xlsx, measure: Callable[[SheetEntry], SheetStats], entry: SheetEntry
) -> Iterable[int]:
    return book.hidden_rows(entry) if measure(entry).hides_rows else ()


def _parsed_rows(book: xlsb.Xlsb, entry: SheetEntry) -> RowSource:
    return partial(book.parsed, entry)


@contextmanager
def _ods_sheets(package: Package) -> Iterator[Sequence[SheetHandle]]:
    path = package.path
    book = ods.open_workbook(package)
    with _parser_errors(path):
        if book.needs_rewrite:
            workbook = CalamineWorkbook.from_filelike(book.normalised())
        else:
            with path.open("rb") as file:
                workbook = CalamineWorkbook.from_filelike(file)
    with workbook:
        yield [
            SheetHandle(
                name=sheet.name,
                visible=sheet.visible is SheetVisibleEnum.Visible,
                open=partial(_ods_rows, workbook, book, sheet.name),
                hidden_rows=partial(book.hidden_rows, sheet.name),
            )
            for sheet in workbook.sheets_metadata
            if sheet.typ is SheetTypeEnum.WorkSheet
        ]


def _ods_rows(workbook: CalamineWorkbook, book: ods.Ods, name: str) -> RowSource:
    path = book.package.path
    with _parser_errors(path):
        rows = partial(_rows, path, workbook.get_sheet_by_name(name))
    if not book.needs_overrides:
        return rows
    return lambda: with_overrides(rows(), book.overrides(name))


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
