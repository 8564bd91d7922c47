"""Read an .xlsx however its XML is written, and however odd what stands beside the table is."""

from datetime import date
from pathlib import Path

import pytest
from support.sheet_xml import LEAD, MAIN, OFFICE, sheet_xml, text_cells, write_xlsx
from support.tables import load, refusal
from support.zips import write_zip, zip_parts

from batchlock.core.rows import NoValue

TEXTS = f'<sst xmlns="{MAIN}"><si><t>Module</t></si><si><t>Contract renewed</t></si></sst>'


def with_reason(cell: str) -> str:
    """Return a sheet with one row, whose reason is in this cell."""
    return sheet_xml(text_cells(2, LEAD[:3]) + cell)


@pytest.mark.parametrize(
    "index",
    [
        "1 ",
        " 1",
        "\n1\t",
        "+1",
        "1.0",
        "1.",
        "01",
        "<![CDATA[1]]>",
        "&#49;",
        "<!-- 0 -->1",
        "<?x?>1",
    ],
)
@pytest.mark.parametrize("kind", ['t="s"', "t = 's'", 't=" s "', 't="&#115;"'])
def test_an_index_of_a_shared_string_may_be_written_in_any_way(
    tmp_path: Path, index: str, kind: str
) -> None:
    sheet = with_reason(f'<c r="D2" {kind}><v>{index}</v></c>')
    path = write_xlsx(tmp_path / "a.xlsx", sheet, texts=TEXTS)
    assert load(path).rows == {2: LEAD}


@pytest.mark.parametrize("index", ["2", "-1", "1.5", "x", "1 1", "99999999999", "0x1"])
def test_an_index_that_no_shared_string_has_is_refused(tmp_path: Path, index: str) -> None:
    sheet = with_reason(f'<c r="D2" t="s"><v>{index}</v></c>')
    assert "is damaged" in refusal(write_xlsx(tmp_path / "a.xlsx", sheet, texts=TEXTS))


RUNS = "<r><t>Contract</t></r><r><rPr><b/></rPr><t> renewed</t></r>"


@pytest.mark.parametrize(
    ("attributes", "cell"),
    [
        (' xml:space="preserve"', f"<is>{RUNS}</is>"),
        ("", f'<is xml:space="preserve">{RUNS}</is>'),
        (
            ' xml:space="preserve"',
            "<is><r><t>Contract</t></r><r><t> renewed</t></r><rPh><t>no</t></rPh></is>",
        ),
        ("", "<is><t><![CDATA[Contract]]> renew<!-- -->ed</t></is>"),
        ("", "<is><t>Contract&#32;renewed</t></is>"),
    ],
)
def test_the_rule_for_white_space_may_stand_on_any_element(
    tmp_path: Path, attributes: str, cell: str
) -> None:
    sheet = sheet_xml(
        text_cells(2, LEAD[:3]) + f'<c r="D2" t="inlineStr">{cell}</c>', attributes=attributes
    )
    assert load(write_xlsx(tmp_path / "a.xlsx", sheet)).rows == {2: LEAD}


@pytest.mark.parametrize(
    "texts",
    [
        f'<sst xmlns="{MAIN}" xml:space="preserve"><si>{RUNS}</si></sst>',
        f'<sst xmlns="{MAIN}"><si xml:space="preserve">{RUNS}</si></sst>',
        (
            f'<sst xmlns="{MAIN}"><si><r xml:space="default"><t>Contract</t></r>'
            '<r xml:space="preserve"><t> renewed</t></r></si></sst>'
        ),
        (
            f'<x:sst xmlns:x="{MAIN}" xml:space="preserve"><x:si><x:t>Contract renewed</x:t></x:si>'
            "</x:sst>"
        ),
        f'<sst xmlns="{MAIN}"><si><t>Contract_x0020_renew_x0065_d</t></si></sst>',
    ],
)
def test_shared_strings_keep_their_white_space(tmp_path: Path, texts: str) -> None:
    sheet = with_reason('<c r="D2" t="s"><v>0</v></c>')
    assert load(write_xlsx(tmp_path / "a.xlsx", sheet, texts=texts)).rows == {2: LEAD}


@pytest.mark.parametrize("space", ["", ' xml:space="preserve"'])
def test_a_nul_in_a_text_is_refused_whichever_way_the_sheet_is_read(
    tmp_path: Path, space: str
) -> None:
    sheet = with_reason('<c r="D2" t="s"><v>0</v></c>')
    texts = f'<sst xmlns="{MAIN}"{space}><si><t>Paid_x0000_late</t></si></sst>'
    assert "is damaged" in refusal(write_xlsx(tmp_path / "a.xlsx", sheet, texts=texts))


@pytest.mark.parametrize(
    "text", ["<t>a</t><t>a</t>", "<t>a</t>\n<t>b</t>", "<r><t>a</t><t>b</t></r>"]
)
@pytest.mark.parametrize("shared", [True, False])
def test_two_texts_in_the_place_of_one_are_refused(
    tmp_path: Path, text: str, *, shared: bool
) -> None:
    texts = f'<sst xmlns="{MAIN}"><si>{text}</si></sst>' if shared else None
    cell = 't="s"><v>0</v>' if shared else f't="inlineStr"><is>{text}</is>'
    path = write_xlsx(tmp_path / "a.xlsx", with_reason(f'<c r="D2" {cell}</c>'), texts=texts)
    assert "is damaged" in refusal(path)


@pytest.mark.parametrize(
    "extension",
    ['<ext xmlns="urn:x"><v>0</v></ext>', "<extLst><ext><v>0</v></ext></extLst>", "<y:v/>"],
)
def test_what_programs_add_to_a_cell_is_not_its_value(tmp_path: Path, extension: str) -> None:
    sheet = sheet_xml(
        text_cells(2, LEAD[:3]) + f'<c r="D2" t="s"><v>1</v>{extension}</c>',
        attributes=' xmlns:y="urn:y"',
    )
    assert load(write_xlsx(tmp_path / "a.xlsx", sheet, texts=TEXTS)).rows == {2: LEAD}


@pytest.mark.parametrize("count", ["0", "1", "2147483648", "99999999999999999999", "x"])
def test_the_declared_number_of_shared_strings_does_not_matter(tmp_path: Path, count: str) -> None:
    texts = TEXTS.replace("<sst ", f'<sst count="7" uniqueCount="{count}" ')
    sheet = with_reason('<c r="D2" t="s"><v>1</v></c>')
    assert load(write_xlsx(tmp_path / "a.xlsx", sheet, texts=texts)).rows == {2: LEAD}


def test_two_values_in_one_cell_are_refused(tmp_path: Path) -> None:
    sheet = with_reason('<c r="D2" t="s"><v>0</v><v>1</v></c>')
    assert "is damaged" in refusal(write_xlsx(tmp_path / "a.xlsx", sheet, texts=TEXTS))


def test_the_workbook_is_found_without_the_links_of_the_package(tmp_path: Path) -> None:
    parts = zip_parts(write_xlsx(tmp_path / "a.xlsx", ONE_ROW))
    del parts["_rels/.rels"]
    assert load(write_zip(tmp_path / "a.xlsx", parts)).rows == {2: LEAD}


@pytest.mark.parametrize("error", ["#SPILL!", "#CALC!", "#BUSY!", "#UNKNOWN!", "#N/A", ""])
def test_any_error_is_a_cell_with_an_error(tmp_path: Path, error: str) -> None:
    sheet = with_reason(f'<c r="D2" t="e"><v>{error}</v></c>')
    cells = (*LEAD[:3], NoValue(error or "#VALUE!"))
    assert load(write_xlsx(tmp_path / "a.xlsx", sheet)).rows == {2: cells}


ONE_ROW = sheet_xml(text_cells(2))
MACRO = "http://schemas.microsoft.com/office/2006/relationships/xlMacrosheet"


@pytest.mark.parametrize(
    "entry",
    [
        '<sheet name="Gone" sheetId="2" r:id="rId2"/>',  # a link to a part that is missing
        '<sheet name="Gone" sheetId="2" r:id="rId77"/>',
        '<sheet name="Gone" sheetId="2" r:id=""/>',
        '<sheet name="Gone" sheetId="2"/>',
        "<sheet/>",
        '<sheet name="Macro" sheetId="x" r:id="rId3"/>',
        '<sheet name="Odd" sheetId="2" r:id="rId4" state="show" unknown="1"/>',
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_one_odd_entry_never_refuses_a_good_table(tmp_path: Path, entry: str, first: bool) -> None:
    table = '<sheet name="Locks" sheetId="1" r:id="rId1"/>'
    links = (
        f'<Relationship Id="rId2" Type="{OFFICE}/worksheet" Target="worksheets/gone.xml"/>'
        f'<Relationship Id="rId3" Type="{MACRO}" Target="macrosheets/sheet1.xml"/>'
        f'<Relationship Id="rId4" Type="{OFFICE}/worksheet" Target="worksheets/sheet2.xml"/>'
    )
    blank = f'<worksheet xmlns="{MAIN}"><sheetData/></worksheet>'
    path = write_xlsx(
        tmp_path / "a.xlsx",
        ONE_ROW,
        sheets=entry + table if first else table + entry,
        links=links,
        parts={"xl/worksheets/sheet2.xml": blank, "xl/macrosheets/sheet1.xml": "<x"},
    )
    assert load(path).rows == {2: LEAD}
    assert load(path).table.sheet == "Locks"


@pytest.mark.parametrize(
    ("state", "hidden"),
    [("show", False), ("", False), ("Visible", False), (" hidden ", True), ("veryHidden", True)],
)
def test_only_a_hidden_sheet_is_hidden(tmp_path: Path, state: str, hidden: bool) -> None:
    entry = f'<sheet name="Locks" sheetId="1" state="{state}" r:id="rId1"/>'
    path = write_xlsx(tmp_path / "a.xlsx", ONE_ROW, sheets=entry)
    if hidden:
        assert "no visible sheet" in refusal(path)
    else:
        assert load(path).rows == {2: LEAD}


def test_two_sheets_with_one_name_are_two_sheets(tmp_path: Path) -> None:
    link = f'<Relationship Id="rId2" Type="{OFFICE}/worksheet" Target="worksheets/b.xml"/>'
    path = write_xlsx(
        tmp_path / "a.xlsx",
        ONE_ROW,
        sheets='<sheet name="A" r:id="rId2"/><sheet name="A" r:id="rId1"/>',
        links=link,
        parts={"xl/worksheets/b.xml": f'<worksheet xmlns="{MAIN}"><sheetData/></worksheet>'},
    )
    assert load(path).rows == {2: LEAD}


@pytest.mark.parametrize(
    "dimension", ["A1", "B7:C9", "A1:XFD1048576", "D4:A1", "nonsense", "", "A1:B2:C3", "A0"]
)
def test_a_dimension_that_lies_changes_nothing(tmp_path: Path, dimension: str) -> None:
    sheet = sheet_xml(text_cells(2), head=f'<dimension ref="{dimension}"/>')
    assert load(write_xlsx(tmp_path / "a.xlsx", sheet)).rows == {2: LEAD}


def test_what_stands_beside_the_table_may_hold_anything(tmp_path: Path) -> None:
    dtd = b'<!DOCTYPE x [<!ENTITY e "text">]><x>&e;</x>'
    path = write_xlsx(
        tmp_path / "a.xlsm",
        ONE_ROW,
        workbook="<definedNames><definedName/></definedNames>",
        parts={
            "docProps/custom.xml": dtd,
            "xl/vbaProject.bin": b"\xd0\xcf\x11\xe0",
            "customXml/item1.xml": "<?xml version='1.0' encoding='utf-16'?>".encode("utf-16"),
            "xl/macrosheets/sheet1.xml": b"<cut",
        },
    )
    assert load(path).rows == {2: LEAD}


@pytest.mark.parametrize("number_format", [14, 27, 31, 36, 50, 57, 58])
def test_built_in_formats_need_no_record(tmp_path: Path, number_format: int) -> None:
    link = f'<Relationship Id="rId5" Type="{OFFICE}/styles" Target="styles.xml"/>'
    styles = (
        f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="0"/><xf numFmtId="{number_format}"/>'
        "</cellXfs></styleSheet>"
    )
    path = write_xlsx(
        tmp_path / "a.xlsx",
        with_reason('<c r="D2" s="1"><v>45730</v></c>'),
        links=link,
        parts={"xl/styles.xml": styles},
    )
    assert load(path).rows == {2: (*LEAD[:3], date(2025, 3, 14))}


@pytest.mark.parametrize("comment", ["", "<!-- -->"])
def test_cells_read_alike_whichever_way_the_sheet_is_read(tmp_path: Path, comment: str) -> None:
    """A comment in the rows makes the sheet one that is read element by element."""
    cells = (
        '<c r="A2"><v>5843104000000425565</v></c><c r="B2"><v>5843104000</v></c>'
        '<c r="C2"><v>-1.5E-3</v></c><c r="D2" t="b"><v>1</v></c>'
        '<c r="E2" s="1"><v>45730.5</v></c><c r="F2" s="1"><v>0.25</v></c>'
        '<c r="G2" s="2"><v>1.25</v></c><c r="H2" t="str"><f>A1</f><v> a&amp;b </v></c>'
        '<c r="I2"><f>B1+1</f></c><c r="J2" t="inlineStr"><is><t> a  b </t></is></c>'
        '<c r="K2" s="9"><v>7</v></c><c r="L2" s="1"/><c r="M2" t="str"><f>""</f><v></v></c>'
        '<c r="N2" t="inlineStr"><is><t xml:space="preserve"> _x000D_\ta</t></is></c>'
    )
    titles = "".join(f'<c r="{letter}1" t="str"><v>{letter}</v></c>' for letter in "EFGHIJKLMN")
    styles = (
        f'<styleSheet xmlns="{MAIN}"><numFmts><numFmt numFmtId="164" formatCode="[h]:mm"/>'
        '</numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="22"/><xf numFmtId="164"/></cellXfs>'
        "</styleSheet>"
    )
    path = write_xlsx(
        tmp_path / "a.xlsx",
        sheet_xml(cells).replace("</row><row", f"{titles}</row>{comment}<row", 1),
        links=f'<Relationship Id="rId5" Type="{OFFICE}/styles" Target="styles.xml"/>',
        parts={"xl/styles.xml": styles},
    )
    row = load(path).rows[2]
    assert [repr(cell) for cell in row] == [
        "5.843104000000426e+18",
        "5843104000",
        "-0.0015",
        "True",
        "datetime.datetime(2025, 3, 14, 12, 0)",
        "datetime.time(6, 0)",
        "datetime.timedelta(days=1, seconds=21600)",
        "' a&b '",
        "NoValue(text='=B1+1')",
        "'a  b'",
        "7",
        "None",
        "None",
        "' \\r\\ta'",
    ]
