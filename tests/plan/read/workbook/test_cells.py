"""Read cells of workbooks with the type that they have in the file."""

from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
import xlwt  # type: ignore[import-untyped]  # comes without types
from odf.table import TableCell  # type: ignore[import-untyped]  # the same
from support.tables import HEADER, ROW, load, write_odfpy, write_openpyxl, write_xlwt

CELLS = (
    5843104000,
    0.5,
    5843104000000425565,
    True,
    date(2025, 3, 14),
    datetime(2025, 3, 14, 5, 30),  # noqa: DTZ001 - cells have no time zone
    " x\ny ",
)
# A whole number of 16 digits or more stays a float, which says that digits may be lost.
CELLS_READ = (5843104000, 0.5, 5843104000000425565.0, True, *CELLS[4:])


def test_cells_of_an_xlsx_keep_their_type(tmp_path: Path) -> None:
    header = (*HEADER, *"abcdefghi")
    cells = (*ROW, *CELLS, time(5, 0), timedelta(hours=30))
    loaded = load(write_openpyxl(tmp_path / "a.xlsx", [header, cells]))
    expected = (*ROW, *CELLS_READ, time(5, 0), timedelta(hours=30))
    assert loaded.rows == {2: expected}
    assert [type(cell) for cell in loaded.rows[2]] == [type(cell) for cell in expected]
    assert (loaded.table.sheet, loaded.table.encoding, loaded.table.delimiter) == (
        "Sheet",
        None,
        None,
    )


def test_cells_of_an_xls_keep_their_type(tmp_path: Path) -> None:
    path = write_xlwt(tmp_path / "a.xls", [(*HEADER, *"abcd"), (*ROW, *CELLS[:4]), (), ROW])
    assert load(path).rows == {2: (*ROW, *CELLS_READ[:4]), 4: (*ROW, *[None] * 4)}


@pytest.mark.parametrize(
    ("number_format", "number", "cell"),
    [
        ("[h]:mm:ss", 26.5 / 24, timedelta(hours=26.5)),
        ("[HH]:mm", 0.5, timedelta(hours=12)),
        ("[m]", -1.25, timedelta(hours=-30)),
        ('"so many "[s]', 2.0, timedelta(days=2)),
        ("[s]", 1e300, 1e300),
        ("h:mm", 0.5, time(12)),
        ("[Red]h:mm", 0.5, time(12)),
        ('0.0" [h]"', 0.5, 0.5),
    ],
)
def test_an_xls_format_beyond_24_hours_makes_a_duration(
    tmp_path: Path, number_format: str, number: float, cell: object
) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Sheet")
    for row, cells in enumerate((HEADER, ROW[:3])):
        for column, text in enumerate(cells):
            sheet.write(row, column, text)
    sheet.write(1, 3, number, xlwt.easyxf(num_format_str=number_format))
    book.save(str(tmp_path / "a.xls"))
    assert load(tmp_path / "a.xls").rows == {2: (*ROW[:3], cell)}


def test_cells_of_an_ods_keep_their_type(tmp_path: Path) -> None:
    typed = [
        TableCell(valuetype="float", value=5843104000),
        TableCell(valuetype="date", datevalue="2025-03-14"),
        TableCell(valuetype="time", timevalue="PT05H00M00S"),
        TableCell(valuetype="boolean", booleanvalue="true"),
    ]
    path = write_odfpy(tmp_path / "a.ods", [(*HEADER, *"abcd"), (*ROW[:3], "a\nb", *typed)])
    cells = (*ROW[:3], "a\nb", 5843104000, date(2025, 3, 14), time(5, 0), True)
    assert load(path).rows == {2: cells}


def test_the_table_may_begin_anywhere_in_the_sheet(tmp_path: Path) -> None:
    rows = [[], [], [None, None, *HEADER], [], [None, None, *ROW]]
    loaded = load(write_openpyxl(tmp_path / "a.xlsx", rows))
    assert loaded.rows == {5: (None, None, *ROW)}
    assert loaded.table.titles == ("", "", *HEADER)
