"""Read old and odd workbooks of the other formats, and name the ones that are not read."""

import struct
from datetime import date
from pathlib import Path

import pytest
import xlwt  # type: ignore[import-untyped]  # comes without types
from support.paths import DATA
from support.sheet_xml import LEAD, TITLES
from support.tables import ROW, load, refusal, write_odfpy, write_text
from support.zips import write_zip, zip_parts

from batchlock.core.errors import UnreadableFile
from batchlock.plan.read import ReadOptions, read_table
from batchlock.plan.read.workbook.xls_records import workbook_stream

CASES = DATA / "cases"
IDS = ("554023000000527001", "554023000000987001")


def test_texts_of_excel_5_without_a_code_page_are_in_that_of_their_font() -> None:
    loaded = load(CASES / "biff5-cyrillic-without-codepage.xls")
    assert loaded.rows == {2: ("Leads", *IDS, "Договор продлён")}


@pytest.mark.parametrize(
    ("character_set", "raw", "read"),
    [
        (204, "Договор продлён".encode("cp1251"), "Договор продлён"),
        (238, "Umowa zakończona".encode("cp1250"), "Umowa zakończona"),
        (161, "η σύμβαση".encode("cp1253"), "η σύμβαση"),
        (0, "Vertrag für Kunden geprüft".encode("cp1252"), "Vertrag für Kunden geprüft"),
        (0, "Договор продлён".encode("cp1251"), None),
        (1, "Vertrag für Kunden geprüft".encode("cp1252"), None),
    ],
)
def test_the_character_set_of_the_font_tells_the_encoding(
    tmp_path: Path, character_set: int, raw: bytes, read: str | None
) -> None:
    content = (CASES / "biff5-cyrillic-without-codepage.xls").read_bytes()
    old = "Договор продлён".encode("cp1251")
    raw = raw.ljust(len(old))[: len(old)] if len(raw) <= len(old) else raw
    stream, _ = workbook_stream(content)
    records = []
    at = 0
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        body = bytearray(stream[at + 4 : at + 4 + length])
        if kind == 0x31:  # FONT: the character set follows ten bytes of size, style and colour
            body[12] = character_set
        if kind == 0x204 and body[8:].startswith(old):  # LABEL: row, column, format, length
            body[6:] = struct.pack("<H", len(raw)) + raw
        records.append(struct.pack("<HH", kind, len(body)) + body)
        at += 4 + length
    path = write_text(tmp_path, b"".join(records), "a.xls")
    if read is None:
        assert "does not say for certain in which encoding" in refusal(path)
    else:
        assert load(path).rows[2][3] == read.ljust(len(old))


def test_the_name_of_the_stream_may_be_in_capitals() -> None:
    loaded = load(CASES / "stream-name-in-capitals.xls")
    assert loaded.rows == {2: ("Leads", *IDS, "Contract renewed")}


def test_a_number_format_without_a_record_does_not_matter() -> None:
    loaded = load(CASES / "format-31-without-record.xls")
    assert loaded.rows == {
        2: ("Leads", *IDS, "Contract renewed"),
        3: ("Deals", "554023000000527002", None, "Customer has paid"),
    }


def test_a_macro_beside_the_table_does_not_matter() -> None:
    assert list(load(CASES / "basic-macro.ods").rows) == [2, 3]


def test_an_ods_without_a_mimetype_is_read(tmp_path: Path) -> None:
    parts = zip_parts(write_odfpy(tmp_path / "a.ods", [TITLES, LEAD]))
    del parts["mimetype"]
    assert load(write_zip(tmp_path / "a.ods", parts)).rows == {2: LEAD}
    del parts["META-INF/manifest.xml"]
    assert load(write_zip(tmp_path / "a.ods", parts)).rows == {2: LEAD}


def test_an_encrypted_ods_is_refused_because_of_its_password(tmp_path: Path) -> None:
    assert "is protected with a password" in refusal(CASES / "password.ods")
    # LibreOffice 24.2 and later can encrypt all parts together in one.
    parts: dict[str, bytes | str] = {
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
        "encrypted-package": b"\1\2",
        "META-INF/manifest.xml": "<manifest/>",
    }
    message = refusal(write_zip(tmp_path / "a.ods", parts))
    assert "is protected with a password" in message


@pytest.mark.parametrize(("start", "version"), [("09000400", 2), ("09020600", 3), ("09040600", 4)])
def test_a_worksheet_from_before_1993_is_named(tmp_path: Path, start: str, version: int) -> None:
    content = bytes.fromhex(start) + bytes(60)
    message = refusal(write_text(tmp_path, content, "old.xls"))
    assert f"is a worksheet of Excel {version}" in message
    assert "save it as .xlsx" in message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("~$orders.xlsx", b"\5Maria" + b" " * 159),
        (".~lock.orders.ods#", b"Maria,host,maria,27.11.2026 10:00,file:///home/maria;"),
    ],
)
def test_the_lock_file_of_an_open_workbook_is_named(
    tmp_path: Path, name: str, content: bytes
) -> None:
    message = refusal(write_text(tmp_path, content, name))
    assert "is not the workbook" in message
    assert "orders." in message.removeprefix(name)


def test_a_workbook_with_the_name_of_a_lock_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "~$orders.ods"
    path.write_bytes(write_odfpy(tmp_path / "a.ods", [TITLES, LEAD]).read_bytes())
    assert load(path).rows == {2: LEAD}


def test_a_text_of_excel_5_whose_format_does_not_exist_is_not_guessed(tmp_path: Path) -> None:
    content = bytearray((CASES / "biff5-cyrillic-without-codepage.xls").read_bytes())
    # The record LABEL: row, column, format, length and text.
    text = content.index("Договор продлён".encode("cp1251"))
    content[text - 4 : text - 2] = struct.pack("<H", 999)
    path = write_text(tmp_path, bytes(content), "a.xls")
    assert "does not say for certain in which encoding" in refusal(path)


@pytest.mark.parametrize("code_page", [1026, 500, 1200])
def test_a_code_page_that_no_spreadsheet_program_writes_is_refused(
    tmp_path: Path, code_page: int
) -> None:
    """1026 is the one of Turkish mainframes: only ASCII letters would read as something else."""
    content = (DATA / "gnumeric-excel_biff7.xls").read_bytes()
    record = struct.pack("<HHH", 0x42, 2, 1252)
    assert content.count(record) == 1
    changed = content.replace(record, struct.pack("<HHH", 0x42, 2, code_page))
    path = write_text(tmp_path, changed, "a.xls")
    assert "does not say for certain in which encoding" in refusal(path)


def test_the_index_of_a_shared_string_of_an_xls_is_not_negative(tmp_path: Path) -> None:
    """xlrd reads -1, which is the last text in Python."""
    content = bytearray((DATA / "gnumeric-excel_biff8.xls").read_bytes())
    # LABELSST of A3: row, column, format and index.
    cell = content.index(struct.pack("<HHHH", 0xFD, 10, 2, 0)) + 4
    content[cell + 6 : cell + 10] = b"\xff\xff\xff\xff"
    assert "is damaged" in refusal(write_text(tmp_path, bytes(content), "a.xls"))


def write_strings(path: Path) -> bytes:
    """Write an .xls with ten shared strings, and return it."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("Sheet")
    for row, cells in enumerate((TITLES, ROW, (*ROW[:3], "Paid"))):
        for column, text in enumerate(cells):
            sheet.write(row, column, text)
    book.save(str(path))
    return path.read_bytes()


@pytest.mark.parametrize("difference", [-3, -1, 1, 100, 1 << 30])
def test_a_wrong_number_of_shared_strings_does_not_matter(tmp_path: Path, difference: int) -> None:
    path = tmp_path / "a.xls"
    content = write_strings(path)
    # The record SST: its type, its length, the number of texts in cells and the number of texts.
    at = next(
        at
        for at in range(len(content) - 12)
        if content[at : at + 2] == b"\xfc\0"
        and struct.unpack_from("<II", content, at + 4) == (12, 9)
    )
    changed = bytearray(content)
    struct.pack_into("<I", changed, at + 8, 9 + difference)
    path.write_bytes(changed)
    assert load(path).rows == {2: ROW, 3: (*ROW[:3], "Paid")}


def binary_record(kind: int, content: bytes = b"") -> bytes:
    start = bytes([kind]) if kind < 128 else bytes([kind & 127 | 128, kind >> 7])
    return start + bytes([len(content)]) + content


def wide_text(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def write_xlsb(path: Path, *rows: tuple[int, bytes]) -> Path:
    """Write an .xlsb with the titles in row 1 and these rows, each with its number from 0."""
    titles = b"".join(
        binary_record(6, struct.pack("<II", at, 0) + wide_text(text))
        for at, text in enumerate(TITLES)
    )
    data = b"".join(
        binary_record(0, struct.pack("<I13x", row)) + cells for row, cells in ((0, titles), *rows)
    )
    sheet = binary_record(145) + data + binary_record(146)
    parts = zip_parts(DATA / "hand-binary.xlsb")
    name = next(name for name in parts if name.endswith("sheet1.bin"))
    return write_zip(path, parts | {name: sheet})


def binary_text(column: int, text: str) -> bytes:
    return binary_record(6, struct.pack("<II", column, 0) + wide_text(text))


def test_a_cell_far_outside_of_an_xlsb_costs_nothing(tmp_path: Path) -> None:
    cells = b"".join(binary_text(at, text) for at, text in enumerate(LEAD))
    path = write_xlsb(tmp_path / "a.xlsb", (1, cells), (1_048_575, binary_text(16_383, "x")))
    loaded = load(path)
    assert loaded.rows == {2: LEAD, 1_048_576: (None,) * 4}
    assert loaded.beyond[1_048_576] == ("XFD", "x")


@pytest.mark.parametrize(
    ("record", "cell"),
    [
        (binary_record(2, struct.pack("<III", 3, 0, 42 << 2 | 2)), 42),
        (binary_record(2, struct.pack("<IIi", 3, 0, -4200 << 2 | 3)), -42),
        (binary_record(13, struct.pack("<II", 0, 42 << 2 | 2)), 42),
        (binary_record(5, struct.pack("<IId", 3, 0, 0.5)), 0.5),
        (binary_record(4, struct.pack("<IIB", 3, 0, 1)), True),
        (binary_record(62, struct.pack("<IIB", 3, 0, 1) + wide_text("rich")), "rich"),
        (binary_record(17, struct.pack("<I", 0) + wide_text("short")), "short"),
        (binary_record(1, struct.pack("<II", 3, 0)), None),
    ],
)
def test_each_kind_of_cell_of_an_xlsb_is_read(tmp_path: Path, record: bytes, cell: object) -> None:
    cells = b"".join(binary_text(at, text) for at, text in enumerate(LEAD[:3])) + record
    assert load(write_xlsb(tmp_path / "a.xlsb", (1, cells))).rows == {2: (*LEAD[:3], cell)}


def test_a_whole_number_of_an_xlsb_may_be_a_date(tmp_path: Path) -> None:
    number = binary_record(2, struct.pack("<III", 3, 1, 45730 << 2 | 2))
    cells = b"".join(binary_text(at, text) for at, text in enumerate(LEAD[:3])) + number
    path = write_xlsb(tmp_path / "a.xlsb", (1, cells))
    # BrtBeginCellXFs, two BrtXF with the formats 0 and 31, BrtEndCellXFs.
    formats = b"".join(binary_record(47, struct.pack("<HH12x", 0, code)) for code in (0, 31))
    parts = zip_parts(path)
    parts["xl/styles.bin"] = binary_record(617, b"\2\0\0\0") + formats + binary_record(618)
    assert load(write_zip(path, parts)).rows == {2: (*LEAD[:3], date(2025, 3, 14))}


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(binary_record(7, struct.pack("<II", 3, 0)), id="index-missing"),
        pytest.param(binary_record(5, struct.pack("<III", 3, 0, 7)), id="half-a-number"),
        pytest.param(binary_record(0), id="row-without-number"),
        # The bytes of another type: of a cell with its column, or of a text.
        pytest.param(binary_record(18, struct.pack("<III", 3, 0, 1)), id="column-in-short-cell"),
        pytest.param(binary_record(1, struct.pack("<III", 3, 0, 1)), id="value-in-blank-cell"),
        pytest.param(
            binary_record(6, struct.pack("<III", 3, 0, 1) + "two".encode("utf-16-le")),
            id="text-longer-than-it-says",
        ),
    ],
)
def test_a_record_of_an_xlsb_with_a_wrong_length_is_refused(tmp_path: Path, record: bytes) -> None:
    cells = b"".join(binary_text(at, text) for at, text in enumerate(LEAD[:3])) + record
    # The bytes behind a record that is too short could pass for its value.
    path = write_xlsb(tmp_path / "a.xlsb", (1, cells), (2, b""))
    assert "damaged" in refusal(path)


def test_a_cell_of_an_xlsb_that_should_follow_another_one_is_refused(tmp_path: Path) -> None:
    first = binary_record(17, struct.pack("<I", 0) + wide_text(LEAD[0]))
    cells = first + b"".join(binary_text(at, text) for at, text in enumerate(LEAD[1:], 1))
    assert "damaged" in refusal(write_xlsb(tmp_path / "a.xlsb", (1, cells)))


def test_a_nul_in_a_text_of_an_xlsb_is_refused(tmp_path: Path) -> None:
    cells = b"".join(binary_text(at, text) for at, text in enumerate((*LEAD[:3], "Paid\0late")))
    assert "damaged" in refusal(write_xlsb(tmp_path / "a.xlsb", (1, cells)))


def test_an_xlsb_whose_rows_have_no_beginning_is_damaged(tmp_path: Path) -> None:
    """It was read as an empty sheet."""
    path = write_xlsb(tmp_path / "a.xlsb", (1, b""))
    parts = zip_parts(path)
    name = next(name for name in parts if name.endswith("sheet1.bin"))
    parts[name] = parts[name].removeprefix(binary_record(145))
    assert "damaged" in refusal(write_zip(path, parts))


def test_the_hidden_rows_of_an_xlsb_that_is_cut_off_are_refused(tmp_path: Path) -> None:
    """They are looked for before the rows are read."""
    cells = b"".join(binary_text(at, text) for at, text in enumerate(LEAD))
    path = write_xlsb(tmp_path / "a.xlsb", (1, cells))
    parts = zip_parts(path)
    name = next(name for name in parts if name.endswith("sheet1.bin"))
    parts[name] = parts[name][:-5]
    table = read_table(write_zip(path, parts), ReadOptions())
    with pytest.raises(UnreadableFile, match="is damaged"):
        list(table.hidden_rows())
