"""Good workbooks to mutate: small ones of each format, as bytes with the ending of their name."""

import io
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import openpyxl
import xlsxwriter  # type: ignore[import-untyped]  # comes without types
import xlwt  # type: ignore[import-untyped]  # the same
from support.paths import DATA
from support.tables import write_odfpy
from support.zips import write_zip, zip_parts

ROWS = (
    ("Module", "Record Id", "Lock Id", "Reason", "Note"),
    ("Leads", "5843104000000425565", "5843104000000425777", "Contract renewed", "plain"),
    ("Deals", "5843104000000425566", "5843104000000425778", "Prüfung: 審査中", "a & b < c"),
    ("Cases", "5843104000000425567", "5843104000000425779", "two\nlines", "x"),
    ("Tasks", "5843104000000425568", "", "Customer has paid", "last"),
)
# Files of other writers, of a few kilobytes each.
FOREIGN = (
    "exceljs.xlsx",
    "gnumeric-xlsx.xlsx",
    "hand-phonetic.xlsx",
    "hand-prefixed.xlsx",
    "libreoffice.xlsx",
    "sheetjs.xlsx",
    "libreoffice.ods",
    "sheetjs.ods",
    "gnumeric-odf.ods",
    "libreoffice.xls",
    "gnumeric-excel_biff7.xls",
    "gnumeric-excel_biff8.xls",
    "poi-hssf.xls",
    "hand-binary.xlsb",
    "sheetjs.xlsb",
)


def seeds() -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each workbook."""
    yield "xlsxwriter.xlsx", _xlsxwriter(in_cells=False)
    yield "inline.xlsx", _xlsxwriter(in_cells=True)
    yield "openpyxl.xlsx", _openpyxl()
    yield "xlwt.xls", _xlwt()
    with TemporaryDirectory() as folder:
        odfpy = write_odfpy(Path(folder) / "a.ods", ROWS)
        yield "odfpy.ods", odfpy.read_bytes()
        # Without a manifest, only batchlock reads it.
        content = zip_parts(DATA / "hand-repeated.ods")["content.xml"]
        repeated = write_zip(odfpy, zip_parts(odfpy) | {"content.xml": content})
        yield "hand-repeated.ods", repeated.read_bytes()
    for name in FOREIGN:
        yield name, (DATA / name).read_bytes()


def _xlsxwriter(*, in_cells: bool) -> bytes:
    output = io.BytesIO()
    with xlsxwriter.Workbook(output, {"constant_memory": in_cells}) as book:
        sheet = book.add_worksheet("Locks")
        bold, plain = book.add_format({"bold": True}), book.add_format()
        for at, row in enumerate(ROWS):
            for column, text in enumerate(row):
                sheet.write_string(at, column, text)
            sheet.write_number(at, 5, 1000 + at)
        sheet.write_rich_string(2, 4, plain, "two ", bold, "runs", plain, " here")
        sheet.write_formula(3, 6, "=F2+1", None, 1002)
        sheet.write(4, 6, True)
        book.add_worksheet("Other").write_string(0, 0, "Read me")
    return output.getvalue()


def _openpyxl() -> bytes:
    output = io.BytesIO()
    book = openpyxl.Workbook()
    for row in ROWS:
        book.worksheets[0].append(row)
    book.save(output)
    return output.getvalue()


def _xlwt() -> bytes:
    output = io.BytesIO()
    book = xlwt.Workbook()
    sheet = book.add_sheet("Locks")
    for at, row in enumerate(ROWS):
        for column, text in enumerate(row):
            sheet.write(at, column, text)
        sheet.write(at, 5, 1000 + at)
    book.save(output)
    return output.getvalue()
