from pathlib import Path

import pytest
from support.tables import (
    HEADER,
    LOCK_ID,
    MODULE,
    REASON,
    RECORD_ID,
    ROW,
    csv_text,
    load,
    refusal,
    usage_error,
    write_text,
)

from batchlock.plan.read import ReadOptions
from batchlock.plan.read import read_table as read


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_detected(tmp_path: Path, delimiter: str) -> None:
    reason = ", ; | ".replace(delimiter, "") + " a, b, c"
    row = (*ROW[:3], reason if delimiter != "," else "plain")
    loaded = load(write_text(tmp_path, csv_text(HEADER, row, delimiter=delimiter)))
    assert loaded.rows == {2: row}
    assert loaded.table.delimiter == delimiter


def test_commas_in_the_reasons_do_not_hide_the_semicolons(tmp_path: Path) -> None:
    row = (*ROW[:3], "one, two, three, four")
    loaded = load(write_text(tmp_path, csv_text(HEADER, *[row] * 50, delimiter=";")))
    assert loaded.table.delimiter == ";"
    assert loaded.rows[51] == row


@pytest.mark.parametrize("first", ["sep=^\n", '"sep=^"\r\n', "SEP=^\n"])
def test_a_sep_line_sets_the_delimiter_and_has_no_row_number(tmp_path: Path, first: str) -> None:
    loaded = load(write_text(tmp_path, first + csv_text(HEADER, ROW, delimiter="^")))
    assert loaded.rows == {2: ROW}
    assert loaded.table.delimiter == "^"


@pytest.mark.parametrize(
    ("setting", "delimiter"), [("tab", "\t"), ("\\t", "\t"), ("Semicolon", ";"), ("~", "~")]
)
def test_the_delimiter_can_be_set(tmp_path: Path, setting: str, delimiter: str) -> None:
    loaded = load(
        write_text(tmp_path, csv_text(HEADER, ROW, delimiter=delimiter)), delimiter=setting
    )
    assert loaded.rows == {2: ROW}


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n"])
def test_an_impossible_delimiter_is_refused(tmp_path: Path, delimiter: str) -> None:
    path = write_text(tmp_path, csv_text(HEADER, ROW))
    assert "cannot be a delimiter" in usage_error(path, delimiter=delimiter)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_is_read(tmp_path: Path, end: str) -> None:
    content = csv_text(HEADER, ROW, (*ROW[:3], f'"two{end}lines"'), ROW, end=end)
    assert load(write_text(tmp_path, content)).rows == {
        2: ROW,
        3: (*ROW[:3], f"two{end}lines"),
        4: ROW,
    }


def test_rows_have_the_number_that_a_spreadsheet_shows(tmp_path: Path) -> None:
    content = csv_text(
        ("A title",), HEADER, ROW, (), (" ", "\xa0", "", ""), (*ROW[:3], '"a\n\nb"'), (), ROW
    )
    assert list(load(write_text(tmp_path, content)).rows) == [3, 6, 8]


def test_short_rows_are_filled_up_and_cells_beyond_the_titles_are_reported(tmp_path: Path) -> None:
    content = csv_text(HEADER, ROW[:2], (*ROW, "", "too much", "more"), (*ROW, " ", ""))
    loaded = load(write_text(tmp_path, content))
    assert loaded.rows[2] == (*ROW[:2], None, None)
    assert loaded.beyond == {2: None, 3: ("F", "too much"), 4: None}


def test_blank_and_duplicate_titles_stay(tmp_path: Path) -> None:
    content = csv_text(("Note", "", *HEADER, "Note", "", " "), ("a", "b", *ROW, "c"))
    loaded = load(write_text(tmp_path, content))
    assert loaded.table.titles == ("Note", "", *HEADER, "Note")
    assert loaded.table.fields == {MODULE: 2, RECORD_ID: 3, LOCK_ID: 4, REASON: 5}
    assert loaded.rows == {2: ("a", "b", *ROW, "c")}


def test_unicode_line_separators_stay_inside_their_cell(tmp_path: Path) -> None:
    row = (*ROW[:3], "a\u2028b\u0085c\x0bd")
    assert load(write_text(tmp_path, csv_text(HEADER, row))).rows == {2: row}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ('Leads,5843104000000425565,,"never closed\nLeads,1,,x\n', "orders.csv, line 3:"),
        ('Leads,5843104000000425565,,"said "no" twice"\n', "orders.csv, line 3:"),
    ],
)
def test_a_quotation_mark_that_is_not_closed_is_refused(
    tmp_path: Path, row: str, expected: str
) -> None:
    assert refusal(write_text(tmp_path, csv_text(HEADER, ROW) + row)).startswith(expected)


def test_a_row_that_is_too_wide_is_named_by_its_own_line(tmp_path: Path) -> None:
    wide = (*ROW, *["x"] * 16_384)
    spaced = ('"Leads" ', *ROW[1:])
    assert refusal(write_text(tmp_path, csv_text(HEADER, ROW, wide))).startswith(
        "orders.csv, line 3: the row has 16,388 cells"
    )
    assert refusal(write_text(tmp_path, csv_text(HEADER, spaced, ROW, wide))).startswith(
        "orders.csv, line 4: the row has 16,388 cells"
    )


def test_a_quotation_mark_that_is_not_closed_in_the_header_is_refused(tmp_path: Path) -> None:
    path = write_text(tmp_path, '"Module,Record Id,Reason\nLeads,1,x\n')
    assert refusal(path).startswith("orders.csv, line 1: a quotation mark")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_lines_that_are_quoted_as_a_whole_are_refused(tmp_path: Path, delimiter: str) -> None:
    rows = [f'"{delimiter.join(row)}"' for row in (('""Module""', *HEADER[1:]), ROW)]
    message = refusal(write_text(tmp_path, "\n".join(rows)))
    assert message.startswith("orders.csv: each line stands in quotation marks as a whole")


def test_a_long_cell_is_read(tmp_path: Path) -> None:
    row = (*ROW[:3], "x" * 500_000)
    assert load(write_text(tmp_path, csv_text(HEADER, row))).rows == {2: row}


def test_many_rows_are_read_in_chunks(tmp_path: Path) -> None:
    table = read(write_text(tmp_path, csv_text(HEADER, *[ROW] * 2_001)), ReadOptions())
    assert [len(chunk) for chunk in table.chunks] == [2_000, 1]


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    assert load(write_text(tmp_path, csv_text(HEADER))).rows == {}
