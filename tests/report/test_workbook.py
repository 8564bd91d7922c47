import gc
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
from python_calamine import CalamineWorkbook
from support.result_rows import (
    TITLES,
    naive,
    opened,
    result_row,
    run_summary,
    summary_texts,
    workbook_of,
)

from batchlock.core.results import Result, ResultRow
from batchlock.report.workbook import write_workbook


def test_the_sheets_are_summary_then_results(tmp_path: Path) -> None:
    path = workbook_of(tmp_path, [result_row()])
    assert openpyxl.load_workbook(path).sheetnames == ["Summary", "Results"]
    assert CalamineWorkbook.from_path(str(path)).sheet_names == ["Summary", "Results"]


@pytest.mark.parametrize(("rows", "dimension"), [(0, "A1:O1"), (1, "A1:O2"), (3, "A1:O4")])
def test_the_dimension_of_a_sheet_covers_all_rows(
    tmp_path: Path, rows: int, dimension: str
) -> None:
    path = workbook_of(tmp_path, [result_row(row) for row in range(2, 2 + rows)])
    xml = zipfile.ZipFile(path).read("xl/worksheets/sheet2.xml").decode()
    assert f'<dimension ref="{dimension}"/>' in xml


def test_the_header_is_frozen_and_filtered_and_repeated(tmp_path: Path) -> None:
    sheet = opened(workbook_of(tmp_path, [result_row(2), result_row(3)]))
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:O3"
    assert sheet.print_title_rows == "$1:$1"
    assert sheet.page_setup.orientation == "landscape"
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert sheet["A1"].font.b
    assert sheet["A1"].fill.fgColor.rgb != sheet["E1"].fill.fgColor.rgb


def test_titles_of_several_lines_look_like_titles(tmp_path: Path) -> None:
    sheet = opened(
        workbook_of(tmp_path, [result_row(2, ["x", "y"])], titles=["Plain", "two\nlines"])
    )
    usual = opened(workbook_of(tmp_path, [result_row(2, ["x", "y"])], titles=["Plain", "Other"]))
    for column in range(1, sheet.max_column + 1):
        cell, other = sheet.cell(1, column), usual.cell(1, column)
        assert (cell.font.b, cell.fill.fgColor.rgb) == (True, other.fill.fgColor.rgb)
    assert sheet["B1"].alignment.wrap_text
    assert sheet.row_dimensions[1].height == 30


def test_widths_follow_the_content_within_limits(tmp_path: Path) -> None:
    result_rows = [result_row(2, ["x" * 30, "y" * 500, "a\n" * 90])]
    sheet = opened(workbook_of(tmp_path, result_rows, titles=["A", "B", "C"]))
    widths = [sheet.column_dimensions[letter].width for letter in "ABC"]
    assert [round(width) for width in widths] == [33, 61, 6]


def test_results_are_coloured_by_rule(tmp_path: Path) -> None:
    result_rows = [result_row(row, result=result) for row, result in enumerate(Result, 2)]
    sheet = opened(workbook_of(tmp_path, result_rows))
    colours = {}
    for where in sheet.conditional_formatting:
        assert str(where.sqref) == "E2:E11"
        for rule in where.rules:
            assert rule.operator == "equal"
            colours[rule.formula[0].strip('"')] = rule.dxf.fill.bgColor.rgb
    assert set(colours) == set(Result)
    assert len({colours[name] for name in ("updated", "locked", "unlocked", "unchanged")}) == 1
    assert colours["rejected"] == colours["failed"]
    assert colours["not_sent"] == colours["unknown"]
    assert len(set(colours.values())) == 5


def test_no_rows_leave_a_header_with_a_filter(tmp_path: Path) -> None:
    path = workbook_of(tmp_path, [])
    sheet = opened(path)
    assert sheet.auto_filter.ref == "A1:O1"
    assert sheet.max_row == 1
    assert not list(sheet.conditional_formatting)
    assert "The file has a header and no rows." in summary_texts(path)


def test_more_rows_than_fit_a_sheet_continue_in_the_next(tmp_path: Path) -> None:
    result_rows = [result_row(row) for row in range(2, 9)]
    path = workbook_of(tmp_path, result_rows, rows_per_sheet=3)
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Summary", "Results", "Results 2", "Results 3"]
    source_rows = [
        [row[13] for row in book[name].iter_rows(min_row=2, values_only=True)]
        for name in book.sheetnames[1:]
    ]
    assert source_rows == [[2, 3, 4], [5, 6, 7], [8]]
    assert all(book[name]["A1"].value == "Module" for name in book.sheetnames[1:])
    assert book["Results 3"].auto_filter.ref == "A1:O2"


def test_rows_that_just_fit_a_sheet_need_no_second(tmp_path: Path) -> None:
    path = workbook_of(tmp_path, [result_row(row) for row in range(2, 5)], rows_per_sheet=3)
    assert openpyxl.load_workbook(path).sheetnames == ["Summary", "Results"]


def test_a_workbook_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        write_workbook(tmp_path, TITLES, [], run_summary([]))


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
# XlsxWriter forgets its ZipFile when the disk is full; that one complains when it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("rows", [0, 3000])
def test_a_full_disk_is_an_os_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    result_rows = [result_row(row, ["Leads", f"{row * 7919**5}", None, "x"]) for row in range(rows)]
    with pytest.raises(OSError, match="No space left"):
        write_workbook(FULL, TITLES, result_rows, run_summary(result_rows))
    gc.collect()
    assert list(folder.iterdir()) == []


def test_an_error_while_rows_are_read_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read() -> Iterator[ResultRow]:
        yield result_row()
        raise KeyError("the journal")

    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with pytest.raises(KeyError):
        write_workbook(folder / "r.xlsx", TITLES, read(), run_summary([]))
    assert [path.name for path in folder.iterdir()] == ["r.xlsx"]


def test_the_properties_name_the_file_and_no_folder(tmp_path: Path) -> None:
    properties = openpyxl.load_workbook(workbook_of(tmp_path, [result_row()])).properties
    assert properties.title == "Results of locks.xlsx"
    assert properties.creator == "batchlock 0.1.0"
    assert properties.created == naive(2026, 3, 14, 12, 2)
