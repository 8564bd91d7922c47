"""Choose the sheet that holds the table."""

from pathlib import Path

import xlsxwriter  # type: ignore[import-untyped]  # comes without types
from odf.opendocument import OpenDocumentSpreadsheet  # type: ignore[import-untyped]  # the same
from odf.style import Style, TableProperties  # type: ignore[import-untyped]  # the same
from odf.table import Table as OdfTable  # type: ignore[import-untyped]  # the same
from support.tables import (
    HEADER,
    ROW,
    csv_text,
    load,
    refusal,
    usage_error,
    write_text,
    write_xlsxwriter,
)


def test_formatting_down_to_the_last_row_makes_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        bold = book.add_format({"bold": True})
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, ROW)
        for row in (*range(2, 500), 1_048_575):
            sheet.write_blank(row, 0, None, bold)
    assert list(load(path).rows) == [2]


def test_the_only_sheet_with_a_header_is_read(tmp_path: Path) -> None:
    path = write_xlsxwriter(tmp_path / "a.xlsx", Notes=[("Read me",)], Data=[HEADER, ROW], Empty=[])
    assert load(path).table.sheet == "Data"


def test_several_sheets_with_a_header_need_a_name(tmp_path: Path) -> None:
    path = write_xlsxwriter(tmp_path / "a.xlsx", May=[HEADER, ROW], Junk=[], June=[HEADER])
    message = usage_error(path)
    assert "May, June" in message
    assert '--sheet "May"' in message
    assert load(path, sheet="June").rows == {}
    assert load(path, sheet="may").rows == {2: ROW}


def test_a_missing_sheet_is_refused(tmp_path: Path) -> None:
    path = write_xlsxwriter(tmp_path / "a.xlsx", May=[HEADER, ROW], June=[HEADER])
    assert (
        usage_error(path, sheet="July") == 'a.xlsx has no sheet "July". Its sheets are: May, June.'
    )
    assert "has no sheets to choose" in usage_error(
        write_text(tmp_path, csv_text(HEADER)), sheet="May"
    )


def test_a_hidden_sheet_counts_only_when_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for name in ("Old", "New"):
            book.add_worksheet(name).write_row(0, 0, HEADER)
        book.get_worksheet_by_name("Old").hide()
        book.get_worksheet_by_name("New").activate()
        book.get_worksheet_by_name("New").set_first_sheet()
        book.add_chartsheet("Chart").set_chart(chart_of(book))
    assert load(path).table.sheet == "New"
    assert load(path, sheet="Old").table.sheet == "Old"


def chart_of(book: xlsxwriter.Workbook) -> object:
    chart = book.add_chart({"type": "line"})
    chart.add_series({"values": "=New!$A$1:$A$2"})
    return chart


def test_a_workbook_whose_sheets_are_all_hidden_is_refused(tmp_path: Path) -> None:
    book = OpenDocumentSpreadsheet()
    hidden_style = Style(name="hidden_style", family="table")
    hidden_style.addElement(TableProperties(display="false"))
    book.automaticstyles.addElement(hidden_style)
    book.spreadsheet.addElement(OdfTable(name="Old", stylename="hidden_style"))
    book.save(str(tmp_path / "a.ods"))
    assert "no visible sheet" in refusal(tmp_path / "a.ods")


def test_the_sheet_with_most_columns_is_named_when_none_has_all(tmp_path: Path) -> None:
    path = write_xlsxwriter(
        tmp_path / "a.xlsx", Notes=[("Read me",)], Data=[("Module", "ID-Nr", "Reason")]
    )
    assert refusal(path) == (
        "a.xlsx, sheet Data: no column for the record id. The columns are: Module, ID-Nr, Reason. "
        'Name it with --column record_id="ID-Nr".'
    )


def test_hidden_rows_count(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate((HEADER, ROW, ROW)):
            sheet.write_row(at, 0, row)
        sheet.set_row(1, None, None, {"hidden": True})
    assert list(load(path).rows) == [2, 3]


def test_titles_on_a_hidden_sheet_or_too_low_are_mentioned(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("Notes").write_row(0, 0, ("Read me",))
        sheet = book.add_worksheet("Data")
        sheet.hide()
        for number, row in enumerate((HEADER, ROW)):
            sheet.write_row(number, 0, row)
    assert refusal(path).endswith(
        'on a visible sheet, but the hidden sheet "Data" has all of them. If it is meant, name it '
        'with --sheet "Data".'
    )
    low = write_xlsxwriter(tmp_path / "b.xlsx", Data=[("Report",), *[()] * 25, HEADER, ROW])
    assert "They stand in row 27. Delete the rows above them and save the file." in refusal(low)
