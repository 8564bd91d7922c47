import csv
import errno
import gc
import os
import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape
from python_calamine import CalamineWorkbook

from batchlock.core.errors import BatchlockError
from batchlock.core.results import RESULT_TITLES, Cause, Result, ResultRow, Summary
from batchlock.core.rows import Cell, NoValue
from batchlock.report.publish import probe, publish
from batchlock.report.results import (
    Balance,
    our_titles,
    row_ranges,
    write_csv,
    write_results,
    write_workbook,
)

TITLES = ("Module", "Record Id", "Lock Id", "Reason")
CELLS = ("Leads", "5843104000000425565", None, "Audit")
NOON = datetime(2026, 3, 14, 12, 0, 0, tzinfo=UTC)


def at(*parts: int) -> datetime:
    """A moment as cells have it: without a zone."""
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[arg-type,misc]  # a date's


def line(row: int = 2, cells: Sequence[Cell] = CELLS, **given: Any) -> ResultRow:
    return ResultRow(row=row, cells=tuple(cells), **{"result": Result.UPDATED, **given})


def summary_of(lines: Sequence[ResultRow], **given: Any) -> Summary:
    counts = Counter(line.result for line in lines)
    told: dict[str, Any] = {
        "run_id": "20260314-1200-a1b2",
        "file": "/in/locks.xlsx",
        "sheet": "Locks",
        "sha256": "ab" * 32,
        "version": "0.1.0",
        "settings": {"Org": "acme", "Environment": "production"},
        "rows": len(lines),
        "settled": counts[Result.UPDATED] + counts[Result.UNCHANGED],
        "counts": {result: counts[result] for result in Result},
        "causes": (),
        "started_at": NOON,
        "finished_at": NOON + timedelta(minutes=2),
        "seconds": 119.6,
        "requests": 12,
        "credits_used": 11,
        "in_flight_peak": 5,
    }
    return Summary(**told | given)


def workbook_of(folder: Path, lines: Sequence[ResultRow], **given: Any) -> Path:
    path = folder / "results.xlsx"
    titles = given.pop("titles", TITLES)
    limits = {name: given.pop(name) for name in ("rows_a_sheet",) if name in given}
    write_workbook(path, titles, lines, summary_of(lines, **given), **limits)
    return path


def opened(path: Path, sheet: str = "Results") -> Any:
    return openpyxl.load_workbook(path)[sheet]


def words_of(path: Path) -> list[str]:
    cells = (cell.value for row in opened(path, "Summary").iter_rows() for cell in row)
    return [str(value) for value in cells if value is not None]


def rows_of(path: Path) -> list[list[Any]]:
    sheet = CalamineWorkbook.from_path(str(path)).get_sheet_by_name("Results")
    return [list(row) for row in sheet.to_python()]


# -- the words and the JSON ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], ""),
        ([7], "7"),
        ([2, 3, 4, 5, 9], "2-5, 9"),
        ([2, 4, 6, 7], "2, 4, 6-7"),
        ([2, 4, 6, 8], "2, 4, 6 and 1 more row"),
        ([2, 3, 9, 11, 20, 21], "2-3, 9, 11 and 2 more rows"),
        ([2, 4, 6, *range(10, 5000)], "2, 4, 6 and 4,990 more rows"),
    ],
)
def test_rows_are_told_as_ranges(rows: list[int], told: str) -> None:
    assert row_ranges(iter(rows), most=3) == told


def test_eight_ranges_are_told_unless_said_otherwise() -> None:
    assert row_ranges(range(2, 40, 2)) == "2, 4, 6, 8, 10, 12, 14, 16 and 11 more rows"


@pytest.mark.parametrize(
    ("titles", "title", "renamed"),
    [
        (["Module"], "Code", "Code"),
        (["CODE "], "Code", "Code (batchlock)"),
        (["Code", "code (BatchLock)"], "Code", "Code (batchlock) (batchlock)"),
        (["Zip Code"], "Code", "Code"),
    ],
)
def test_our_titles_keep_clear_of_the_inputs(titles: list[str], title: str, renamed: str) -> None:
    ours = our_titles(titles)
    assert ours[RESULT_TITLES.index(title)] == renamed
    assert len(ours) == len(RESULT_TITLES)


# -- the workbook: Results -----------------------------------------------------------------------


def test_a_line_becomes_a_row_with_our_columns_after_the_inputs(tmp_path: Path) -> None:
    path = workbook_of(
        tmp_path,
        [
            line(
                7,
                http_status=200,
                code="SUCCESS",
                message="relation updated",
                remedy="nothing",
                attempts=2,
                finished_at=datetime(2026, 3, 14, 3, 3, 4, tzinfo=timezone(timedelta(hours=1))),
                duration=0.3126,
                check="a1b2c3d4e5f6",
            ),
            line(9, result=Result.NOT_SENT),
        ],
    )
    done = ["updated", 200, "SUCCESS", "relation updated", "nothing", 2, "2026-03-14T02:03:04Z"]
    done += [313, 7, "a1b2c3d4e5f6"]
    left = ["not_sent", "", "", "", "", 0, "", "", 9, ""]
    ids = ["Leads", "5843104000000425565", "", "Audit"]
    assert rows_of(path) == [[*TITLES, *RESULT_TITLES], [*ids, *done], [*ids, *left]]
    values = [[cell.value for cell in row] for row in opened(path).iter_rows(min_row=2)]
    assert values == [
        [value if value != "" else None for value in row] for row in rows_of(path)[1:]
    ]


def test_the_sheets_are_summary_then_results(tmp_path: Path) -> None:
    path = workbook_of(tmp_path, [line()])
    assert openpyxl.load_workbook(path).sheetnames == ["Summary", "Results"]
    assert CalamineWorkbook.from_path(str(path)).sheet_names == ["Summary", "Results"]


def test_titles_come_back_as_they_were(tmp_path: Path) -> None:
    titles = ["", "Id", "Id", "=A1", " Code ", "two\nlines"]
    path = workbook_of(tmp_path, [line(cells=[None] * 6)], titles=titles)
    found = [cell.value for cell in opened(path)[1]]
    assert found[:6] == [None, "Id", "Id", "=A1", " Code ", "two\nlines"]
    assert opened(path)["D1"].data_type == "s"
    assert found[8] == "Code (batchlock)"


def test_ids_stay_text_and_excel_does_not_complain(tmp_path: Path) -> None:
    path = workbook_of(tmp_path, [line()])
    sheet = opened(path)
    assert (sheet["B2"].data_type, sheet["B2"].number_format) == ("s", "@")
    xml = zipfile.ZipFile(path).read("xl/worksheets/sheet2.xml").decode()
    assert '<ignoredError sqref="A1:XFD1048576" numberStoredAsText="1"/>' in xml


@pytest.mark.parametrize(("rows", "reach"), [(0, "A1:N1"), (1, "A1:N2"), (3, "A1:N4")])
def test_a_sheet_says_how_far_it_reaches(tmp_path: Path, rows: int, reach: str) -> None:
    path = workbook_of(tmp_path, [line(row) for row in range(2, 2 + rows)])
    xml = zipfile.ZipFile(path).read("xl/worksheets/sheet2.xml").decode()
    assert f'<dimension ref="{reach}"/>' in xml


def test_an_id_typed_into_an_empty_cell_stays_text(tmp_path: Path) -> None:
    titles = ("Id", "Amount", "Reason")
    path = workbook_of(
        tmp_path,
        [line(2, [None, 5, "x"]), line(3, [None, None, "two\nlines"]), line(4, ["", 2, "y"])],
        titles=titles,
    )
    sheet = opened(path)
    assert sheet.column_dimensions["A"].number_format == "@"
    assert sheet.column_dimensions["B"].number_format == "General"
    assert not sheet.row_dimensions[3].customFormat  # it would hide the column's


TYPED = [
    ("text", "text", "@"),
    ("=1+1", "=1+1", "@"),
    ("https://example.com/", "https://example.com/", "@"),
    ("00123", "00123", "@"),
    (5, 5, "General"),
    (-5.25, -5.25, "General"),
    (0, 0, "General"),
    (9999999999, 9999999999, "General"),
    (5843104000000, 5843104000000, "0"),
    (-5843104000000.0, -5843104000000, "0"),
    (12345678901.5, 12345678901.5, "General"),
    (999999999999999, 999999999999999, "0"),
    (10**15, "1E+15", "@"),
    (5843104000000420000, "5.84310400000042E+18", "@"),
    (5.843104000000425e18, "5.84310400000043E+18", "@"),
    (-(10**15), "-1E+15", "@"),
    (float("nan"), "nan", "@"),
    (float("-inf"), "-inf", "@"),
    (True, True, "General"),
    (False, False, "General"),
    (date(2025, 3, 14), at(2025, 3, 14), "yyyy-mm-dd"),
    (at(2025, 3, 14, 5, 6, 7), at(2025, 3, 14, 5, 6, 7), "yyyy-mm-dd hh:mm:ss"),
    (time(5, 6, 7), time(5, 6, 7), "hh:mm:ss"),
    (timedelta(hours=26, minutes=3), timedelta(hours=26, minutes=3), "[h]:mm:ss"),
    (timedelta(hours=-1), "-01:00", "@"),
    (timedelta(days=3_000_000), "72000000:00", "@"),
    (date(1900, 2, 28), "1900-02-28", "@"),
    (at(1850, 1, 1, 2), "1850-01-01 02:00", "@"),
    (date(1900, 3, 1), at(1900, 3, 1), "yyyy-mm-dd"),
    (datetime(2025, 3, 14, 5, tzinfo=UTC), "2025-03-14 05:00+00:00", "@"),
    (time(5, tzinfo=UTC), "05:00+00:00", "@"),
    (NoValue("#N/A"), "#N/A", "@"),
    (NoValue("=VLOOKUP(A1)"), "=VLOOKUP(A1)", "@"),
    (NoValue(""), "#VALUE!", "@"),
]


@pytest.mark.parametrize(("cell", "value", "number_format"), TYPED)
def test_a_cell_keeps_its_type(tmp_path: Path, cell: Cell, value: Any, number_format: str) -> None:
    found = opened(workbook_of(tmp_path, [line(cells=[cell])], titles=["Any"]))["A2"]
    assert (found.value, type(found.value)) == (value, type(value))
    assert found.number_format == number_format
    assert found.data_type != "f"


def test_blank_cells_stay_blank(tmp_path: Path) -> None:
    sheet = opened(workbook_of(tmp_path, [line(cells=[None, "", "x"])], titles=["A", "B", "C"]))
    assert [cell.value for cell in sheet[2][:3]] == [None, None, "x"]


HOSTILE = [
    ("bell\x07", "bell[U+0007]"),
    ("nul\x00", "nul[U+0000]"),
    ("lone \ud800", "lone [U+D800]"),
    ("\ufffe\uffff", "[U+FFFE][U+FFFF]"),
    ("<r>x</r>", "<r>x</r>"),
    ("<r></r>", "<r></r>"),
    ("<r>_x0041_\r\n_x_</r>", "<r>_x0041_\n_x_</r>"),
    ("_x000D_ and _x005F_", "_x000D_ and _x005F_"),
    ("a\r\nb\tc", "a\r\nb\tc"),
    ("  both ends  ", "  both ends  "),
    ('<b>&"quoted"</b>', '<b>&"quoted"</b>'),
    ("凍結 🔒 \u200f עברית", "凍結 🔒 \u200f עברית"),
]


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
def test_hostile_text_survives_in_every_place(tmp_path: Path, text: str, shown: str) -> None:
    cause = Cause(result=Result.FAILED, code=text, message=text, remedy=text, rows=1, ranges="2")
    path = workbook_of(
        tmp_path,
        [line(cells=[text], message=text, result=Result.FAILED)],
        titles=[f"T{text}"],
        causes=(cause,),
        file=text,
        settings={text: text},
        resume=text,
        ended_by=text,
    )
    assert_legal(path)
    rows = rows_of(path)
    kept = text if "\r" in text else shown  # the summary loses one beside XlsxWriter's markup
    assert (rows[1][0], rows[1][4]) == (kept, kept)
    sheet = CalamineWorkbook.from_path(str(path)).get_sheet_by_name("Summary")
    told = [cell for row in sheet.to_python() for cell in row]
    assert told.count(shown) == 7


def assert_legal(path: Path) -> None:
    with zipfile.ZipFile(path) as parts:
        for name in parts.namelist():
            text = parts.read(name).decode("utf-8")
            assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", text), name
            ET.fromstring(text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("x" * 32_767, "x" * 32_767),
        ("x" * 32_768, "x" * 32_766 + "…"),
        ("🔒" * 16_383, "🔒" * 16_383),
        ("🔒" * 16_384, "🔒" * 16_383 + "…"),
        ("x" + "🔒" * 16_384, "x" + "🔒" * 16_382 + "…"),
    ],
)
def test_text_beyond_excels_limit_is_cut_and_says_so(tmp_path: Path, text: str, kept: str) -> None:
    path = workbook_of(tmp_path, [line(cells=[text])], titles=["Any"])
    assert opened(path)["A2"].value == kept


def test_line_breaks_make_a_row_three_lines_high_at_most(tmp_path: Path) -> None:
    lines = [
        line(2, ["one"]),
        line(3, ["one\ntwo"], message="1\n2\n3\n4"),
        line(4, ["one\ntwo"]),
    ]
    sheet = opened(workbook_of(tmp_path, lines, titles=["Any"]))
    assert [sheet.row_dimensions[row].height for row in (2, 3, 4)] == [None, 45, 30]
    assert sheet["A3"].alignment.wrap_text
    assert not sheet["A2"].alignment.wrap_text


def test_the_header_is_frozen_and_filtered_and_repeated(tmp_path: Path) -> None:
    sheet = opened(workbook_of(tmp_path, [line(2), line(3)]))
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:N3"
    assert sheet.print_title_rows == "$1:$1"
    assert sheet.page_setup.orientation == "landscape"
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert sheet["A1"].font.b
    assert sheet["A1"].fill.fgColor.rgb != sheet["E1"].fill.fgColor.rgb


def test_titles_of_several_lines_look_like_titles(tmp_path: Path) -> None:
    sheet = opened(workbook_of(tmp_path, [line(2, ["x", "y"])], titles=["Plain", "two\nlines"]))
    usual = opened(workbook_of(tmp_path, [line(2, ["x", "y"])], titles=["Plain", "Other"]))
    for column in range(1, sheet.max_column + 1):
        found, same = sheet.cell(1, column), usual.cell(1, column)
        assert (found.font.b, found.fill.fgColor.rgb) == (True, same.fill.fgColor.rgb)
    assert sheet["B1"].alignment.wrap_text
    assert sheet.row_dimensions[1].height == 30


def test_widths_follow_the_content_within_limits(tmp_path: Path) -> None:
    lines = [line(2, ["x" * 30, "y" * 500, "a\n" * 90])]
    sheet = opened(workbook_of(tmp_path, lines, titles=["A", "B", "C"]))
    widths = [sheet.column_dimensions[letter].width for letter in "ABC"]
    assert [round(width) for width in widths] == [33, 61, 6]


def test_results_are_coloured_by_rule(tmp_path: Path) -> None:
    lines = [line(row, result=result) for row, result in enumerate(Result, 2)]
    sheet = opened(workbook_of(tmp_path, lines))
    colours = {}
    for where in sheet.conditional_formatting:
        assert str(where.sqref) == "E2:E9"
        for rule in where.rules:
            assert rule.operator == "equal"
            colours[rule.formula[0].strip('"')] = rule.dxf.fill.bgColor.rgb
    assert set(colours) == set(Result)
    assert colours["updated"] == colours["unchanged"]
    assert colours["rejected"] == colours["failed"]
    assert colours["not_sent"] == colours["unknown"]
    assert len(set(colours.values())) == 5


def test_no_rows_leave_a_header_with_a_filter(tmp_path: Path) -> None:
    path = workbook_of(tmp_path, [])
    sheet = opened(path)
    assert sheet.auto_filter.ref == "A1:N1"
    assert sheet.max_row == 1
    assert not list(sheet.conditional_formatting)
    assert "The file has a header and no rows." in words_of(path)


def test_more_rows_than_a_sheet_holds_go_on_in_the_next(tmp_path: Path) -> None:
    lines = [line(row) for row in range(2, 9)]
    path = workbook_of(tmp_path, lines, rows_a_sheet=3)
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Summary", "Results", "Results 2", "Results 3"]
    source = [
        [row[12] for row in book[name].iter_rows(min_row=2, values_only=True)]
        for name in book.sheetnames[1:]
    ]
    assert source == [[2, 3, 4], [5, 6, 7], [8]]
    assert all(book[name]["A1"].value == "Module" for name in book.sheetnames[1:])
    assert book["Results 3"].auto_filter.ref == "A1:N2"


def test_exactly_a_sheet_full_needs_no_second(tmp_path: Path) -> None:
    path = workbook_of(tmp_path, [line(row) for row in range(2, 5)], rows_a_sheet=3)
    assert openpyxl.load_workbook(path).sheetnames == ["Summary", "Results"]


def test_a_workbook_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        write_workbook(tmp_path, TITLES, [], summary_of([]))


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
    lines = [line(row, ["Leads", f"{row * 7919**5}", None, "x"]) for row in range(rows)]
    with pytest.raises(OSError, match="No space left"):
        write_workbook(FULL, TITLES, lines, summary_of(lines))
    gc.collect()
    assert list(folder.iterdir()) == []


def test_a_fault_while_reading_the_lines_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read() -> Iterator[ResultRow]:
        yield line()
        raise KeyError("the journal")

    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with pytest.raises(KeyError):
        write_workbook(folder / "r.xlsx", TITLES, read(), summary_of([]))
    assert [path.name for path in folder.iterdir()] == ["r.xlsx"]


def test_the_properties_name_the_file_and_no_folder(tmp_path: Path) -> None:
    properties = openpyxl.load_workbook(workbook_of(tmp_path, [line()])).properties
    assert properties.title == "Results of locks.xlsx"
    assert properties.creator == "batchlock 0.1.0"
    assert properties.created == at(2026, 3, 14, 12, 2)


# What the next three leave out has tests of its own above.
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\t\n"))
numbers = st.integers(-(10**15) + 1, 10**15 - 1) | st.floats(-1e14, 1e14, allow_subnormal=False)
moments = st.datetimes(at(1900, 3, 1), at(9999, 12, 31)).map(
    lambda moment: moment.replace(microsecond=0)
)
cells = st.none() | texts | numbers | st.booleans() | moments


def same(cell: Cell, found: Any) -> bool:
    if isinstance(cell, float):
        return bool(found == pytest.approx(cell, rel=1e-14))
    if isinstance(cell, str):
        return unescape(found or "") == re.sub("[\ufffe\uffff]", escaped, cell)
    return bool(found == cell)


def escaped(found: re.Match[str]) -> str:
    return f"[U+{ord(found[0]):04X}]"


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(st.lists(cells, min_size=3, max_size=3), max_size=5))
def test_what_is_written_is_what_is_read(tmp_path: Path, rows: list[list[Cell]]) -> None:
    lines = [line(row, cells) for row, cells in enumerate(rows, 2)]
    path = workbook_of(tmp_path, lines, titles=["A", "B", "C"])
    found = [row[:3] for row in opened(path).iter_rows(min_row=2, values_only=True)]
    pairs = zip(rows, found, strict=True)
    assert all(same(*pair) for wrote, read in pairs for pair in zip(wrote, read, strict=True))


# -- the workbook: Summary -----------------------------------------------------------------------


def test_the_sentence_comes_first_and_then_how_to_go_on(tmp_path: Path) -> None:
    lines = [line(2), line(3, result=Result.NOT_SENT)]
    path = workbook_of(
        tmp_path,
        lines,
        ended_by="Zoho could not be reached for 15 minutes.",
        ended_code=6,
        resume="batchlock resume 20260314-1200-a1b2",
    )
    assert words_of(path)[:3] == [
        "2 rows: 1 updated, 1 not sent. Zoho could not be reached for 15 minutes.",
        "How to go on:",
        "batchlock resume 20260314-1200-a1b2",
    ]
    assert opened(path, "Summary")["A1"].font.sz == 16


def test_rows_to_correct_are_to_be_given_back(tmp_path: Path) -> None:
    words = words_of(workbook_of(tmp_path, [line(2), line(3, result=Result.REJECTED)]))
    assert words[1] == "What to do next:"
    assert "give this workbook to batchlock" in words[2]


def test_a_run_that_did_everything_asks_for_nothing(tmp_path: Path) -> None:
    path = workbook_of(tmp_path, [line(2)])
    assert words_of(path)[:2] == ["1 row: 1 updated.", "Result"]
    good = opened(path, "Summary")["A1"].fill.fgColor.rgb
    worse = workbook_of(tmp_path, [line(2, result=Result.FAILED)])
    assert opened(worse, "Summary")["A1"].fill.fgColor.rgb != good


def test_every_result_is_counted_explained_and_coloured_as_in_the_results(tmp_path: Path) -> None:
    lines = [line(row, result=Result.FAILED) for row in range(2, 5)]
    path = workbook_of(tmp_path, lines)
    sheet = opened(path, "Summary")
    rows = {row[0].value: row for row in sheet.iter_rows(max_row=14)}
    assert [rows[result.value][1].value for result in Result] == [0, 0, 0, 3, 0, 0, 0, 0]
    assert all(rows[result.value][2].value for result in Result)
    assert rows["total"][1].value == 3
    rules = [rule for where in opened(path).conditional_formatting for rule in where.rules]
    by_rule = {rule.formula[0].strip('"'): rule.dxf.fill.bgColor.rgb for rule in rules}
    assert {name: rows[name][0].fill.fgColor.rgb for name in by_rule} == by_rule


def test_causes_say_what_to_do_and_have_room_for_it(tmp_path: Path) -> None:
    causes = (
        Cause(
            result=Result.REJECTED,
            code="INVALID_DATA",
            message="the id given seems to be invalid",
            remedy="Check the lock id. " * 10,
            rows=7,
            ranges="2-8",
        ),
        Cause(
            result=Result.INVALID, code="bad_id", message="錠" * 60, remedy="", rows=1, ranges="9"
        ),
        Cause(result=Result.FAILED, code="", message="m " * 9000, remedy="", rows=1, ranges="10"),
    )
    sheet = opened(workbook_of(tmp_path, [line()], causes=causes), "Summary")
    first = next(cell.row for cell in sheet["A"] if cell.value == "Why, and what to do") + 2
    told = [[cell.value for cell in row] for row in sheet.iter_rows(first, first + 1)]
    assert told == [
        ["rejected", 7, "INVALID_DATA", causes[0].message, causes[0].remedy, "2-8"],
        ["invalid", 1, "bad_id", "錠" * 60, None, "9"],
    ]
    heights = [sheet.row_dimensions[row].height for row in range(first, first + 3)]
    assert heights == [60, 45, 405]
    assert sheet.cell(first, 5).alignment.wrap_text


def test_the_run_is_described(tmp_path: Path) -> None:
    words = words_of(workbook_of(tmp_path, [line()], seconds=3725.4))
    told = dict(zip(words[words.index("The run") + 1 :: 2], words[words.index("The run") + 2 :: 2],
                    strict=True))  # fmt: skip
    assert told == {
        "File": "/in/locks.xlsx",
        "Sheet": "Locks",
        "SHA-256": "ab" * 32,
        "Org": "acme",
        "Environment": "production",
        "Started": "2026-03-14 12:00:00 UTC",
        "Finished": "2026-03-14 12:02:00 UTC",
        "Time at work": "1:02:05 (h:mm:ss)",
        "Calls to Zoho": "12",
        "Credits used": "11",
        "Most calls in flight": "5",
        "batchlock version": "0.1.0",
        "Run": "20260314-1200-a1b2",
    }


def test_a_text_file_has_no_sheet_to_tell(tmp_path: Path) -> None:
    assert "Sheet" not in words_of(workbook_of(tmp_path, [line()], sheet=None))


# -- CSV -----------------------------------------------------------------------------------------


def csv_of(folder: Path, lines: Sequence[ResultRow], titles: Sequence[str] = TITLES) -> Path:
    path = folder / "results.csv"
    write_csv(path, titles, lines)
    return path


def test_a_csv_opens_right_in_excel(tmp_path: Path) -> None:
    written = csv_of(tmp_path, [line(cells=("Müller", 'say "x"', None, "a,b"))]).read_bytes()
    assert written == (
        b"\xef\xbb\xbfModule,Record Id,Lock Id,Reason,Result,HTTP status,Code,Message,What to do,"
        b"Attempts,Finished at,Duration ms,Source row,Row check\r\n"
        b'M\xc3\xbcller,"say ""x""",,"a,b",updated,,,,,0,,,2,\r\n'
    )


AS_CSV = [
    ("=1+1", "'=1+1"),
    ("+49 30", "'+49 30"),
    ("-", "'-"),
    ("@home", "'@home"),
    ("'quoted", "''quoted"),
    ("\tx", "'\tx"),
    ("\rx", "'\rx"),
    ("two\r\nlines", "two\r\nlines"),
    ("a=b", "a=b"),
    (-5, "-5"),
    (-5.5, "-5.5"),
    (5.0, "5"),
    (1e-7, "0.0000001"),
    (-(10**15), "-1E+15"),
    (5843104000000420000, "5.84310400000042E+18"),
    (float("-inf"), "'-inf"),
    (float("nan"), "nan"),
    (True, "TRUE"),
    (date(2025, 3, 14), "2025-03-14"),
    (at(2025, 3, 14, 5), "2025-03-14 05:00"),
    (at(2025, 3, 14), "2025-03-14"),
    (time(5, 6, 7), "05:06:07"),
    (timedelta(hours=26, seconds=5), "26:00:05"),
    (timedelta(hours=-1), "'-01:00"),
    (NoValue("#N/A"), "#N/A"),
    (NoValue("=A1"), "'=A1"),
    (None, ""),
    ("nul\x00 lone \udc80", "nul[U+0000] lone [U+DC80]"),
]


@pytest.mark.parametrize(("cell", "text"), AS_CSV)
def test_a_cell_in_a_csv(tmp_path: Path, cell: Cell, text: str) -> None:
    path = csv_of(tmp_path, [line(cells=[cell])], ["Any"])
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1][0] == text


@given(text=st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_text_in_a_csv_can_be_had_back(tmp_path: Path, text: str) -> None:
    path = csv_of(tmp_path, [line(cells=[text])], ["Any"])
    with path.open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.reader(file))[1][0]
    assert not found.startswith(("=", "+", "-", "@", "\t", "\r"))
    control = "[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]"
    assert found.removeprefix("'") == re.sub(control, escaped, text)


def test_a_csv_title_is_no_formula_either(tmp_path: Path) -> None:
    assert csv_of(tmp_path, [], ["=A1"]).read_text("utf-8-sig").startswith("'=A1,Result,")


# -- where the results go ------------------------------------------------------------------------


def say(text: str) -> Any:
    return lambda draft: draft.write_text(text)


RUN = "20260314-020304-1f3a"


def files_of(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_results_are_put_in_their_place_whole(tmp_path: Path) -> None:
    target = tmp_path / "results.xlsx"
    target.write_text("old")
    seen = []

    def write(draft: Path) -> None:
        draft.write_text("new")
        seen.append((draft.parent, draft.name[0], target.read_text()))

    assert publish(write, target, tmp_path / "state", run_id=RUN) == target
    assert seen == [(tmp_path, ".", "old")]
    assert files_of(tmp_path) == {"results.xlsx": "new"}
    assert not (tmp_path / "state").exists()


def test_results_go_beside_a_target_that_cannot_be_replaced(tmp_path: Path) -> None:
    target = tmp_path / "results.xlsx"
    target.mkdir()
    (tmp_path / "results (2).xlsx").write_text("someone's")
    foreseen = probe(target, tmp_path / "state")
    put = publish(say("new"), target, tmp_path / "state", run_id=RUN)
    assert put == foreseen == tmp_path / "results (3).xlsx"
    assert files_of(tmp_path) == {"results (2).xlsx": "someone's", "results (3).xlsx": "new"}


@pytest.mark.parametrize("blocker", ["missing", "file"])
def test_results_go_to_the_fallback_folder(tmp_path: Path, blocker: str) -> None:
    (tmp_path / "file").write_text("")
    target = tmp_path / blocker / "results.xlsx"
    state = tmp_path / "state" / "results"
    assert probe(target, state) == state / "results.xlsx"
    assert publish(say("first"), target, state, run_id=RUN) == state / "results.xlsx"
    assert probe(target, state) == state / "results (2).xlsx"
    assert publish(say("second"), target, state, run_id=RUN) == state / "results (2).xlsx"
    assert files_of(state) == {"results.xlsx": "first", "results (2).xlsx": "second"}


def test_a_disk_that_fills_up_moves_the_results(tmp_path: Path) -> None:
    target, state = tmp_path / "results.xlsx", tmp_path / "state"

    def write(draft: Path) -> None:
        draft.write_text("part")
        if draft.parent == tmp_path:
            raise OSError(errno.ENOSPC, "No space left on device")

    assert publish(write, target, state, run_id=RUN) == state / "results.xlsx"
    assert files_of(tmp_path) == {}


def test_nowhere_to_write_is_said_with_both_reasons(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    target = tmp_path / "missing" / "results.xlsx"
    attempts: list[tuple[bool, Callable[[], Path]]] = [
        (False, lambda: probe(target, tmp_path / "file")),
        (True, lambda: publish(say(""), target, tmp_path / "file", run_id=RUN)),
    ]
    for can_be_written_again, attempt in attempts:
        with pytest.raises(BatchlockError) as told:
            attempt()
        assert f"{target} (No such file or directory)" in str(told.value)
        assert f"{tmp_path / 'file' / 'results.xlsx'} (File exists)" in str(told.value)
        assert (f"batchlock report {RUN}." in str(told.value)) is can_be_written_again


def test_drafts_of_reports_that_were_killed_are_cleared_away(tmp_path: Path) -> None:
    young, old = ".batchlock-0123abcd.part", ".batchlock-00000000.part"
    strangers = [".batchlock-notes.part", "batchlock-00000000.part", ".batchlock-00000000.part.old"]
    for name in (young, old, *strangers):
        (tmp_path / name).write_text("part")
        if name != young:
            os.utime(tmp_path / name, (0, 0))
    publish(say("new"), tmp_path / "results.xlsx", tmp_path / "state", run_id=RUN)
    left = dict.fromkeys([young, *strangers], "part")
    assert files_of(tmp_path) == {"results.xlsx": "new", **left}


@pytest.mark.parametrize("there", [True, False])
def test_probing_changes_nothing(tmp_path: Path, there: bool) -> None:
    target = tmp_path / "results.xlsx"
    if there:
        target.write_text("old")
    assert probe(target, tmp_path / "state") == target
    assert files_of(tmp_path) == ({"results.xlsx": "old"} if there else {})


def test_any_other_fault_leaves_no_draft_and_goes_on_up(tmp_path: Path) -> None:
    def write(draft: Path) -> None:
        raise KeyError(draft.name)

    with pytest.raises(KeyError):
        publish(write, tmp_path / "results.xlsx", tmp_path / "state", run_id=RUN)
    assert files_of(tmp_path) == {}


# -- the whole -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["r.xlsx", "r.csv", "r.CSV"])
def test_the_suffix_decides_the_format(tmp_path: Path, name: str) -> None:
    lines = [line(2), line(4)]
    folder = tmp_path / "folder"
    folder.mkdir()
    path = write_results(folder / name, folder, TITLES, lambda: iter(lines), summary_of(lines))
    assert path == folder / name
    assert zipfile.is_zipfile(path) == (name == "r.xlsx")
    assert sorted(files.name for files in folder.iterdir()) == [name]


def test_results_with_more_columns_than_a_workbook_holds_are_csv(tmp_path: Path) -> None:
    titles = [f"t{n}" for n in range(16_375)]
    lines = [line(2, titles)]
    path = write_results(tmp_path / "r.xlsx", tmp_path, titles, lambda: lines, summary_of(lines))
    assert path == tmp_path / "r.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        assert [len(row) for row in csv.reader(file)] == [16_385, 16_385]


def test_results_written_a_second_time_are_counted_once(tmp_path: Path) -> None:
    lines = [line(2), line(3)]
    asked = []

    def read() -> Iterator[ResultRow]:
        asked.append(1)
        yield lines[0]
        if len(asked) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        yield lines[1]

    path = write_results(tmp_path / "r.csv", tmp_path / "state", TITLES, read, summary_of(lines))
    assert path == tmp_path / "state" / "r.csv"
    assert path.read_text("utf-8-sig").count("updated") == 2


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ([line(2)], "2 rows read, 1 rows reported; updated: 2 counted, 1 reported"),
        ([], "2 rows read, 0 rows reported"),
        (
            [line(2), line(3, result=Result.FAILED)],
            (
                "2 rows read, 2 rows reported; updated: 2 counted, 1 reported;"
                " failed: 0 counted, 1 reported"
            ),
        ),
        ([line(2), line(2)], "2 rows reported; rows are out of order or there twice"),
        ([line(3), line(2)], "2 rows reported; rows are out of order or there twice"),
    ],
)
@pytest.mark.parametrize("name", ["r.xlsx", "r.csv"])
def test_results_that_do_not_balance_are_kept_and_named(
    tmp_path: Path, name: str, written: list[ResultRow], fault: str
) -> None:
    path = tmp_path / name
    summary = summary_of([line(2), line(3)])
    with pytest.raises(BatchlockError, match="The results do not balance") as told:
        write_results(path, tmp_path, TITLES, lambda: written, summary)
    assert fault in str(told.value)
    assert str(told.value).endswith(f"batchlock report {summary.run_id}")
    assert str(path) in str(told.value)
    assert told.value.exit_code == 1
    assert path.exists()


def test_counts_that_do_not_add_up_to_the_rows_do_not_balance(tmp_path: Path) -> None:
    balance = Balance()
    assert list(balance.counted([line(2)])) == [line(2)]
    with pytest.raises(BatchlockError, match="5 rows read, 1 rows reported"):
        balance.check(summary_of([line(2)], rows=5), tmp_path / "r.csv")
