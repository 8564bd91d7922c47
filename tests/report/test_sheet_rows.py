import re
import zipfile
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape
from python_calamine import CalamineWorkbook
from support.examples import examples
from support.result_rows import TITLES, code_point, naive, opened, result_row, rows_of, workbook_of

from batchlock.core.results import RESULT_TITLES, Cause, Result
from batchlock.core.rows import Cell, NoValue


def test_the_result_columns_follow_those_of_the_input(tmp_path: Path) -> None:
    path = workbook_of(
        tmp_path,
        [
            result_row(
                7,
                http_status=200,
                code="SUCCESS",
                message="relation updated",
                previous_reason="Before",
                remedy="nothing",
                attempts=2,
                finished_at=datetime(2026, 3, 14, 3, 3, 4, tzinfo=timezone(timedelta(hours=1))),
                duration=0.3126,
                checksum="a1b2c3d4e5f6",
            ),
            result_row(9, result=Result.NOT_SENT),
        ],
    )
    updated = [
        "updated",
        200,
        "SUCCESS",
        "relation updated",
        "Before",
        "nothing",
        2,
        "2026-03-14T02:03:04Z",
    ]
    updated += [313, 7, "a1b2c3d4e5f6"]
    not_sent = ["not_sent", "", "", "", "", "", 0, "", "", 9, ""]
    ids = ["Leads", "5843104000000425565", "", "Audit"]
    assert rows_of(path) == [[*TITLES, *RESULT_TITLES], [*ids, *updated], [*ids, *not_sent]]
    values = [[cell.value for cell in row] for row in opened(path).iter_rows(min_row=2)]
    assert values == [
        [value if value != "" else None for value in row] for row in rows_of(path)[1:]
    ]


def test_titles_are_written_unchanged(tmp_path: Path) -> None:
    titles = ["", "Id", "Id", "=A1", " Code ", "two\nlines"]
    path = workbook_of(tmp_path, [result_row(cells=[None] * 6)], titles=titles)
    titles_in_file = [cell.value for cell in opened(path)[1]]
    assert titles_in_file[:6] == [None, "Id", "Id", "=A1", " Code ", "two\nlines"]
    assert opened(path)["D1"].data_type == "s"
    assert titles_in_file[8] == "Code (batchlock)"


def test_ids_stay_text_and_excel_does_not_complain(tmp_path: Path) -> None:
    path = workbook_of(tmp_path, [result_row()])
    sheet = opened(path)
    assert (sheet["B2"].data_type, sheet["B2"].number_format) == ("s", "@")
    xml = zipfile.ZipFile(path).read("xl/worksheets/sheet2.xml").decode()
    assert '<ignoredError sqref="A1:XFD1048576" numberStoredAsText="1"/>' in xml


def test_an_id_typed_into_an_empty_cell_stays_text(tmp_path: Path) -> None:
    titles = ("Id", "Amount", "Reason")
    path = workbook_of(
        tmp_path,
        [
            result_row(2, [None, 5, "x"]),
            result_row(3, [None, None, "two\nlines"]),
            result_row(4, ["", 2, "y"]),
        ],
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
    (date(2025, 3, 14), naive(2025, 3, 14), "yyyy-mm-dd"),
    (naive(2025, 3, 14, 5, 6, 7), naive(2025, 3, 14, 5, 6, 7), "yyyy-mm-dd hh:mm:ss"),
    (time(5, 6, 7), time(5, 6, 7), "hh:mm:ss"),
    (timedelta(hours=26, minutes=3), timedelta(hours=26, minutes=3), "[h]:mm:ss"),
    (timedelta(hours=-1), "-01:00", "@"),
    (timedelta(days=3_000_000), "72000000:00", "@"),
    (date(1900, 2, 28), "1900-02-28", "@"),
    (naive(1850, 1, 1, 2), "1850-01-01 02:00", "@"),
    (date(1900, 3, 1), naive(1900, 3, 1), "yyyy-mm-dd"),
    (datetime(2025, 3, 14, 5, tzinfo=UTC), "2025-03-14 05:00+00:00", "@"),
    (time(5, tzinfo=UTC), "05:00+00:00", "@"),
    (NoValue("#N/A"), "#N/A", "@"),
    (NoValue("=VLOOKUP(A1)"), "=VLOOKUP(A1)", "@"),
    (NoValue(""), "#VALUE!", "@"),
]


@pytest.mark.parametrize(("cell", "value", "number_format"), TYPED)
def test_a_cell_keeps_its_type(tmp_path: Path, cell: Cell, value: Any, number_format: str) -> None:
    read_cell = opened(workbook_of(tmp_path, [result_row(cells=[cell])], titles=["Any"]))["A2"]
    assert (read_cell.value, type(read_cell.value)) == (value, type(value))
    assert read_cell.number_format == number_format
    assert read_cell.data_type != "f"


def test_blank_cells_stay_blank(tmp_path: Path) -> None:
    sheet = opened(
        workbook_of(tmp_path, [result_row(cells=[None, "", "x"])], titles=["A", "B", "C"])
    )
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


@pytest.mark.parametrize(("text", "summary_text"), HOSTILE)
def test_hostile_text_is_kept_in_every_place(tmp_path: Path, text: str, summary_text: str) -> None:
    cause = Cause(result=Result.FAILED, code=text, message=text, remedy=text, rows=1, ranges="2")
    path = workbook_of(
        tmp_path,
        [result_row(cells=[text], message=text, result=Result.FAILED)],
        titles=[f"T{text}"],
        causes=(cause,),
        file=text,
        settings={text: text},
        resume=text,
        ended_by=text,
    )
    assert_legal(path)
    rows = rows_of(path)
    # The summary loses a CR beside the markup of XlsxWriter; see styles.write_text.
    expected = text if "\r" in text else summary_text
    assert (rows[1][0], rows[1][4]) == (expected, expected)
    sheet = CalamineWorkbook.from_path(str(path)).get_sheet_by_name("Summary")
    summary_cells = [cell for row in sheet.to_python() for cell in row]
    # Of the file only the name is shown, which begins after the last slash.
    assert summary_cells.count(summary_text) == (6 if "/" in text else 7)


def assert_legal(path: Path) -> None:
    with zipfile.ZipFile(path) as parts:
        for name in parts.namelist():
            text = parts.read(name).decode("utf-8")
            assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", text), name
            ET.fromstring(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x" * 32_767, "x" * 32_767),
        ("x" * 32_768, "x" * 32_766 + "…"),
        ("🔒" * 16_383, "🔒" * 16_383),
        ("🔒" * 16_384, "🔒" * 16_383 + "…"),
        ("x" + "🔒" * 16_384, "x" + "🔒" * 16_382 + "…"),
    ],
)
def test_text_beyond_the_limit_of_excel_is_truncated_with_a_mark(
    tmp_path: Path, text: str, expected: str
) -> None:
    path = workbook_of(tmp_path, [result_row(cells=[text])], titles=["Any"])
    assert opened(path)["A2"].value == expected


def test_a_row_is_at_most_three_lines_high(tmp_path: Path) -> None:
    result_rows = [
        result_row(2, ["one"]),
        result_row(3, ["one\ntwo"], message="1\n2\n3\n4"),
        result_row(4, ["one\ntwo"]),
    ]
    sheet = opened(workbook_of(tmp_path, result_rows, titles=["Any"]))
    assert [sheet.row_dimensions[row].height for row in (2, 3, 4)] == [None, 45, 30]
    assert sheet["A3"].alignment.wrap_text
    assert not sheet["A2"].alignment.wrap_text


# What the next three leave out has tests of its own above.
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\t\n"))
numbers = st.integers(-(10**15) + 1, 10**15 - 1) | st.floats(-1e14, 1e14, allow_subnormal=False)
moments = st.datetimes(naive(1900, 3, 1), naive(9999, 12, 31)).map(
    lambda moment: moment.replace(microsecond=0)
)
cells = st.none() | texts | numbers | st.booleans() | moments


def is_same(cell: Cell, value: Any) -> bool:
    if isinstance(cell, float):
        return bool(value == pytest.approx(cell, rel=1e-14))
    if isinstance(cell, str):
        return unescape(value or "") == re.sub("[\ufffe\uffff]", code_point, cell)
    return bool(value == cell)


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=st.lists(st.lists(cells, min_size=3, max_size=3), max_size=5))
def test_written_cells_are_read_as_they_were(tmp_path: Path, rows: list[list[Cell]]) -> None:
    result_rows = [result_row(row, cells) for row, cells in enumerate(rows, 2)]
    path = workbook_of(tmp_path, result_rows, titles=["A", "B", "C"])
    values = [row[:3] for row in opened(path).iter_rows(min_row=2, values_only=True)]
    pairs = zip(rows, values, strict=True)
    assert all(is_same(*pair) for cells, row in pairs for pair in zip(cells, row, strict=True))
