from pathlib import Path

from support.result_rows import opened, result_row, summary_texts, workbook_of

from batchlock.core.results import Cause, Result


def test_the_sentence_comes_first_then_the_command_that_resumes(tmp_path: Path) -> None:
    result_rows = [result_row(2), result_row(3, result=Result.NOT_SENT)]
    path = workbook_of(
        tmp_path,
        result_rows,
        ended_by="Zoho could not be reached for 15 minutes.",
        ended_code=6,
        resume="batchlock resume 20260314-1200-a1b2",
    )
    assert summary_texts(path)[:3] == [
        "2 rows: 1 updated, 1 not sent. Zoho could not be reached for 15 minutes.",
        "How to resume:",
        "batchlock resume 20260314-1200-a1b2",
    ]
    assert opened(path, "Summary")["A1"].font.sz == 16


def test_rows_to_correct_come_with_instructions(tmp_path: Path) -> None:
    words = summary_texts(
        workbook_of(tmp_path, [result_row(2), result_row(3, result=Result.REJECTED)])
    )
    assert words[1] == "What to do next:"
    assert "give this workbook to batchlock" in words[2]


def test_a_complete_run_has_no_instructions(tmp_path: Path) -> None:
    path = workbook_of(tmp_path, [result_row(2)])
    assert summary_texts(path)[:2] == ["1 row: 1 updated.", "Result"]
    good = opened(path, "Summary")["A1"].fill.fgColor.rgb
    worse = workbook_of(tmp_path, [result_row(2, result=Result.FAILED)])
    assert opened(worse, "Summary")["A1"].fill.fgColor.rgb != good


def test_every_result_is_counted_explained_and_coloured_as_in_the_results(tmp_path: Path) -> None:
    result_rows = [result_row(row, result=Result.FAILED) for row in range(2, 5)]
    path = workbook_of(tmp_path, result_rows)
    sheet = opened(path, "Summary")
    rows = {row[0].value: row for row in sheet.iter_rows(max_row=16)}
    assert [rows[result.value][1].value for result in Result] == [0, 0, 0, 0, 0, 3, 0, 0, 0, 0]
    assert all(rows[result.value][2].value for result in Result)
    assert rows["total"][1].value == 3
    rules = [rule for where in opened(path).conditional_formatting for rule in where.rules]
    by_rule = {rule.formula[0].strip('"'): rule.dxf.fill.bgColor.rgb for rule in rules}
    assert {name: rows[name][0].fill.fgColor.rgb for name in by_rule} == by_rule


def test_causes_have_a_remedy_and_rows_high_enough_for_it(tmp_path: Path) -> None:
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
    sheet = opened(workbook_of(tmp_path, [result_row()], causes=causes), "Summary")
    first = next(cell.row for cell in sheet["A"] if cell.value == "Why, and what to do") + 2
    cause_rows = [[cell.value for cell in row] for row in sheet.iter_rows(first, first + 1)]
    assert cause_rows == [
        ["rejected", 7, "INVALID_DATA", causes[0].message, causes[0].remedy, "2-8"],
        ["invalid", 1, "bad_id", "錠" * 60, None, "9"],
    ]
    heights = [sheet.row_dimensions[row].height for row in range(first, first + 3)]
    assert heights == [60, 45, 405]
    assert sheet.cell(first, 5).alignment.wrap_text


def test_the_run_is_described(tmp_path: Path) -> None:
    words = summary_texts(workbook_of(tmp_path, [result_row()], seconds=3725.4))
    start = words.index("The run") + 1
    details = dict(zip(words[start::2], words[start + 1 :: 2], strict=True))
    assert details == {
        "File": "locks.xlsx",
        "Sheet": "Locks",
        "SHA-256": "ab" * 32,
        "Org": "acme",
        "Environment": "production",
        "Started": "2026-03-14 12:00:00 UTC",
        "Finished": "2026-03-14 12:02:00 UTC",
        "Sending time": "1:02:05 (h:mm:ss)",
        "Calls to Zoho": "12",
        "Credits used": "11",
        "Most calls in flight": "5",
        "batchlock version": "0.1.0",
        "Run": "20260314-1200-a1b2",
    }


def test_a_text_file_has_no_sheet_name(tmp_path: Path) -> None:
    assert "Sheet" not in summary_texts(workbook_of(tmp_path, [result_row()], sheet=None))
