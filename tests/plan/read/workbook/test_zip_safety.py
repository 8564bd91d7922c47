"""Refuse zipped workbooks that are damaged, or would do harm if they were unpacked."""

import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from support.bombs import MIB, SHEET, SHEET_HEAD, SHEET_TAIL, write_bomb
from support.paths import DATA
from support.tables import refusal
from support.zips import write_zip, zip_parts

# The start of an entry in the directory of a zip, and the offsets of its fields therein.
ENTRY = b"PK\x01\x02"
FLAGS, CRC, COMPRESSED_SIZE, SIZE = 8, 16, 20, 24


@pytest.mark.parametrize(
    ("unit", "part"),
    [
        (b" ", SHEET),
        (b"<row><c><v>1</v></c></row>", SHEET),
        (b"<si/>", "xl/sharedStrings.xml"),
        (b"\0", "xl/media/image1.png"),
    ],
)
def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, unit: bytes, part: str) -> None:
    path = write_bomb(tmp_path / "bomb.xlsx", unit, 64 * MIB, part)
    assert path.stat().st_size < MIB
    assert "far larger when it is unpacked" in refusal(path)


@pytest.mark.parametrize("checksum_fits", [True, False])
def test_a_part_larger_than_its_declared_size_is_refused(
    tmp_path: Path, *, checksum_fits: bool
) -> None:
    path = write_bomb(tmp_path / "bomb.xlsx", b" ", 64 * MIB)
    declared_size = 5_000
    with zipfile.ZipFile(path) as archive, archive.open(SHEET) as file:
        start = file.read(declared_size)
    content = bytearray(path.read_bytes())
    entry = content.rfind(ENTRY)
    if checksum_fits:
        struct.pack_into("<I", content, entry + CRC, zlib.crc32(start))
    struct.pack_into("<I", content, entry + SIZE, declared_size)
    path.write_bytes(content)
    refusal(path)


def test_parts_that_overlap_are_not_unpacked(tmp_path: Path) -> None:
    path = write_bomb(tmp_path / "bomb.xlsx", b" ", 8 * MIB)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        last = archive.infolist()[-1]
    size = last.compress_size + len(content)
    struct.pack_into("<I", content, content.rfind(ENTRY) + COMPRESSED_SIZE, size)
    path.write_bytes(content)
    refusal(path)


def test_two_parts_with_one_name_are_refused(tmp_path: Path) -> None:
    path = write_bomb(tmp_path / "twice.xlsx", b" ", 0)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(SHEET.upper(), SHEET_HEAD + SHEET_TAIL)
    assert "is damaged" in refusal(path)


def test_a_part_that_is_held_whole_must_be_small(tmp_path: Path) -> None:
    path = write_bomb(tmp_path / "book.xlsx", b"<x/>", 9 * MIB, "xl/_rels/workbook.xml.rels")
    assert "far larger when it is unpacked" in refusal(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_that_no_workbook_has_is_refused(tmp_path: Path, method: int) -> None:
    path = write_zip(tmp_path / "odd.xlsx", zip_parts(DATA / "hand-plain.xlsx"), method)
    assert "is damaged" in refusal(path)


def test_an_encrypted_zip_is_refused_because_of_its_password(tmp_path: Path) -> None:
    content = bytearray((DATA / "hand-plain.xlsx").read_bytes())
    content[content.index(ENTRY) + FLAGS] |= 1
    path = tmp_path / "locked.xlsx"
    path.write_bytes(content)
    assert "protected with a password" in refusal(path)


@pytest.mark.parametrize(
    "name",
    ["hand-plain.xlsx", "libreoffice.ods", "perl-writeexcel.xls", "hand-binary.xlsb"],
)
def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path, name: str) -> None:
    content = (DATA / name).read_bytes()
    path = tmp_path / name
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        path.write_bytes(content[: int(len(content) * share)])
        refusal(path)
