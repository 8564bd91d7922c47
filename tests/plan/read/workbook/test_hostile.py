"""Files that would do harm if they were expanded as they ask; they are made here, at run time."""

import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import xlsxwriter  # type: ignore[import-untyped]  # comes without types
from support.commands import Run
from support.paths import DATA

from batchlock.core.errors import UnreadableFile
from batchlock.plan.read import ReadOptions
from batchlock.plan.read import read_table as read

SHEET = "xl/worksheets/sheet1.xml"
HEAD = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
TAIL = b"</sheetData></worksheet>"
MIB = 1 << 20
TITLES = ("Module", "Record Id", "Lock Id", "Reason")
ROW = ("Leads", "5843104000000425565", "5843104000000425777", "Under review")


def bomb(path: Path, unit: bytes, size: int, part: str = SHEET) -> Path:
    """Write a workbook one of whose parts becomes `size` bytes."""
    with (
        zipfile.ZipFile(DATA / "hand-plain.xlsx") as good,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for name in good.namelist():
            if name != part:
                archive.writestr(name, good.read(name))
        piece = unit * (MIB // len(unit))
        with archive.open(part, "w", force_zip64=True) as file:
            file.write(HEAD)
            for _ in range(size // len(piece)):
                file.write(piece)
            file.write(TAIL)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(UnreadableFile) as caught:
        for _ in read(path, ReadOptions()).chunks:
            pass
    assert str(caught.value).startswith(path.name)
    return str(caught.value)


@pytest.mark.parametrize(
    ("unit", "part"),
    [
        (b" ", SHEET),
        (b"<row><c><v>1</v></c></row>", SHEET),
        (b"<si/>", "xl/sharedStrings.xml"),
        (b"\0", "xl/media/image1.png"),
    ],
)
def test_what_becomes_far_larger_than_it_is_is_not_unpacked(
    tmp_path: Path, unit: bytes, part: str
) -> None:
    path = bomb(tmp_path / "bomb.xlsx", unit, 64 * MIB, part)
    assert path.stat().st_size < MIB
    assert "far larger when it is unpacked" in refusal(path)


def lying(path: Path, told: int, *, checked: bool) -> Path:
    """Make the directory tell a smaller size of a part, and the right check sum of that much."""
    with zipfile.ZipFile(path) as archive, archive.open(SHEET) as file:
        start = file.read(told)
    content = bytearray(path.read_bytes())
    at = content.rfind(b"PK\x01\x02")
    if checked:
        struct.pack_into("<I", content, at + 16, zlib.crc32(start))
    struct.pack_into("<I", content, at + 24, told)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("checked", [True, False])
def test_a_directory_that_tells_less_is_not_believed(tmp_path: Path, *, checked: bool) -> None:
    path = lying(bomb(tmp_path / "bomb.xlsx", b" ", 64 * MIB), 5_000, checked=checked)
    assert "bomb.xlsx" in refusal(path)


def test_parts_that_overlap_are_not_unpacked(tmp_path: Path) -> None:
    path = bomb(tmp_path / "bomb.xlsx", b" ", 8 * MIB)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        names = archive.infolist()
    at = content.rfind(b"PK\x01\x02")
    struct.pack_into("<I", content, at + 20, names[-1].compress_size + len(content))
    path.write_bytes(content)
    assert "bomb.xlsx" in refusal(path)


def test_a_part_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = bomb(tmp_path / "twice.xlsx", b" ", 0)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(SHEET.upper(), HEAD + TAIL)
    assert "is damaged" in refusal(path)


def test_a_cell_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cell.xlsx"
    text = (
        bytes(33 + n * 7919 % 90 for n in range(12 * MIB)).replace(b"<", b" ").replace(b"&", b" ")
    )
    bomb(path, b" ", 0)
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    parts[SHEET] = HEAD + b'<row r="1"><c r="A1" t="inlineStr"><is><t>' + text
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    assert "more text in one cell" in refusal(path)


@pytest.mark.parametrize(
    ("before", "after", "part"),
    [
        (b'<row><c t="inlineStr"><is><t>', b"</t></is></c></row>", SHEET),
        (b"<sst><si><t>", b"</t></si></sst>", "xl/sharedStrings.xml"),
    ],
)
def test_a_cell_with_more_text_than_one_can_hold_is_refused(
    tmp_path: Path, before: bytes, after: bytes, part: str
) -> None:
    unit = before + b"a" * (MIB - len(before) - len(after)) + after
    path = bomb(tmp_path / "cell.xlsx", unit, 8 * MIB, part)
    assert "more text in one cell" in refusal(path)


def test_a_part_that_is_read_whole_is_small(tmp_path: Path) -> None:
    path = bomb(tmp_path / "book.xlsx", b"<x/>", 9 * MIB, "xl/_rels/workbook.xml.rels")
    assert "far larger when it is unpacked" in refusal(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_kind_of_compression_that_no_workbook_has_is_refused(tmp_path: Path, method: int) -> None:
    path = tmp_path / "odd.xlsx"
    with (
        zipfile.ZipFile(DATA / "hand-plain.xlsx") as good,
        zipfile.ZipFile(path, "w", method) as made,
    ):
        for name in good.namelist():
            made.writestr(name, good.read(name))
    assert "is damaged" in refusal(path)


def test_a_zip_with_a_password_is_said_to_have_one(tmp_path: Path) -> None:
    content = bytearray((DATA / "hand-plain.xlsx").read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    path = tmp_path / "locked.xlsx"
    path.write_bytes(content)
    assert "protected with a password" in refusal(path)


@pytest.mark.parametrize(
    "name",
    ["hand-plain.xlsx", "libreoffice.ods", "perl-writeexcel.xls", "hand-binary.xlsb"],
)
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, name: str) -> None:
    whole = (DATA / name).read_bytes()
    path = tmp_path / name
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        path.write_bytes(whole[: int(len(whole) * share)])
        refusal(path)


def open_document(path: Path, *sheets: str) -> Path:
    """Write an .ods from the rows of its sheets."""
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )
    tables = "".join(
        f'<table:table table:name="S{at}">{rows}</table:table>' for at, rows in enumerate(sheets)
    )
    content = (
        f"<office:document-content {spaces}><office:body><office:spreadsheet>{tables}"
        "</office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
    return path


def repeated(rows: int, columns: int, text: str = "y") -> str:
    return (
        f'<table:table-row table:number-rows-repeated="{rows}"><table:table-cell '
        f'office:value-type="string" table:number-columns-repeated="{columns}">'
        f"<text:p>{text}</text:p></table:table-cell></table:table-row>"
    )


@pytest.mark.parametrize(
    ("sheets", "said"),
    [
        ([repeated(999, 999) * 1_000], "reaches to row"),
        ([repeated(9, 9) * 60_000 + repeated(1, 99)], "reaches to row"),
        ([repeated(3_000, 9_000)] * 2, "far larger when it is unpacked"),
        ([repeated(99, 99, "y" * 200_000)], "far larger when it is unpacked"),
    ],
)
def test_what_is_stored_once_for_many_is_counted(
    tmp_path: Path, sheets: Sequence[str], said: str
) -> None:
    assert said in refusal(open_document(tmp_path / "bomb.ods", *sheets))


def test_blank_rows_to_the_end_of_every_sheet_are_no_reach(tmp_path: Path) -> None:
    blank = (
        '<table:table-row table:number-rows-repeated="1048000"><table:table-cell '
        'table:number-columns-repeated="16384"/></table:table-row>'
    )
    cells = "".join(
        f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>'
        for cell in TITLES
    )
    head = f"<table:table-row>{cells}</table:table-row>"
    path = open_document(tmp_path / "a.ods", head + blank, repeated(2, 9_000) + blank, blank)
    assert read(path, ReadOptions()).titles == TITLES


@pytest.mark.skipif(sys.platform != "linux", reason="the bound of memory is Linux's")
@pytest.mark.parametrize(
    "make",
    [
        lambda path: bomb(path, b"<row><c><v>1</v></c></row>", 256 * MIB),
        lambda path: path.write_bytes((DATA / "hand-laughs.xlsx").read_bytes()),
        lambda path: path.write_bytes((DATA / "hand-bomb.ods").read_bytes()),
    ],
)
def test_the_sentence_is_about_the_file_within_the_smallest_bounds(
    tmp_path: Path,
    cli: Run,
    make: Callable[[Path], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make(tmp_path / "bomb.xlsx")
    monkeypatch.setenv("BATCHLOCK_INPUT__MAX_MEMORY", "512 MiB")
    done = cli("check", tmp_path / "bomb.xlsx")
    assert done.code == 4
    told = [line for line in done.err.splitlines() if not line.startswith("Reading ")]
    assert len(told) == 1
    assert "bomb.xlsx" in told[0]
    assert "takes more than" not in told[0]


def sparse(path: Path) -> None:
    """Write sheets of a few cells each that lie far apart, beside a table."""
    with xlsxwriter.Workbook(path) as book:
        for name in "ABCD":
            sheet = book.add_worksheet(name)
            for row in range(0, 999_000, 9_000):
                sheet.write(row, row % 39, "far")
        sheet = book.add_worksheet("Table")
        for row, cells in enumerate((TITLES, ROW)):
            sheet.write_row(row, 0, cells)


def copied(path: Path) -> None:
    """Write a long text once, and show it in cell after cell beside a table."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Table")
        for row, cells in enumerate((TITLES, ROW)):
            sheet.write_row(row, 0, cells)
        sheet = book.add_worksheet("Texts")
        for row in range(40_000):
            sheet.write(row, 0, "x" * 32_000)


def record(kind: int, content: bytes) -> bytes:
    """Return a record of an .xlsb."""
    start = bytes([kind]) if kind < 128 else bytes([kind & 127 | 128, kind >> 7])
    size = len(content)
    return (
        start + bytes(size >> shift & 127 | 128 for shift in (0, 7)) + bytes([size >> 14]) + content
    )


def test_a_text_that_an_xlsb_shows_in_cell_after_cell_is_counted(tmp_path: Path) -> None:
    with zipfile.ZipFile(DATA / "hand-binary.xlsb") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    text = "x" * 32_000
    rows = b"".join(
        record(0, struct.pack("<I13x", row)) + record(7, struct.pack("<III", 0, 0, 0))
        for row in range(40_000)
    )
    parts |= {
        "xl/sharedStrings.bin": record(159, struct.pack("<II", 1, 1))
        + record(19, b"\0" + struct.pack("<I", len(text)) + text.encode("utf-16-le"))
        + record(160, b""),
        "xl/worksheets/sheet1.bin": record(145, b"") + rows + record(146, b""),
    }
    with zipfile.ZipFile(tmp_path / "a.xlsb", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    assert "far larger when it is unpacked" in refusal(tmp_path / "a.xlsb")


@pytest.mark.skipif(sys.platform != "linux", reason="the bound of memory is Linux's")
@pytest.mark.parametrize("make", [sparse, copied])
def test_a_small_file_takes_little_memory(
    tmp_path: Path, cli: Run, make: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "small.xlsx")
    monkeypatch.setenv("BATCHLOCK_INPUT__MAX_MEMORY", "512 MiB")
    done = cli("check", tmp_path / "small.xlsx", "--json")
    assert (done.code, done.json["valid"]) == (0, 1)


def test_an_unbound_file_is_ended_by_the_setting(
    tmp_path: Path, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHLOCK_INPUT__MAX_SECONDS", "10ms")
    done = cli("check", DATA / "hand-plain.xlsx")
    assert done.code == 4
    assert "took more than 0 seconds" in done.err
