"""The table that a file becomes: its titles, and its rows in chunks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import pandas as pd

from batchlock.core.rows import Cell, Field, NoValue

CHUNK = 2_000
"""Rows."""
_CELLS = 2_000_000
"""In a chunk, however wide its rows."""

RowSource = Callable[[], Iterator[Sequence[Cell]]]
"""Every row from the first of the sheet on, blank ones too; blank cells are None or left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How to read the file."""

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Further titles by field name; they go before the built-in ones and need not be there."""
    explicit_columns: Mapping[str, str] = field(default_factory=dict)
    """The one title, by field name, that a person has named for this file; it must be there."""
    encoding: str = "auto"
    delimiter: str = "auto"
    sheet: str | None = None
    lock_id_needed: bool = False
    """Whether a file without a column for the lock id is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a row says when it is read as titles; positions count from 0 over all columns."""

    row: int
    """As the spreadsheet shows it; 0 when there is no row at all."""
    titles: tuple[str, ...]
    """Up to the last that is not blank, our own included."""
    result_columns: Mapping[str, int]
    """Our own columns, in a results file that is given back."""
    fields: Mapping[Field, int]
    ambiguous: Mapping[Field, tuple[str, ...]]
    """Titles that fit the same field equally well."""
    missing: tuple[Field, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetHandle:
    """A sheet of a workbook that has not been opened."""

    name: str
    visible: bool
    open: Callable[[], RowSource]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A sheet whose header has been found; a text file is one too."""

    rows: RowSource
    header: Header
    name: str | None = None
    encoding: str | None = None
    delimiter: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table ready to be read."""

    sheet: str | None
    """None for text."""
    encoding: str | None
    delimiter: str | None
    """None, both, for workbooks."""
    titles: tuple[str, ...]
    """The input's own, in the file's order, duplicates and blanks as they are."""
    fields: Mapping[Field, int]
    """Where each field is in `titles`; the lock id may be absent."""
    chunks: Iterator[pd.DataFrame]
    """At most 2,000 rows each, dtype object; the index is the row number.

    Columns 0, 1, … are the cells, one for each title. `beyond` is None or the column letter and
    text of a filled cell beyond the last title. `previous_result` and
    `previous_check` are the texts under Result and Row check of a results file that is read again,
    None in any other file. Wholly blank rows are left out.
    """


def build_table(sheet: Sheet) -> Table:
    """Return the table below a header that has everything it needs."""
    header = sheet.header
    result_columns = set(header.result_columns.values())
    kept = [i for i in range(len(header.titles)) if i not in result_columns]
    position = {column: i for i, column in enumerate(kept)}
    return Table(
        sheet=sheet.name,
        encoding=sheet.encoding,
        delimiter=sheet.delimiter,
        titles=tuple(header.titles[i] for i in kept),
        fields={name: position[column] for name, column in header.fields.items()},
        chunks=_chunks(sheet, kept),
    )


def title_text(cell: Cell) -> str:
    """Return a cell as a title or a message names it."""
    if cell is None:
        return ""
    return cell.text if isinstance(cell, NoValue) else str(cell)


def column_letter(position: int) -> str:
    """Return the letters of a column, counted from 0."""
    letters = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def is_filled(cell: Cell) -> bool:
    """Tell whether a person sees something in this cell."""
    return bool(cell.strip()) if isinstance(cell, str) else cell is not None


def _chunks(sheet: Sheet, kept: Sequence[int]) -> Iterator[pd.DataFrame]:
    filled = (
        (number, row)
        for number, row in enumerate(sheet.rows(), 1)
        if number > sheet.header.row and any(map(is_filled, row))
    )
    rows = min(CHUNK, max(1, _CELLS // max(1, len(sheet.header.titles))))
    while batch := list(islice(filled, rows)):
        yield _frame(batch, sheet.header, kept)


def _frame(
    batch: Sequence[tuple[int, Sequence[Cell]]], header: Header, kept: Sequence[int]
) -> pd.DataFrame:
    width = len(header.titles)
    rows = [row for _, row in batch]
    beyond: list[tuple[str, str] | None] = [None] * len(rows)
    if {*map(len, rows)} != {width}:
        beyond = [_excess(row, width) for row in rows]
        rows = [[*row[:width], *[None] * (width - len(row))] for row in rows]
    columns = list(zip(*rows, strict=True))
    nothing = [None] * len(rows)
    data: dict[int | str, Sequence[object]] = {i: columns[at] for i, at in enumerate(kept)}
    data["beyond"] = beyond
    for name, title in (("previous_result", "Result"), ("previous_check", "Row check")):
        at = header.result_columns.get(title)
        data[name] = nothing if at is None else [title_text(c).strip() or None for c in columns[at]]
    return pd.DataFrame(data, index=pd.Index([number for number, _ in batch]), dtype=object)


def _excess(row: Sequence[Cell], width: int) -> tuple[str, str] | None:
    """Return the column and text of the first filled cell beyond the last title."""
    for at, cell in enumerate(islice(row, width, None), width):
        if is_filled(cell):
            return column_letter(at), title_text(cell)
    return None
