"""Find the parts of an .xlsx by their links, whatever their names."""

from datetime import date
from pathlib import Path

import pytest
from support.tables import HEADER, ROW, load, write_openpyxl
from support.zips import rewrite_zip, write_zip, zip_parts

from batchlock.core.rows import NoValue


def test_a_sheet_is_found_by_a_relative_link(tmp_path: Path) -> None:
    path = write_openpyxl(tmp_path / "a.xlsx", [HEADER, (*ROW[:2], "#REF!", ROW[3])])
    rewrite_zip(path, workbook=lambda xml: xml.replace(b"/xl/worksheets/", b"worksheets/"))
    assert load(path).rows[2][2] == NoValue("#REF!")


def test_a_sheet_is_found_in_a_folder_with_another_name(tmp_path: Path) -> None:
    path = write_openpyxl(tmp_path / "a.xlsx", [HEADER, (*ROW[:2], "#REF!", ROW[3])])
    parts = {
        name.replace("xl/", "x/"): content.replace(b"xl/", b"x/")
        for name, content in zip_parts(path).items()
    }
    write_zip(path, parts)
    assert load(path).rows[2][2] == NoValue("#REF!")


@pytest.mark.parametrize("part", ["workbook", "sharedStrings", "styles"])
def test_parts_are_found_by_their_links(tmp_path: Path, part: str) -> None:
    path = write_openpyxl(tmp_path / "a.xlsx", [HEADER, (*ROW[:3], date(2025, 3, 14))])
    old, new = f"{part}.xml", f"{part}22.xml"
    parts = {
        name.replace(old, new): content.replace(old.encode(), new.encode())
        for name, content in zip_parts(path).items()
    }
    write_zip(path, parts)
    assert load(path).rows == {2: (*ROW[:3], date(2025, 3, 14))}


def test_a_damaged_part_that_is_not_needed_is_ignored(tmp_path: Path) -> None:
    path = write_openpyxl(tmp_path / "a.xlsx", [HEADER, (*ROW[:2], "#REF!", ROW[3])])
    rewrite_zip(path, core=lambda _: b"<broken")
    assert load(path).rows[2][2] == NoValue("#REF!")


@pytest.mark.parametrize("kind", ["sharedStrings", "styles", "worksheet"])
def test_the_type_of_a_link_may_be_in_any_case(tmp_path: Path, kind: str) -> None:
    """The sheet is read element by element, where python-calamine does not find the parts."""
    path = write_openpyxl(tmp_path / "a.xlsx", [HEADER, (*ROW[:3], date(2025, 3, 14))])
    parts = zip_parts(path)
    name = "xl/_rels/workbook.xml.rels"
    parts[name] = parts[name].replace(
        f"relationships/{kind}".encode(), f"relationships/{kind.upper()}".encode()
    )
    name = "xl/worksheets/sheet1.xml"
    parts[name] = parts[name].replace(b"<sheetData>", b"<!-- --><sheetData>")
    assert load(write_zip(path, parts)).rows == {2: (*ROW[:3], date(2025, 3, 14))}
