import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import xlsxwriter  # type: ignore[import-untyped]  # comes without types
from odf.opendocument import OpenDocumentSpreadsheet  # type: ignore[import-untyped]  # the same
from odf.table import Table as OdfTable  # type: ignore[import-untyped]  # the same
from odf.table import TableCell, TableRow
from odf.text import P  # type: ignore[import-untyped]  # the same
from support.tables import HEADER, ROW, load, odf_cell, write_odfpy, write_openpyxl

from batchlock.core.rows import NoValue


def test_errors_and_formulas_without_a_value_are_no_blanks(tmp_path: Path) -> None:
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


def test_formulas_with_a_value_give_it(tmp_path: Path) -> None:
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


def rewrite_zip(path: Path, **changes: Callable[[bytes], bytes]) -> Path:
    """Write a zip again with some of its entries, named by the end of their names, changed."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            for end, change in changes.items():
                if name.endswith((f"{end}.xml", f"{end}.xml.rels")):
                    content = change(content)
            archive.writestr(name, content)
    return path


def test_a_formula_whose_value_is_an_empty_text_is_a_blank(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, ROW)
        for row in range(1, 9):
            sheet.write_formula(row, 2, '=""', None, "gone")
    rewrite_zip(path, sheet1=lambda xml: xml.replace(b"<v>gone</v>", b"<v></v>"))
    assert load(path).rows == {2: (*ROW[:2], None, ROW[3])}


def test_other_kinds_of_formulas_without_a_value_are_shown(tmp_path: Path) -> None:
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


def test_a_sheet_is_found_by_a_relative_link(tmp_path: Path) -> None:
    path = write_openpyxl(tmp_path / "a.xlsx", [HEADER, (*ROW[:2], "#REF!", ROW[3])])
    rewrite_zip(path, workbook=lambda xml: xml.replace(b"/xl/worksheets/", b"worksheets/"))
    assert load(path).rows[2][2] == NoValue("#REF!")


def test_a_sheet_is_found_in_a_workbook_with_folders_of_its_own(tmp_path: Path) -> None:
    path = write_openpyxl(tmp_path / "a.xlsx", [HEADER, (*ROW[:2], "#REF!", ROW[3])])
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("xl/", "x/"), content.replace(b"xl/", b"x/"))
    assert load(path).rows[2][2] == NoValue("#REF!")


@pytest.mark.parametrize("part", ["workbook", "sharedStrings", "styles"])
def test_parts_are_found_by_their_links_and_not_by_their_names(tmp_path: Path, part: str) -> None:
    path = write_openpyxl(tmp_path / "a.xlsx", [HEADER, (*ROW[:3], date(2025, 3, 14))])
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            renamed = content.replace(f"{part}.xml".encode(), f"{part}22.xml".encode())
            archive.writestr(name.replace(f"{part}.xml", f"{part}22.xml"), renamed)
    assert load(path).rows == {2: (*ROW[:3], date(2025, 3, 14))}


def test_errors_of_another_sheet_do_no_harm(tmp_path: Path) -> None:
    path = write_openpyxl(tmp_path / "a.xlsx", [HEADER, ROW], [["#N/A"]])
    assert load(path).rows == {2: ROW}


def test_a_damaged_part_that_is_not_needed_does_no_harm(tmp_path: Path) -> None:
    path = write_openpyxl(tmp_path / "a.xlsx", [HEADER, (*ROW[:2], "#REF!", ROW[3])])
    rewrite_zip(path, core=lambda _: b"<broken")
    assert load(path).rows[2][2] == NoValue("#REF!")


CALC = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"


def test_errors_and_formulas_without_a_value_of_an_ods_are_no_blanks(tmp_path: Path) -> None:
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


def test_rows_of_an_ods_that_are_stored_once_are_counted(tmp_path: Path) -> None:
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
