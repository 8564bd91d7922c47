"""Write workbooks part by part: as report generators write them, and damaged or hostile ones."""

import re
import struct
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
STRICT_LINKS = "http://purl.oclc.org/ooxml/officeDocument/relationships"
KINDS = "application/vnd.openxmlformats-officedocument.spreadsheetml"
TITLES = ("Module", "Record Id", "Lock Id", "Reason")
IDS = ("Leads", "5843104000000425565", "5843104000000425777")


def cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def row(number: int, *cells: str) -> str:
    return f'<row r="{number}">{"".join(cells)}</row>'


def line(number: int, *texts: str) -> str:
    return row(number, *(cell(f"{chr(65 + at)}{number}", text) for at, text in enumerate(texts)))


HEADER = line(1, *TITLES)


def parts(
    rows: str, *, shared: str | None = None, prefix: str = "", book: str = ""
) -> dict[str, bytes]:
    name = f"xmlns:{prefix[:-1]}" if prefix else "xmlns"
    contents = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/'
        'content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-'
        'package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="'
        f'{KINDS}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="'
        f'{KINDS}.worksheet+xml"/><Override PartName="/xl/sharedStrings.xml" ContentType="'
        f'{KINDS}.sharedStrings+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="a" '
        f'Type="{LINKS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="b" '
        f'Type="{LINKS}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="c" '
        f'Type="{LINKS}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        "xl/workbook.xml": f'<{prefix}workbook {name}="{MAIN}" xmlns:r="{LINKS}"><{prefix}sheets>'
        f'<{prefix}sheet name="Locks" sheetId="1" r:id="b"/></{prefix}sheets>{book}'
        f"</{prefix}workbook>",
        "xl/worksheets/sheet1.xml": f'<{prefix}worksheet {name}="{MAIN}"><{prefix}sheetData>{rows}'
        f"</{prefix}sheetData></{prefix}worksheet>",
        "xl/sharedStrings.xml": f'<{prefix}sst {name}="{MAIN}">{shared or ""}</{prefix}sst>',
    }
    return {name: text.encode() for name, text in contents.items()}


def write(name: str, contents: dict[str, bytes]) -> None:
    with zipfile.ZipFile(HERE / f"hand-{name}", "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in contents.items():
            archive.writestr(zipfile.ZipInfo(part), content, zipfile.ZIP_DEFLATED)


def shared_row(*indices: int) -> str:
    cells = (f'<c r="{chr(65 + at)}2" t="s"><v>{n}</v></c>' for at, n in enumerate(indices))
    return HEADER + row(2, *cells)


def strings(*texts: str) -> str:
    return "".join(f"<si>{text}</si>" for text in texts)


TEXTS = [f"<t>{text}</t>" for text in IDS]
SHEET = "xl/worksheets/sheet1.xml"


def good() -> None:
    plain = HEADER + line(2, *IDS, "Under review")
    write("plain.xlsx", parts(plain))
    write(
        "indented.xlsx",
        parts(
            re.sub(r"(<[a-z])", r"\n    \1", shared_row(0, 1, 2, 3)),
            shared=re.sub(
                r"(</?(?:si|r|t)>)",
                r"\n  \1",
                strings(*TEXTS, "<r><t>Under</t></r><r><t> review</t></r>"),
            )
            .replace("<t> review", '<t xml:space="preserve"> review')
            .replace("\n  </t>", "</t>"),
        ),
    )
    write(
        "phonetic.xlsx",
        parts(
            shared_row(0, 1, 2, 3),
            shared=strings(
                *TEXTS,
                '<t>審査中</t><rPh sb="0" eb="3"><t>シンサチュウ</t></rPh><phoneticPr fontId="1"/>',
            ),
        ),
    )
    write(
        "escapes.xlsx",
        parts(shared_row(0, 1, 2, 3), shared=strings(*TEXTS, "<t>a_x000D_\nb _x005F_x0041_</t>")),
    )
    prefixed = re.sub(r"<(/?)(\w)", r"<\1x:\2", plain)
    write("prefixed.xlsx", parts(prefixed, prefix="x:"))
    swapped = {
        name: content.replace(LINKS.encode(), STRICT_LINKS.encode()).replace(
            MAIN.encode(), STRICT.encode()
        )
        for name, content in parts(
            plain
            + line(3, *IDS).replace("</row>", '<c r="D3" t="d"><v>2025-03-14</v></c></row>')
            + line(4, *IDS[:2]).replace("</row>", '<c r="C4" t="e"><v>#N/A</v></c></row>')
        ).items()
    }
    write("strict.xlsx", swapped)
    write("no-references.xlsx", parts(re.sub(r' r="\w+"', "", plain + line(3, *IDS, "second"))))
    wrong = parts(plain)
    wrong[SHEET] = wrong[SHEET].replace(
        b"<sheetData>", b'<dimension ref="A1:XFD1048576"/><sheetData>'
    )
    write("wrong-dimension.xlsx", wrong)
    write(
        "formulas.xlsx",
        parts(
            HEADER
            + row(
                2,
                *(
                    f'<c r="{"ABC"[at]}2" t="str"><f>X1</f><v>{text}</v></c>'
                    for at, text in enumerate(IDS)
                ),
                '<c r="D2"><f>6*7</f><v>42</v></c>',
            )
            + row(
                3,
                cell("A3", "Leads"),
                cell("B3", IDS[1]),
                '<c r="C3"><f>C9&amp;""</f></c>',
                cell("D3", "no value"),
            )
            + row(
                4,
                cell("A4", "Leads"),
                cell("B4", IDS[1]),
                '<c r="C4" t="e"><f>NA()</f><v>#N/A</v></c>',
                cell("D4", "error"),
            )
            + row(5, '<c r="A5"><f>A9</f></c>')
        ),
    )
    write(
        "two-hidden.xlsx",
        hidden_sheets(plain),
    )
    write("far-row.xlsx", parts(plain + row(1048576, cell("XFD1048576", "far outside"))))
    write("blank-far.xlsx", parts(plain + row(1048576, '<c r="XFD1048576" s="0"/>')))
    flat = parts(plain)
    moved = parts(shared_row(0, 1, 2, 3), shared=strings(*TEXTS, "<t>Under review</t>"))
    for name in ("workbook", "sharedStrings"):
        moved = {
            part.replace(f"{name}.xml", f"{name}22.xml"): content.replace(
                f"{name}.xml".encode(), f"{name}22.xml".encode()
            )
            for part, content in moved.items()
        }
    write("workbook22.xlsx", moved)
    query = '<?xml version="1.0" encoding="utf-16"?><DataMashup>x</DataMashup>'.encode("utf-16")
    commented = b"<?xml version='1.0'?>\n<!-- made by hand - not in a program -->\n" + flat[SHEET]
    write("query.xlsx", flat | {"customXml/item1.xml": query, SHEET: commented})
    write(
        "cp1252.xlsx",
        flat | {SHEET: b'<?xml version="1.0" encoding="windows-1252"?>' + flat[SHEET]},
    )


def hidden_sheets(plain: str) -> dict[str, bytes]:
    contents = parts(plain)
    contents["xl/worksheets/sheet2.xml"] = contents["xl/worksheets/sheet3.xml"] = contents[SHEET]
    contents["xl/workbook.xml"] = contents["xl/workbook.xml"].replace(
        b"</sheets>",
        b'<sheet name="Old" sheetId="2" state="hidden" r:id="d"/>'
        b'<sheet name="Older" sheetId="3" state="veryHidden" r:id="e"/></sheets>',
    )
    links = "".join(
        f'<Relationship Id="{key}" Type="{LINKS}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for key, n in (("d", 2), ("e", 3))
    )
    rels = "xl/_rels/workbook.xml.rels"
    contents[rels] = contents[rels].replace(
        b"</Relationships>", links.encode() + b"</Relationships>"
    )
    return contents


def bad() -> None:
    plain = HEADER + line(2, *IDS, "Under review")
    flat = parts(plain)
    write(
        "two-sheets.xlsx",
        {k: re.sub(rb' state="\w+"', b"", v) for k, v in hidden_sheets(plain).items()},
    )
    write("past-the-end.xlsx", parts(shared_row(0, 1, 2, 9), shared=strings(*TEXTS)))
    write("before-the-start.xlsx", parts(shared_row(0, 1, 2, -1), shared=strings(*TEXTS)))
    write("nul.xlsx", parts(HEADER + line(2, *IDS, "a\0b")))
    write("misplaced.xlsx", parts(HEADER + row(2, '<c r="A2" t="inlineStr"><v>Leads</v></c>')))
    write("out-of-order.xlsx", parts(HEADER + line(3, *IDS, "c") + line(2, *IDS, "b")))
    write("twice.xlsx", parts(HEADER + line(2, *IDS, "b") + line(2, *IDS, "c")))
    twice = cell("B2", "5843104000000425566")
    write("cell-twice.xlsx", parts(HEADER + line(2, *IDS, "b").replace("</row>", twice + "</row>")))
    wrong = line(2, *IDS, "b").replace('"C2"', '"C3"')
    write("cell-of-another-row.xlsx", parts(HEADER + wrong + line(4, *IDS, "c")))
    write("beyond-the-last-row.xlsx", parts(plain + row(4000000000, cell("A4000000000", "x"))))
    write("beyond-the-last-column.xlsx", parts(plain + row(3, cell("XFE3", "x"))))
    write(
        "utf-16.xlsx",
        flat
        | {
            SHEET: ('<?xml version="1.0" encoding="UTF-16"?>' + flat[SHEET].decode()).encode(
                "utf-16"
            )
        },
    )
    entity = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
    write("external-entity.xlsx", flat | {SHEET: entity + flat[SHEET]})
    write("entity-elsewhere.xlsx", flat | {"docProps/core.xml": entity + b"<x>&e;</x>"})
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(10))
    write(
        "laughs.xlsx",
        flat
        | {SHEET: f"<!DOCTYPE x [{laughs}]>".encode() + flat[SHEET].replace(b"Leads", b"&l9;")},
    )
    late = b"<!--" + b"x" * (2 << 20) + b"-->"
    write("late-entity.xlsx", flat | {SHEET: late + entity + flat[SHEET]})
    write("cut-xml.xlsx", flat | {SHEET: flat[SHEET][:-60]})
    write("no-part.xlsx", {name: content for name, content in flat.items() if name != SHEET})
    write(
        "low-header.xlsx",
        parts("".join(row(n, cell(f"A{n}", "title")) for n in range(1, 21)) + line(21, *TITLES)),
    )
    write("archive.zip", {"readme.txt": b"hello"})
    write("document.xlsx", {"word/document.xml": b"<x/>", "[Content_Types].xml": b"<x/>"})
    whole = (HERE / "hand-plain.xlsx").read_bytes()
    (HERE / "hand-truncated.xlsx").write_bytes(whole[:-200])
    flipped = bytearray(whole)
    at = whole.index(b"sheet1.xml") + 30
    flipped[at : at + 20] = bytes(20)
    (HERE / "hand-corrupt.xlsx").write_bytes(flipped)
    (HERE / "hand-pdf.xlsx").write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n")
    (HERE / "hand-png.xls").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    (HERE / "hand-empty.xlsx").write_bytes(b"")


def open_document() -> None:
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )

    def text(content: str, more: str = "") -> str:
        return f'<table:table-cell {more} office:value-type="string"><text:p>{content}</text:p></table:table-cell>'

    def write_ods(name: str, body: str, before: str = "", manifest: str = "") -> None:
        content = (
            f"{before}<office:document-content {spaces}><office:body><office:spreadsheet><table:table "
            f'table:name="Locks">{body}</table:table></office:spreadsheet></office:body></office:document-content>'
        )
        write(
            name,
            {
                "mimetype": b"application/vnd.oasis.opendocument.spreadsheet",
                "content.xml": content.encode(),
                "META-INF/manifest.xml": f"<manifest>{manifest}</manifest>".encode(),
            },
        )

    head = f"<table:table-row>{''.join(map(text, TITLES))}</table:table-row>"
    same = f'<table:table-row table:number-rows-repeated="2">{"".join(map(text, (*IDS, "same")))}</table:table-row>'
    blank = '<table:table-row table:number-rows-repeated="{}"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    last = f"<table:table-row>{''.join(map(text, (*IDS, 'last')))}</table:table-row>"
    write_ods("repeated.ods", head + same + blank.format(1000) + last + blank.format(1_047_000))
    repeated = text("x", 'table:number-columns-repeated="1000"')
    write_ods(
        "bomb.ods",
        head
        + f'<table:table-row table:number-rows-repeated="1048570">{repeated}</table:table-row>',
    )
    bare = [f"<table:table-cell><text:p>{each}</text:p></table:table-cell>" for each in IDS]
    marked = "a <!-- not shown --><![CDATA[<b> & ]]>c<?and x?> <text:span>d</text:span>"
    write_ods(
        "untyped.ods",
        head
        + f"<table:table-row>{''.join(bare)}{text(marked)}</table:table-row>"
        + f"<table:table-row>{text(IDS[0])}{text(IDS[1])}{bare[2].replace('p>5', 'p><!-- -->5')}"
        '<table:table-cell table:formula="of:=&quot;a>b&quot;"><office:annotation><text:p>note'
        "</text:p></office:annotation><text:p>a</text:p><text:p>b</text:p></table:table-cell>"
        '<table:table-cell table:number-columns-repeated="16380"/></table:table-row>',
    )
    span = '<table:table-cell office:value-type="time" office:time-value="{}"><text:p>shown</text:p></table:table-cell>'
    lengths = ("PT26H30M00S", "-PT02H30M00S", "PT12H30M00S", "PT90M", "P1DT2H", "P1Y", "-PT0S")
    write_ods(
        "spans.ods",
        head
        + "".join(
            f"<table:table-row>{''.join(map(text, IDS))}{span.format(each)}</table:table-row>"
            for each in lengths
        ),
    )
    box = (
        '<draw:frame xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"><draw:text-box>'
        "<text:p>not in the cell</text:p></draw:text-box></draw:frame>"
    )
    shaped = text("reason").replace("<text:p>", f"{box}<text:p>{box}the ")
    write_ods(
        "drawings.ods",
        f"<table:shapes>{box}</table:shapes>{head}"
        f"<table:table-row>{''.join(map(text, IDS))}{shaped}</table:table-row>"
        f"<table:table-row><table:table-cell>{box}</table:table-cell></table:table-row>",
    )
    write_ods("entities.ods", head, before='<!DOCTYPE x [<!ENTITY e "x">]>')
    write_ods("encrypted.ods", head, manifest="<encryption-data/>")
    error = '<table:table-cell table:formula="of:=NA()" office:value-type="string" office:string-value=""><text:p>#N/A</text:p></table:table-cell>'
    write_ods(
        "error.ods",
        head + f"<table:table-row>{text(IDS[0])}{text(IDS[1])}{error}{text('x')}</table:table-row>",
    )


def binary() -> None:
    """Write an .xlsb whose cells say in which column they are, as Excel does."""
    with zipfile.ZipFile(HERE / "sheetjs.xlsb") as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}

    def record(kind: int, content: bytes = b"") -> bytes:
        start = bytes([kind]) if kind < 128 else bytes([kind & 127 | 128, kind >> 7])
        size = len(content)
        length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
        return start + length + content

    def sheet(*rows: tuple[int, tuple[object, ...]]) -> bytes:
        content = record(129) + record(148, bytes(16)) + record(145)
        for number, cells in rows:
            content += record(0, struct.pack("<I13x", number))
            for column, cell in enumerate(cells):
                at = struct.pack("<II", column, 0)
                if isinstance(cell, str):
                    text = cell.encode("utf-16-le")
                    content += record(6, at + struct.pack("<I", len(cell)) + text)
                elif isinstance(cell, bytes):
                    content += record(3, at + cell)
                elif cell is None:
                    content += record(1, at)
                else:
                    content += record(5, at + struct.pack("<d", cell))
        return content + record(146) + record(130)

    part = next(name for name in contents if name.endswith("sheet1.bin"))
    rows = ((0, TITLES), (1, (*IDS, "審査中")), (4, (*IDS[:2], b"\x2a", 42.0)), (5, (b"\x17",)))
    write("binary.xlsb", contents | {part: sheet(*rows)})
    far = ((0, TITLES), (1048575, (*[None] * 16383, "far")))
    write("binary-far.xlsb", contents | {part: sheet(*far)})
    write("binary-cut.xlsb", contents | {part: sheet(*rows)[:-30]})


if __name__ == "__main__":
    good()
    bad()
    open_document()
    binary()
