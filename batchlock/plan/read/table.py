"""The table that a file becomes: its titles, and its rows in chunks."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pandas as pd

from batchlock.core.org import OrgModule
from batchlock.core.reading import EncodingSource, FieldSource, FileReading, Note, Origin
from batchlock.core.rows import Cell, Field, NoValue
from batchlock.plan.actions import NOUNS, USED_BY, default_action
from batchlock.plan.read.row_above import NumberedRow, RowAbove, is_prose, rows_above
from batchlock.plan.read.zoho_files import FileModule

# A chunk of 2,000 rows is large enough for the cost of a DataFrame to be spread over many rows,
# and small enough for memory not to grow with the file.
_CHUNK_ROWS = 2_000
# A sheet may have 16,384 columns. Without this second limit, one chunk of such a sheet would hold
# 33 million cells.
_CHUNK_CELLS = 2_000_000

# What is read of the columns of batchlock in a results file that is given back.
_RESULT_COLUMNS = {
    "previous_result": "Result",
    "previous_checksum": "Row check",
    "previous_row": "Source row",
    "previous_time": "Finished at",
}

RowSource = Callable[[], Iterator[Sequence[Cell]]]
"""Yields every row from the first row of the sheet on, blank rows too.

A blank cell is None; blank cells at the end of a row may be left out.
"""

HiddenRows = Callable[[], Iterable[int]]
"""Yields the numbers of the rows that a filter or a person hides, ascending, blank rows too.

They are looked up when it is called, by one more pass over a sheet that has any.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How to read the file."""

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Additional titles by field name. They go before the built-in titles, and need not exist."""
    explicit_columns: Mapping[str, str] = field(default_factory=dict)
    """The title of a field in this file, as the user named it, by field name. It must exist."""
    encoding: str = "auto"
    earlier_encoding: str | None = None
    """What a person chose for a file with the same titles."""
    delimiter: str = "auto"
    sheet: str | None = None
    lock_id_needed: bool = False
    """Whether a file without a column for the lock id is refused."""
    constants: Mapping[Field, str] = field(default_factory=dict)
    """The one value of all rows, by field; such a field needs no column."""
    custom_modules: tuple[str, ...] = ()
    org_modules: tuple[OrgModule, ...] = ()
    file_name: str = ""
    """The name of the file, inside of an archive its name there: it may name the module."""
    visible_only: bool = False
    """Whether rows that the spreadsheet does not show are left out."""
    header_row: int | None = None
    """The row of the titles, as a spreadsheet shows it; None: it is searched for."""
    unpack_folder: Path | None = None
    """A folder to be made for the table of an archive, which the caller deletes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A row, read as the titles of a table. Column positions count from 0 over all columns."""

    row: int
    """The row number as a spreadsheet shows it; 0 when the file has no rows."""
    titles: tuple[str, ...]
    """All titles up to the last one that is not blank, those of result columns too."""
    result_columns: Mapping[str, int]
    """Positions of the columns that batchlock added, by title; empty except in a results file."""
    fields: Mapping[Field, int]
    ambiguous: Mapping[Field, tuple[str, ...]]
    """Titles that match the same field equally well."""
    missing: tuple[Field, ...]
    named: frozenset[Field] = frozenset()
    """The fields whose column the user named in a command or in the configuration."""
    constants: Mapping[Field, str] = field(default_factory=dict)
    """The one value of all rows, by field, from the options or from the file."""
    file_module: FileModule | None = None
    """What the file says about its module, unless a column or an option does."""
    by_values: frozenset[Field] = frozenset()
    """The fields whose column is recognised by its cells alone."""
    is_exact: bool = True
    """Whether the record id has the most exact of its titles."""
    unused_action: str | None = None
    """The title of a column that has the title of the action, but cells of something else."""
    sample: tuple[Sequence[Cell], ...] = ()
    """The first rows below a header that is not complete, for messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetHandle:
    """A sheet of a workbook that has not been opened."""

    name: str
    visible: bool
    open: Callable[[], RowSource]
    hidden_rows: HiddenRows


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A sheet with its header; a text file is a sheet without a name."""

    rows: RowSource
    header: Header
    hidden_rows: HiddenRows = tuple
    name: str | None = None
    all_names: tuple[str, ...] = ()
    """The names of all sheets of the workbook, hidden ones too; empty for a text file."""
    encoding: str | None = None
    encoding_source: EncodingSource | None = None
    delimiter: str | None = None

    @property
    def is_text(self) -> bool:
        """Whether the rows are lines of a text file."""
        return self.name is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table whose rows can be read."""

    sheet: str | None
    """None for a text file."""
    encoding: str | None
    """None for a workbook; so is the delimiter."""
    delimiter: str | None
    reading: FileReading
    titles: tuple[str, ...]
    """The titles of the input, in the file's order, with duplicates and blank titles."""
    fields: Mapping[Field, int]
    """The position of each field in `titles`. A field that no row uses may be absent."""
    constants: Mapping[Field, str]
    """The one value of all rows, by field. A column of such a field is blank or refused."""
    hidden_rows: HiddenRows
    """The rows that the spreadsheet does not show; none of a text file."""
    left_out: Sequence[int]
    """Hidden rows that are left out, if the options say so; complete when the chunks are read."""
    chunks: Iterator[pd.DataFrame]
    """At most 2,000 rows each, dtype object; the index is the row number.

    Columns 0, 1, … are the cells, one for each title. `beyond` is None, or the column letter and
    the text of a filled cell beyond the last title. `previous_result`, `previous_checksum`,
    `previous_row` and `previous_time` are the texts under Result, Row check, Source row and
    Finished at of a results file that is read again, None in any other file.
    `above` is None, or a `RowAbove` for a row of a text file that may be the rest of a cell.
    Wholly blank rows are left out.
    """


def build_table(sheet: Sheet, *, visible_only: bool = False) -> Table:
    """Return the table below the header, which must have every field that is needed."""
    left_out = array("I")
    header = sheet.header
    ours = set(header.result_columns.values())
    positions = [i for i in range(len(header.titles)) if i not in ours]
    title_index = {position: i for i, position in enumerate(positions)}
    return Table(
        sheet=sheet.name,
        encoding=sheet.encoding,
        delimiter=sheet.delimiter,
        reading=FileReading(
            header_row=header.row,
            encoding_source=sheet.encoding_source,
            fields=tuple(_field_sources(header)),
            notes=tuple(_notes(header)),
            sheets=sheet.all_names,
        ),
        titles=tuple(header.titles[position] for position in positions),
        fields={name: title_index[position] for name, position in header.fields.items()},
        constants=header.constants,
        hidden_rows=sheet.hidden_rows,
        left_out=left_out,
        chunks=_chunks(sheet, positions, left_out if visible_only else None),
    )


def _field_sources(header: Header) -> Iterator[FieldSource]:
    action = default_action(header.constants)
    for name in Field:
        is_unused = name in USED_BY and action not in USED_BY[name]
        if is_unused and Field.ACTION in header.constants:
            continue  # all rows have this action
        if name in header.constants:
            is_from_file = header.file_module is not None and name is Field.MODULE
            origin = Origin.FILE if is_from_file else Origin.OPTION
            yield FieldSource(field=name, origin=origin, value=header.constants[name])
        elif name in header.fields:
            title = header.titles[header.fields[name]]
            origin = Origin.OPTION if name in header.named else Origin.TITLE
            if name in header.by_values:
                origin = Origin.VALUES
            yield FieldSource(field=name, origin=origin, title=title)
        elif name is Field.LOCK_ID:
            yield FieldSource(field=name, origin=Origin.LOOKUP)


def _notes(header: Header) -> Iterator[Note]:
    if header.unused_action is not None:
        noun = NOUNS[default_action(header.constants)]
        yield Note(
            code="action_not_used",
            message=f'The column "{header.unused_action}" is not used: none of its cells says '
            f"update, lock or unlock. Every row goes out as {noun}.",
        )


def title_text(cell: Cell) -> str:
    """Return the text of a cell that is read as a title or quoted in a message."""
    if cell is None:
        return ""
    return cell.text if isinstance(cell, NoValue) else str(cell)


def column_letter(position: int) -> str:
    """Return the letters that a spreadsheet shows for a column; positions count from 0."""
    letters = ""
    position += 1
    while position:
        position, remainder = divmod(position - 1, 26)
        letters = chr(ord("A") + remainder) + letters
    return letters


def is_filled(cell: Cell) -> bool:
    """Tell whether a cell shows anything: white space alone is blank."""
    return bool(cell.strip()) if isinstance(cell, str) else cell is not None


def _chunks(
    sheet: Sheet, positions: Sequence[int], left_out: "array[int] | None"
) -> Iterator[pd.DataFrame]:
    """Yield the chunks; hidden rows are appended to `left_out` instead, if that is a list."""
    filled_rows: Iterator[NumberedRow] = (
        (number, row)
        for number, row in enumerate(sheet.rows(), 1)
        if number > sheet.header.row and any(map(is_filled, row))
    )
    if left_out is not None:
        filled_rows = _visible_rows(filled_rows, sheet.hidden_rows(), left_out)
    size = min(_CHUNK_ROWS, max(1, _CHUNK_CELLS // max(1, len(sheet.header.titles))))
    above: NumberedRow | None = None
    while batch := list(islice(filled_rows, size)):
        yield _frame(batch, above, sheet, positions, is_last=len(batch) < size)
        above = batch[-1]


def _visible_rows(
    rows: Iterator[NumberedRow], hidden_rows: Iterable[int], left_out: "array[int]"
) -> Iterator[NumberedRow]:
    hidden = iter(hidden_rows)
    next_hidden = next(hidden, None)
    for number, row in rows:
        while next_hidden is not None and next_hidden < number:
            next_hidden = next(hidden, None)
        if number == next_hidden:
            left_out.append(number)
        else:
            yield number, row


def _frame(
    batch: Sequence[NumberedRow],
    above: NumberedRow | None,
    sheet: Sheet,
    positions: Sequence[int],
    *,
    is_last: bool,
) -> pd.DataFrame:
    """Return the chunk of a batch of rows; `above` is the row before the first of them.

    `is_last` tells that no row follows; a last batch of the full size is not known to be the last.
    """
    header = sheet.header
    width = len(header.titles)
    rows = [row for _, row in batch]
    beyond: list[tuple[str, str] | None] = [None] * len(rows)
    row_above: list[RowAbove | None] = [None] * len(rows)
    is_uneven = {*map(len, rows)} != {width}
    record = header.fields.get(Field.RECORD_ID, 0)
    if sheet.is_text and (is_uneven or any(is_prose(row, record) for row in rows)):
        row_above = [*rows_above(batch, above, header.titles, record, is_last=is_last)]
    # Most files have rows of equal width: only others pay for the padding below.
    if is_uneven:
        beyond = [_excess(row, width) for row in rows]
        rows = [[*row[:width], *[None] * (width - len(row))] for row in rows]
    columns = list(zip(*rows, strict=True))
    blank_column = [None] * len(rows)
    data: dict[int | str, Sequence[object]] = {
        i: columns[position] for i, position in enumerate(positions)
    }
    data["beyond"] = beyond
    data["above"] = row_above
    for name, title in _RESULT_COLUMNS.items():
        position = header.result_columns.get(title)
        data[name] = (
            blank_column
            if position is None
            else [title_text(cell).strip() or None for cell in columns[position]]
        )
    # dtype object: pandas would otherwise turn a column of ids with blanks into floats.
    return pd.DataFrame(data, index=pd.Index([number for number, _ in batch]), dtype=object)


def _excess(row: Sequence[Cell], width: int) -> tuple[str, str] | None:
    """Return the column letter and text of the first filled cell beyond the last title."""
    for position, cell in enumerate(islice(row, width, None), width):
        if is_filled(cell):
            return column_letter(position), title_text(cell)
    return None
