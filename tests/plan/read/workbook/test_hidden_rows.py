"""Tell which rows a filter or a person hides: the rows are read, and a note names them."""

import struct
from pathlib import Path

import pytest
import xlsxwriter  # type: ignore[import-untyped]  # comes without types
import xlwt  # type: ignore[import-untyped]  # the same
from support.paths import DATA
from support.tables import HEADER, ROW, load, write_odfpy, write_text, write_xlsxwriter
from support.zips import rewrite_zip, write_zip, zip_parts


def hidden_rows(path: Path) -> list[int]:
    return list(load(path).table.hidden_rows())


def test_rows_that_a_filter_hides_in_an_xlsx_are_known(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for at in range(11):
            sheet.write_row(at, 0, ROW if at else HEADER)
        sheet.autofilter(0, 0, 10, 3)
        sheet.filter_column(3, "x == gone")
        for at in (4, 5, 9):
            sheet.set_row(at, None, None, {"hidden": True})
        sheet.set_column(5, 5, None, None, {"hidden": True})
    loaded = load(path)
    assert list(loaded.rows) == [*range(2, 12)]
    assert list(loaded.table.hidden_rows()) == [5, 6, 10]


@pytest.mark.parametrize(
    ("attribute", "hidden"),
    [
        (b'hidden="true"', [2]),
        (b"hidden = '1'", [2]),
        (b'hidden="0"', []),
        (b'hidden="false"', []),
        (b'customHeight="1" ht="0.0"', [2]),
        (b'ht="0.75"', []),
    ],
)
def test_any_form_of_the_attribute_hides_a_row(
    tmp_path: Path, attribute: bytes, hidden: list[int]
) -> None:
    path = write_xlsxwriter(tmp_path / "a.xlsx", Sheet=[HEADER, ROW])
    rewrite_zip(path, sheet1=lambda xml: xml.replace(b'<row r="2"', b'<row r="2" ' + attribute, 1))
    assert hidden_rows(path) == hidden


def test_only_rows_of_the_sheet_with_the_table_count(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for name, rows in (("Notes", [("Read me",), ("x",)]), ("Data", [HEADER, ROW])):
            sheet = book.add_worksheet(name)
            for at, row in enumerate(rows):
                sheet.write_row(at, 0, row)
        book.get_worksheet_by_name("Notes").set_row(1, None, None, {"hidden": True})
    assert hidden_rows(path) == []


def test_hidden_rows_of_an_ods_are_known(tmp_path: Path) -> None:
    path = write_odfpy(tmp_path / "a.ods", [HEADER, *[ROW] * 7])
    row = b"<table:table-row>"
    changes = [
        b"",
        b'<table:table-row table:visibility="collapse">',
        b'<table:table-row table:number-rows-repeated="2" table:visibility="filter">',
        b'<table:table-row table:visibility="visible">',
        b'<table:table-row-group table:display="false"><table:table-row>',
        b"</table:table-row-group><table:table-row-group><table:table-row>",
        b"</table:table-row-group><table:table-row>",
    ]

    def hide(xml: bytes) -> bytes:
        first, *others = xml.split(row)
        pairs = zip([row, *(one or row for one in changes), row], others, strict=False)
        return first + b"".join(start + rest for start, rest in pairs)

    rewrite_zip(path, content=hide)
    loaded = load(path)
    assert list(loaded.rows) == [*range(2, 10)]
    assert list(loaded.table.hidden_rows()) == [3, 4, 5, 7]


def test_hidden_rows_of_an_xls_are_known(tmp_path: Path) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Sheet")
    for at in range(5):
        for column, text in enumerate(ROW if at else HEADER):
            sheet.write(at, column, text)
    sheet.row(2).hidden = True
    sheet.row(4).hidden = True
    book.save(str(tmp_path / "a.xls"))
    assert hidden_rows(tmp_path / "a.xls") == [3, 5]


def test_hidden_rows_of_an_xlsb_are_known(tmp_path: Path) -> None:
    parts = zip_parts(DATA / "hand-binary.xlsb")
    name = next(name for name in parts if name.endswith("sheet1.bin"))
    # BrtRowHdr: its type 0, its length of 17 bytes, and row 1, which counts from 0.
    start = parts[name].index(struct.pack("<BBI", 0, 17, 1)) + 2
    part = bytearray(parts[name])
    part[start + 11] |= 0x10  # fDyZero
    parts[name] = bytes(part)
    assert hidden_rows(write_zip(tmp_path / "a.xlsb", parts)) == [2]


def test_a_text_file_hides_no_rows(tmp_path: Path) -> None:
    assert hidden_rows(write_text(tmp_path, "Module,Record Id,Reason\n")) == []
