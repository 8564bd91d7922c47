import gc
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import openpyxl
import pytest
from python_calamine import CalamineWorkbook, SheetVisibleEnum

from batchlock.report.template import write_template

MODULES = ("Leads", "Sales_Orders", "Price_Books")
TITLES = ["Module", "Record Id", "Lock Id", "Reason", "Remarks"]


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "locks.xlsx"
    write_template(path, MODULES)
    return path


def rules_of(path: Path) -> dict[str, Any]:
    rules = openpyxl.load_workbook(path)["Locks"].data_validations.dataValidation
    return {str(rule.sqref): rule for rule in rules}


def test_the_first_sheet_has_titles_and_nothing_else(template: Path) -> None:
    book = CalamineWorkbook.from_path(str(template))
    assert book.get_sheet_by_index(0).to_python() == [TITLES]
    assert book.sheet_names[0] == "Locks"


def test_whole_columns_are_text_so_that_ids_keep_their_digits(template: Path) -> None:
    sheet = openpyxl.load_workbook(template)["Locks"]
    texts: set[int] = set()
    for column in sheet.column_dimensions.values():
        assert column.number_format == "@"
        texts |= {*range(column.min or 0, (column.max or 0) + 1)}
    assert texts == {1, 2, 3, 4, 5}
    assert sheet.freeze_panes == "A2"


def test_a_module_is_chosen_from_the_list_or_typed(template: Path) -> None:
    rule = rules_of(template)["A2:A1048576"]
    assert (rule.type, rule.formula1) == ("list", "Modules!$A$1:$A$3")
    assert rule.errorStyle == "warning"
    hidden = openpyxl.load_workbook(template)["Modules"]
    assert [cell.value for cell in hidden["A"]] == list(MODULES)


def test_a_reason_is_kept_within_what_zoho_takes(template: Path) -> None:
    rule = rules_of(template)["D2:D1048576"]
    assert (rule.type, rule.operator, rule.formula1) == ("textLength", "lessThanOrEqual", "3000")
    assert "3,000" in rule.error


def test_every_column_says_what_belongs_there(template: Path) -> None:
    rules = rules_of(template)
    assert [rule.promptTitle for rule in rules.values()] == TITLES
    assert all(10 < len(rule.prompt) <= 255 for rule in rules.values())


def test_only_the_first_sheet_could_be_taken_for_the_input(template: Path) -> None:
    book = CalamineWorkbook.from_path(str(template))
    assert [(sheet.name, sheet.visible) for sheet in book.sheets_metadata] == [
        ("Locks", SheetVisibleEnum.Visible),
        ("How to fill this in", SheetVisibleEnum.Visible),
        ("Modules", SheetVisibleEnum.Hidden),
    ]
    for name in book.sheet_names[1:]:
        for row in book.get_sheet_by_name(name).to_python():
            assert len({*row} & {"Module", "Record Id", "Lock Id", "Reason"}) < 2


def test_the_guide_explains_every_column_with_an_example(template: Path) -> None:
    sheet = openpyxl.load_workbook(template)["How to fill this in"]
    guide = {row[0]: row[1:] for row in sheet.iter_rows(values_only=True) if row[0] in TITLES}
    assert list(guide) == TITLES
    assert guide["Record Id"][2] == "5843104000000425565"
    assert all(needed in ("yes", "no") and text for needed, text, _ in guide.values())


def test_every_part_is_sound_xml(template: Path) -> None:
    with zipfile.ZipFile(template) as parts:
        for name in parts.namelist():
            ET.fromstring(parts.read(name))


def test_a_template_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        write_template(tmp_path, MODULES)


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
# XlsxWriter forgets its ZipFile when the disk is full; that one complains when it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_full_disk_is_an_os_error() -> None:
    with pytest.raises(OSError, match="No space left"):
        write_template(FULL, [f"Module_{number * 7919**5}" for number in range(5000)])
    gc.collect()
