"""Spreadsheets that tests of the reader write, and the tables that they are read as."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
import xlsxwriter  # type: ignore[import-untyped]  # comes without types
import xlwt  # type: ignore[import-untyped]  # the same
from odf.opendocument import OpenDocumentSpreadsheet  # type: ignore[import-untyped]  # the same
from odf.style import Style, TableProperties  # type: ignore[import-untyped]  # the same
from odf.table import Table as OdfTable  # type: ignore[import-untyped]  # the same
from odf.table import TableCell, TableRow
from odf.text import P  # type: ignore[import-untyped]  # the same

from batchlock.core.errors import UnreadableFile, UsageError
from batchlock.core.rows import Field
from batchlock.plan.read import ReadOptions, Table, read_table

HEADER = ("Module", "Record Id", "Lock Id", "Reason")
ROW = ("Leads", "5843104000000425565", "5843104000000425777", "Under review")
MODULE, RECORD_ID, LOCK_ID, REASON, ACTION = Field


@dataclass
class LoadedTable:
    """A table that was read to its end; the dictionaries have the row number as key."""

    table: Table
    rows: dict[int, tuple[object, ...]]
    beyond: dict[int, object]
    """The filled cell beyond the last title: column letter and text."""
    previous: dict[int, tuple[object, object]]
    """Result and Row check, in a results file."""


def load(path: Path, **options: object) -> LoadedTable:
    """Read a whole file, and check the shape of each chunk."""
    table = read_table(path, ReadOptions(**options))  # type: ignore[arg-type]  # the caller's types
    chunks = list(table.chunks)
    loaded = LoadedTable(table, {}, {}, {})
    for chunk in chunks:
        assert set(chunk.dtypes) == {pd.Series([], dtype=object).dtype}
        positions = range(len(table.titles))
        assert list(chunk.columns) == [
            *positions,
            "beyond",
            "above",
            "previous_result",
            "previous_checksum",
            "previous_row",
            "previous_time",
        ]
        numbers = chunk.index.tolist()
        cells = zip(*(chunk[i].tolist() for i in positions), strict=True)
        loaded.rows.update(zip(numbers, cells, strict=True))
        loaded.beyond.update(zip(numbers, chunk["beyond"].tolist(), strict=True))
        previous = zip(chunk["previous_result"], chunk["previous_checksum"], strict=True)
        loaded.previous.update(zip(numbers, previous, strict=True))
    return loaded


def refusal(path: Path, **options: object) -> str:
    """Return the message of the UnreadableFile that reading the file raises; it names the file."""
    with pytest.raises(UnreadableFile) as info:
        load(path, **options)
    assert str(info.value).startswith(path.name)
    return str(info.value)


def usage_error(path: Path, **options: object) -> str:
    """Return the message of the UsageError that reading the file raises."""
    with pytest.raises(UsageError) as info:
        load(path, **options)
    return str(info.value)


def write_text(tmp_path: Path, content: str | bytes, name: str = "orders.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def csv_text(*rows: Sequence[str], delimiter: str = ",", end: str = "\n") -> str:
    return "".join(delimiter.join(row) + end for row in rows)


def write_openpyxl(path: Path, *sheets: Iterable[Sequence[Any]]) -> Path:
    book = openpyxl.Workbook(write_only=True)
    for rows in sheets:
        sheet = book.create_sheet()
        for row in rows:
            sheet.append(tuple(row))
    book.save(path)
    return path


def write_xlsxwriter(path: Path, **sheets: Iterable[Sequence[object]]) -> Path:
    with xlsxwriter.Workbook(path, {"strings_to_formulas": False}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for at, row in enumerate(rows):
                sheet.write_row(at, 0, row)
    return path


def write_xlwt(path: Path, rows: Iterable[Sequence[object]]) -> Path:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Sheet")
    for at, row in enumerate(rows):
        for column, cell in enumerate(row):
            if cell is not None:
                sheet.write(at, column, cell)
    book.save(str(path))
    return path


def odf_cell(content: str, **attributes: object) -> TableCell:
    cell = TableCell(valuetype="string", **attributes)
    for line in content.split("\n"):
        cell.addElement(P(text=line))
    return cell


def write_odfpy(
    path: Path, rows: Iterable[Sequence[object]], *, hidden: Iterable[str] = ()
) -> Path:
    book = OpenDocumentSpreadsheet()
    table = OdfTable(name="Sheet")
    book.spreadsheet.addElement(table)
    for row in rows:
        line = TableRow()
        table.addElement(line)
        for cell in row:
            line.addElement(odf_cell(cell) if isinstance(cell, str) else cell or TableCell())
    unseen = Style(name="unseen", family="table")
    unseen.addElement(TableProperties(display="false"))
    book.automaticstyles.addElement(unseen)
    for name in hidden:
        book.spreadsheet.addElement(OdfTable(name=name, stylename="unseen"))
    book.save(str(path))
    return path
