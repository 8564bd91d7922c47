"""openpyxl, by which sheets are read cell by cell, and python-calamine read numbers alike."""

from datetime import date, datetime
from pathlib import Path

import pytest
import xlsxwriter  # type: ignore[import-untyped]  # it has no type hints
from python_calamine import CalamineWorkbook

from batchlock.core.rows import Cell
from batchlock.plan.read.cells import normalise_cell
from batchlock.plan.read.workbook.number_cells import Number, NumberReader, RawRow

FORMATS = (
    "", "General", "0.00", "#,##0", "@", "0.00E+00", "[Red]0.00", '0 "days"', '"Y"0',
    "yyyy-mm-dd", "yyyy-mm-dd hh:mm", "d.m.yyyy", "mmm yy", "hh:mm", "h:mm AM/PM", "mm:ss.0",
    "[h]:mm:ss", "[mm]:ss", "[ss]", "[$-409]d mmm yyyy", "[$-F800]dddd\\, mmmm dd\\, yyyy",
    'yyyy"\u5e74"m"\u6708"d"\u65e5"', "[Blue]yyyy", "General;[Red]-General",
)  # fmt: skip
NUMBERS = ("0", "0.25", "0.5", "1", "1.5", "59", "61", "1000", "36526.75", "45000", "45000.5",
           "45000.123456", "2000000")  # fmt: skip


def by_python_calamine(path: Path, *, since_1904: bool) -> list[list[Cell]]:
    book = xlsxwriter.Workbook(path, {"date_1904": since_1904})
    sheet = book.add_worksheet()
    for column, code in enumerate(FORMATS):
        cell_format = book.add_format({"num_format": code}) if code else None
        for row, number in enumerate(NUMBERS):
            sheet.write_number(row, column, float(number), cell_format)
    book.close()
    rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).iter_rows()
    return [[normalise_cell(path, cell) for cell in row] for row in rows]


@pytest.mark.parametrize("since_1904", [False, True])
def test_numbers_are_read_as_python_calamine_reads_them(tmp_path: Path, since_1904: bool) -> None:
    path = tmp_path / "in.xlsx"
    reader = NumberReader(path, FORMATS, since_1904)
    raw = [
        RawRow(row, [(column, Number(number, column)) for column in range(len(FORMATS))])
        for row, number in enumerate(NUMBERS, 1)
    ]
    expected = by_python_calamine(path, since_1904=since_1904)
    assert [list(row) for row in reader.rows(raw)] == expected


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (Number("2958466", 0), 2958466),
        (Number("2026-03-14", None, is_date=True), date(2026, 3, 14)),
        (
            Number("2026-03-14T02:03:04", None, is_date=True),
            datetime.fromisoformat("2026-03-14T02:03:04"),
        ),
        (Number("14 March", None, is_date=True), "14 March"),
    ],
)
def test_what_is_no_date_stays_as_it_is(tmp_path: Path, number: Number, value: Cell) -> None:
    reader = NumberReader(tmp_path / "in.xlsx", ["yyyy-mm-dd"], since_1904=False)
    assert [list(row) for row in reader.rows([RawRow(1, [(0, number)])])] == [[value]]
