"""Write the standard table with every writer that PyPI has.

Needs openpyxl, XlsxWriter, pandas, xlwt, odfpy, pyexcelerate, rustpy-xlsxwriter, polars,
pyexcel-ods3, tablib and msoffcrypto-tool.
"""

import json
from datetime import date
from pathlib import Path
from typing import Any

import msoffcrypto.format.ooxml
import odf.opendocument
import odf.table
import odf.teletype
import odf.text
import openpyxl
import pandas as pd
import polars as pl
import pyexcel_ods3
import pyexcelerate
import rustpy_xlsxwriter
import tablib
import xlsxwriter
import xlwt

HERE = Path(__file__).parent


def plain(cell: Any) -> Any:
    return date.fromisoformat(cell["date"]) if isinstance(cell, dict) else cell


ROWS = [
    [plain(cell) for cell in row] for row in json.loads((HERE / "standard.json").read_text("utf-8"))
]


def with_openpyxl() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Locks"
    for row, cells in enumerate(ROWS, 1):
        for column, cell in enumerate(cells, 1):
            at = sheet.cell(row, column, cell)
            if cell == "=1+1":
                at.data_type = "s"
    sheet.auto_filter.ref = "A1:E10"
    sheet.protection.sheet = True
    sheet["A2"].comment = openpyxl.comments.Comment("Look", "me")
    sheet.row_dimensions[4].hidden = True
    sheet.column_dimensions["E"].hidden = True
    book.create_sheet("Old").sheet_state = "veryHidden"
    book.save(HERE / "openpyxl.xlsx")
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    book.save(HERE / "openpyxl-1904.xlsx")


def with_xlsxwriter() -> None:
    for name, options in {
        "xlsxwriter": {},
        "xlsxwriter-constant-memory": {"constant_memory": True},
        "xlsxwriter-1904": {"date_1904": True},
    }.items():
        with xlsxwriter.Workbook(
            HERE / f"{name}.xlsx",
            {"strings_to_formulas": False, "default_date_format": "yyyy-mm-dd", **options},
        ) as book:
            book.add_worksheet("Cover").write("A1", "Please read the second sheet")
            sheet = book.add_worksheet("Locks")
            for row, cells in enumerate(ROWS):
                sheet.write_row(row, 0, cells)
    with xlsxwriter.Workbook(
        HERE / "xlsxwriter-at-c5.xlsx",
        {"strings_to_formulas": False, "default_date_format": "yyyy-mm-dd"},
    ) as book:
        sheet = book.add_worksheet("Locks")
        sheet.merge_range("C3:G3", "Locks to renew", book.add_format({"bold": True}))
        for row, cells in enumerate(ROWS, 4):
            sheet.write_row(row, 2, cells)
        sheet.write_blank(1048575, 0, None, book.add_format({"bold": True}))
    with xlsxwriter.Workbook(HERE / "xlsxwriter-wide.xlsx") as book:
        sheet = book.add_worksheet("Locks")
        sheet.write_row(0, 0, [*ROWS[0][:4], *(f"c{n}" for n in range(5, 16385))])
        sheet.write_row(1, 0, ROWS[1][:4])
        sheet.write("XFD2", "last")
    with xlsxwriter.Workbook(HERE / "xlsxwriter-stray.xlsx") as book:
        sheet = book.add_worksheet("Locks")
        for row in range(2):
            sheet.write_row(row, 0, ROWS[row])
        sheet.write("AAA900000", "far outside")
    with xlsxwriter.Workbook(HERE / "xlsxwriter-formulas.xlsx") as book:
        sheet = book.add_worksheet("Locks")
        sheet.write_row(0, 0, ROWS[0])
        sheet.write_row(1, 0, ROWS[1])
        sheet.write_formula("A2", '="Le"&"ads"', None, "Leads")
        sheet.write_formula("D2", "=21*2", None, 42)
        sheet.write_row(2, 0, ROWS[1])
        sheet.write_formula("D3", "=21*2")
        sheet.write_row(3, 0, ROWS[1])
        sheet.write_formula("C4", "=NA()", None, "#N/A")


def with_pandas() -> None:
    table = pd.DataFrame(ROWS[1:], columns=ROWS[0], dtype=object)
    for engine in ("openpyxl", "xlsxwriter"):
        with pd.ExcelWriter(HERE / f"pandas-{engine}.xlsx", engine=engine) as writer:
            rows = table[table["Reason"] != "=1+1"]
            rows.to_excel(writer, sheet_name="Locks", index=True)
    with pd.ExcelWriter(HERE / "pandas-odf.ods", engine="odf") as writer:
        table.to_excel(writer, sheet_name="Locks", index=False)


def with_xlwt() -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Locks")
    style = xlwt.easyxf(num_format_str="YYYY-MM-DD")
    for row, cells in enumerate(ROWS):
        for column, cell in enumerate(cells):
            if cell is not None:
                sheet.write(row, column, cell, *([style] if isinstance(cell, date) else []))
    book.save(str(HERE / "xlwt.xls"))
    book = xlwt.Workbook()
    sheet = book.add_sheet("Locks")
    for row in (0, 1, 2):
        for column, cell in enumerate(ROWS[min(row, 1)][:3]):
            sheet.write(row, column, cell)
    sheet.write(0, 3, "Reason")
    sheet.write(1, 3, xlwt.Formula("21*2"))
    sheet.write(2, 3, "fine")
    book.save(str(HERE / "xlwt-formulas.xls"))


def with_odfpy() -> None:
    book = odf.opendocument.OpenDocumentSpreadsheet()
    table = odf.table.Table(name="Locks")
    book.spreadsheet.addElement(table)
    for cells in ROWS:
        row = odf.table.TableRow()
        table.addElement(row)
        for cell in cells:
            row.addElement(odf_cell(cell))
    table.addElement(odf.table.TableRow(numberrowsrepeated=1_000_000))
    book.save(str(HERE / "odfpy.ods"))


def odf_cell(cell: Any) -> Any:
    if cell is None:
        return odf.table.TableCell()
    if isinstance(cell, bool):
        return odf.table.TableCell(valuetype="boolean", booleanvalue=str(cell).lower())
    if isinstance(cell, int):
        return odf.table.TableCell(valuetype="float", value=cell)
    if isinstance(cell, date):
        return odf.table.TableCell(valuetype="date", datevalue=cell.isoformat())
    text_cell = odf.table.TableCell(valuetype="string")
    for line in cell.split("\n"):
        paragraph = odf.text.P()
        odf.teletype.addTextToElement(paragraph, line)
        text_cell.addElement(paragraph)
    return text_cell


def with_others() -> None:
    book = pyexcelerate.Workbook()
    rows = [[cell or "" for cell in row] for row in ROWS if row[3] != "=1+1"]
    book.new_sheet("Locks", data=rows)
    book.save(str(HERE / "pyexcelerate.xlsx"))
    records = [dict(zip(ROWS[0], row, strict=True)) for row in ROWS[1:] if row[3] != "=1+1"]
    rustpy_xlsxwriter.write_worksheet(records, str(HERE / "rust-xlsxwriter.xlsx"), "Locks")
    texts = [[cell or "" for cell in row] for row in ROWS[1:] if isinstance(row[3], str)]
    pl.DataFrame(texts, schema=ROWS[0], orient="row").write_excel(HERE / "polars.xlsx", "Locks")
    pyexcel_ods3.save_data(str(HERE / "pyexcel-ods3.ods"), {"Locks": [ROWS[0], *texts]})
    data = tablib.Dataset(*[[cell or "" for cell in row] for row in texts], headers=ROWS[0])
    data.title = "Locks"
    for ending in ("xls", "ods"):
        (HERE / f"tablib.{ending}").write_bytes(data.export(ending))
    with (HERE / "openpyxl.xlsx").open("rb") as clear, (HERE / "encrypted.xlsx").open("wb") as file:
        msoffcrypto.format.ooxml.OOXMLFile(clear).encrypt("secret", file)


if __name__ == "__main__":
    for make in (with_openpyxl, with_xlsxwriter, with_pandas, with_xlwt, with_odfpy, with_others):
        try:
            make()
        except Exception as error:
            print(make.__name__, repr(error))
