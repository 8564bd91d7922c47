"""Read or refuse sheets that would take too much memory, from files that are small."""

import random
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import xlsxwriter  # type: ignore[import-untyped]  # comes without types
from support.bombs import MIB, SHEET, SHEET_HEAD, write_bomb
from support.commands import RunCommand
from support.paths import DATA
from support.tables import HEADER, ROW, load, refusal
from support.zips import write_zip, zip_parts

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory")


def test_a_cell_without_end_is_refused(tmp_path: Path) -> None:
    # Text that hardly compresses, so that it is no zip bomb.
    letters = bytes(ord("A") + byte % 26 for byte in range(256))
    text = random.Random(1).randbytes(12 * MIB).translate(letters)
    parts = zip_parts(DATA / "hand-plain.xlsx")
    parts[SHEET] = SHEET_HEAD + b'<row r="1"><c r="A1" t="inlineStr"><is><t>' + text
    assert "more text in one cell" in refusal(write_zip(tmp_path / "cell.xlsx", parts))


@pytest.mark.parametrize(
    ("before", "after", "part"),
    [
        (b'<row><c t="inlineStr"><is><t>', b"</t></is></c></row>", SHEET),
        (b"<sst><si><t>", b"</t></si></sst>", "xl/sharedStrings.xml"),
    ],
)
def test_a_cell_with_more_text_than_excel_allows_is_refused(
    tmp_path: Path, before: bytes, after: bytes, part: str
) -> None:
    unit = before + b"a" * (MIB - len(before) - len(after)) + after
    path = write_bomb(tmp_path / "cell.xlsx", unit, 8 * MIB, part)
    assert "more text in one cell" in refusal(path)


def write_ods(path: Path, *sheets: str) -> Path:
    """Write an .ods from the rows of its sheets."""
    namespaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )
    tables = "".join(
        f'<table:table table:name="S{at}">{rows}</table:table>' for at, rows in enumerate(sheets)
    )
    content = (
        f"<office:document-content {namespaces}><office:body><office:spreadsheet>{tables}"
        "</office:spreadsheet></office:body></office:document-content>"
    )
    return write_zip(
        path,
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "content.xml": content,
            "META-INF/manifest.xml": "<manifest/>",
        },
    )


def repeated_cell(rows: int, columns: int, text: str = "y") -> str:
    """Return a row that stands for many equal ones, of a cell that stands for many equal ones."""
    return (
        f'<table:table-row table:number-rows-repeated="{rows}"><table:table-cell '
        f'office:value-type="string" table:number-columns-repeated="{columns}">'
        f"<text:p>{text}</text:p></table:table-cell></table:table-row>"
    )


@pytest.mark.parametrize(
    ("sheets", "message"),
    [
        ([repeated_cell(999, 999) * 1_000], "reaches to row"),
        ([repeated_cell(9, 9) * 60_000 + repeated_cell(1, 99)], "reaches to row"),
        ([repeated_cell(3_000, 9_000)] * 2, "far larger when it is unpacked"),
        ([repeated_cell(99, 99, "y" * 200_000)], "far larger when it is unpacked"),
    ],
    ids=["one sheet", "many rows", "two sheets", "text"],
)
def test_repeated_cells_of_an_ods_are_counted(
    tmp_path: Path, sheets: Sequence[str], message: str
) -> None:
    assert message in refusal(write_ods(tmp_path / "bomb.ods", *sheets))


def test_blank_rows_down_to_the_end_of_every_sheet_do_not_count(tmp_path: Path) -> None:
    blank = (
        '<table:table-row table:number-rows-repeated="1048000"><table:table-cell '
        'table:number-columns-repeated="16384"/></table:table-row>'
    )
    cells = "".join(
        f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>'
        for cell in HEADER
    )
    head = f"<table:table-row>{cells}</table:table-row>"
    path = write_ods(tmp_path / "a.ods", head + blank, repeated_cell(2, 9_000) + blank, blank)
    assert load(path).table.titles == HEADER


def record(kind: int, content: bytes) -> bytes:
    """Return a record of an .xlsb, with a length of three bytes."""
    start = bytes([kind]) if kind < 128 else bytes([kind & 127 | 128, kind >> 7])
    size = len(content)
    return (
        start + bytes(size >> shift & 127 | 128 for shift in (0, 7)) + bytes([size >> 14]) + content
    )


def test_a_text_that_many_cells_of_an_xlsb_share_is_held_once(tmp_path: Path) -> None:
    text = "x" * 32_000
    rows = b"".join(
        record(0, struct.pack("<I13x", row)) + record(7, struct.pack("<III", 0, 0, 0))
        for row in range(40_000)
    )
    parts = zip_parts(DATA / "hand-binary.xlsb") | {
        "xl/sharedStrings.bin": record(159, struct.pack("<II", 1, 1))
        + record(19, b"\0" + struct.pack("<I", len(text)) + text.encode("utf-16-le"))
        + record(160, b""),
        "xl/worksheets/sheet1.bin": record(145, b"") + rows + record(146, b""),
    }
    path = write_zip(tmp_path / "a.xlsb", parts)
    assert "no column for the module" in refusal(path)


def write_table(book: xlsxwriter.Workbook) -> None:
    sheet = book.add_worksheet("Table")
    for row, cells in enumerate((HEADER, ROW)):
        sheet.write_row(row, 0, cells)


def write_sparse(path: Path) -> None:
    """Write sheets of a few cells each that lie far apart, beside a table."""
    with xlsxwriter.Workbook(path) as book:
        for name in "ABCD":
            sheet = book.add_worksheet(name)
            for row in range(0, 999_000, 9_000):
                sheet.write(row, row % 39, "far")
        write_table(book)


def write_shared_text(path: Path) -> None:
    """Write a long text that 40,000 cells share, beside a table."""
    with xlsxwriter.Workbook(path) as book:
        write_table(book)
        sheet = book.add_worksheet("Texts")
        for row in range(40_000):
            sheet.write(row, 0, "x" * 32_000)


@linux
@pytest.mark.parametrize("write", [write_sparse, write_shared_text])
def test_a_small_file_takes_little_memory(
    tmp_path: Path,
    run_in_process: RunCommand,
    write: Callable[[Path], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(tmp_path / "small.xlsx")
    monkeypatch.setenv("BATCHLOCK_INPUT__MAX_MEMORY", "512 MiB")
    completed = run_in_process("check", tmp_path / "small.xlsx", "--json")
    assert (completed.code, completed.json["valid"]) == (0, 1)


@linux
@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_bomb(path, b"<row><c><v>1</v></c></row>", 256 * MIB),
        lambda path: path.write_bytes((DATA / "hand-laughs.xlsx").read_bytes()),
        lambda path: path.write_bytes((DATA / "hand-bomb.ods").read_bytes()),
    ],
    ids=["zip bomb", "entity bomb", "ods bomb"],
)
def test_the_message_is_about_the_file_and_not_about_a_limit(
    tmp_path: Path,
    run_in_process: RunCommand,
    write: Callable[[Path], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(tmp_path / "bomb.xlsx")
    monkeypatch.setenv("BATCHLOCK_INPUT__MAX_MEMORY", "512 MiB")
    completed = run_in_process("check", tmp_path / "bomb.xlsx")
    assert completed.code == 4
    lines = [line for line in completed.err.splitlines() if not line.startswith("Reading ")]
    assert len(lines) == 1
    assert "bomb.xlsx" in lines[0]
    assert "takes more than" not in lines[0]


def test_the_setting_for_the_time_limit_ends_the_reading(
    tmp_path: Path, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHLOCK_INPUT__MAX_SECONDS", "10ms")
    completed = run_in_process("check", DATA / "hand-plain.xlsx")
    assert completed.code == 4
    assert "took more than 0 seconds" in completed.err
