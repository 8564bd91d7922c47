import csv
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import xlsxwriter  # type: ignore[import-untyped]  # comes without types
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.examples import examples
from support.tables import HEADER, load

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]), max_size=12
).filter(lambda word: word == word.strip())
TABLES = st.lists(st.tuples(WORDS, WORDS, WORDS, WORDS), max_size=8)
ROUND_TRIP = settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def expected_rows(rows: Sequence[Sequence[str]]) -> dict[int, tuple[str | None, ...]]:
    return {
        number: tuple(cell or None for cell in row)
        for number, row in enumerate(rows, 2)
        if any(row)
    }


@ROUND_TRIP
@given(
    rows=TABLES,
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    end=st.sampled_from(["\r\n", "\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_text_is_read_as_it_was_written(
    tmp_path: Path,
    rows: list[tuple[str, ...]],
    encoding: str,
    delimiter: str,
    end: str,
    quoting: int,
) -> None:
    path = tmp_path / "a.csv"
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]  # drawn
        writer.writerows([HEADER, *rows])
    loaded = load(path)
    assert loaded.rows == expected_rows(rows)
    assert loaded.table.delimiter == delimiter


@ROUND_TRIP
@given(rows=TABLES)
def test_a_workbook_of_openpyxl_is_read_as_it_was_written(
    tmp_path: Path, rows: list[tuple[str, ...]]
) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Sheet")
    for row in (HEADER, *rows):
        cells = [openpyxl.cell.WriteOnlyCell(sheet, value=cell or None) for cell in row]
        for cell in cells:
            cell.data_type = "s" if cell.value else "n"
        sheet.append(cells)
    book.save(tmp_path / "a.xlsx")
    assert load(tmp_path / "a.xlsx").rows == expected_rows(rows)


@ROUND_TRIP
@given(rows=TABLES)
def test_a_workbook_of_xlsxwriter_is_read_as_it_was_written(
    tmp_path: Path, rows: list[tuple[str, ...]]
) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate((HEADER, *rows)):
            for column, cell in enumerate(row):
                sheet.write_string(at, column, cell)
    assert load(path).rows == expected_rows(rows)
