"""Write an .xlsx from the XML of its parts, for sheets that no program writes so."""

from collections.abc import Mapping
from pathlib import Path

from support.zips import write_zip

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
LINKS = "http://schemas.openxmlformats.org/package/2006/relationships"

TITLES = ("Module", "Record Id", "Lock Id", "Reason")
LEAD = ("Leads", "5843104000000425565", "5843104000000425777", "Contract renewed")


def text_cells(row: int, texts: tuple[str, ...] = LEAD) -> str:
    """Return cells with their texts in themselves."""
    return "".join(
        f'<c r="{letter}{row}" t="inlineStr"><is><t>{text}</t></is></c>'
        for letter, text in zip("ABCDEFGH", texts, strict=False)
    )


def sheet_xml(*rows: str, head: str = "", attributes: str = "") -> str:
    """Return a worksheet with the usual titles in row 1, and the cells of the rows below."""
    data = "".join(
        f'<row r="{number}">{cells}</row>'
        for number, cells in enumerate((text_cells(1, TITLES), *rows), 1)
    )
    return f'<worksheet xmlns="{MAIN}"{attributes}>{head}<sheetData>{data}</sheetData></worksheet>'


def write_xlsx(
    path: Path,
    sheet: str,
    *,
    texts: str | None = None,
    sheets: str = '<sheet name="Locks" sheetId="1" r:id="rId1"/>',
    links: str = "",
    workbook: str = "",
    parts: Mapping[str, str | bytes] | None = None,
) -> Path:
    """Write a workbook; `texts` is the content of the shared strings, `sheets` the entries."""
    strings = f'<Relationship Id="rId8" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
    return write_zip(
        path,
        {
            "_rels/.rels": f'<Relationships xmlns="{LINKS}"><Relationship Id="rId1" '
            f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">'
            f"{workbook}<sheets>{sheets}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{LINKS}">'
            f'<Relationship Id="rId1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
            f"{strings if texts is not None else ''}{links}</Relationships>",
            "xl/worksheets/sheet1.xml": sheet,
            **({} if texts is None else {"xl/sharedStrings.xml": texts}),
            **(parts or {}),
        },
    )
