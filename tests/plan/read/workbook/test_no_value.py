"""Read errors, and formulas without a stored value: they are never blank."""

from pathlib import Path

import xlsxwriter  # type: ignore[import-untyped]  # comes without types
from odf.opendocument import OpenDocumentSpreadsheet  # type: ignore[import-untyped]  # the same
from odf.table import Table as OdfTable  # type: ignore[import-untyped]  # the same
from odf.table import TableCell, TableRow
from odf.text import P  # type: ignore[import-untyped]  # the same
from support.tables import HEADER, ROW, load, odf_cell, write_odfpy, write_openpyxl
from support.zips import rewrite_zip

from batchlock.core.rows import NoValue


def test_errors_and_formulas_without_a_value_are_not_blank(tmp_path: Path) -> None:
    rows = [
        HEADER,
        ("Leads", "=A1+B1", "#N/A", "why"),
        ROW,
        (None, "=A4", None, None),
        (),
        (None, None, None, None, "=A5"),
    ]
    loaded = load(write_openpyxl(tmp_path / "a.xlsx", rows))
    assert loaded.rows == {
        2: ("Leads", NoValue("=A1+B1"), NoValue("#N/A"), "why"),
        3: ROW,
        4: (None, NoValue("=A4"), None, None),
        6: (None,) * 4,
    }
    assert loaded.beyond[6] == ("E", "=A5")


def test_a_formula_is_read_as_its_stored_value(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, ROW)
        sheet.write_formula(1, 1, "=B9", None, "5843104000000425565")
        sheet.write_formula(1, 3, "=1/0", None, "#DIV/0!")
        sheet.write_formula(2, 3, "=21*2", None, 42)
    loaded = load(path)
    assert loaded.rows == {2: (*ROW[:3], NoValue("#DIV/0!")), 3: (None, None, None, 42)}


def test_a_formula_whose_value_is_an_empty_text_is_blank(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, ROW)
        for row in range(1, 9):
            sheet.write_formula(row, 2, '=""', None, "gone")
    rewrite_zip(path, sheet1=lambda xml: xml.replace(b"<v>gone</v>", b"<v></v>"))
    assert load(path).rows == {2: (*ROW[:2], None, ROW[3])}


def test_array_and_shared_formulas_without_a_value_are_not_blank(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        for row in (1, 2):
            sheet.write_row(row, 0, ROW)
        sheet.write_array_formula(1, 2, 1, 2, "{=SUM(A1:A2)}", None, "gone")
        sheet.write_formula(2, 2, "=X", None, "gone")
    formula = b'<f t="shared" si="0"/>'
    rewrite_zip(
        path,
        sheet1=lambda xml: (
            xml.replace(b'r="C2" t="str"', b'r="C2"')
            .replace(b'r="C3" t="str"', b'r="C3"')
            .replace(b"<f>X</f>", formula)
            .replace(b"<v>gone</v>", b"")
        ),
    )
    assert load(path).rows == {
        2: (*ROW[:2], NoValue("=SUM(A1:A2)"), ROW[3]),
        3: (*ROW[:2], NoValue("="), ROW[3]),
    }


def test_errors_of_another_sheet_change_nothing(tmp_path: Path) -> None:
    path = write_openpyxl(tmp_path / "a.xlsx", [HEADER, ROW], [["#N/A"]])
    assert load(path).rows == {2: ROW}


# The namespace in which LibreOffice says that the value of a cell is an error.
CALC = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"


def test_errors_and_formulas_without_a_value_in_an_ods_are_not_blank(tmp_path: Path) -> None:
    error = odf_cell("#N/A", formula="of:=NA()", stringvalue="")
    unknown = TableCell(formula="of:=foo([.A1])")
    empty = TableCell(formula='of:=""')
    empty.addElement(P(text=""))
    table = [
        [TableCell(numbercolumnsrepeated=2), error, "why"],
        ["Leads", "5843104000000425565", empty, "why"],
        [],
        ["Leads", unknown],
    ]
    path = write_odfpy(tmp_path / "a.ods", [HEADER, *table], hidden=["Old"])
    rewrite_zip(
        path,
        content=lambda xml: xml.replace(
            b"<office:document-content ", f'<office:document-content xmlns:x="{CALC}" '.encode(), 1
        ).replace(b'of:=NA()"', b'of:=NA()" x:value-type="error"'),
    )
    assert load(path).rows == {
        2: (None, None, NoValue("#N/A"), "why"),
        3: ("Leads", "5843104000000425565", None, "why"),
        5: ("Leads", NoValue("=foo([.A1])"), None, None),
    }


def test_equal_rows_that_an_ods_stores_once_are_counted(tmp_path: Path) -> None:
    book = OpenDocumentSpreadsheet()
    table = OdfTable(name="Sheet")
    book.spreadsheet.addElement(table)
    formula = TableCell(formula="of:=1+1")
    for times, cells in (
        (1, HEADER),
        (1_000, ()),
        (2, (formula, *ROW[1:])),
        (1, ROW),
        (1_047_000, ()),
    ):
        row = TableRow(numberrowsrepeated=times)
        table.addElement(row)
        for cell in cells:
            row.addElement(odf_cell(cell) if isinstance(cell, str) else cell)
    book.save(str(tmp_path / "a.ods"))
    blank = (NoValue("=1+1"), *ROW[1:])
    assert load(tmp_path / "a.ods").rows == {1002: blank, 1003: blank, 1004: ROW}
