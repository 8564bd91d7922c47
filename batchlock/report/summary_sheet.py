"""The sheet that says first what happened and what to do."""

import math
from collections.abc import Sequence
from datetime import UTC
from typing import Any
from unicodedata import east_asian_width

from batchlock.core.results import Cause, Result, Summary
from batchlock.report.styles import LINE_HEIGHT, Styles, set_up_print, write_text

_SUMMARY_WIDTHS = (16, 10, 26, 52, 52, 30)
_TALLEST = 405  # points; Excel's limit is 409
_MEANINGS = {
    Result.UPDATED: "Zoho has taken the new reason.",
    Result.UNCHANGED: "The lock already has this reason; nothing was sent.",
    Result.REJECTED: "Zoho refused the row.",
    Result.FAILED: "No usable answer from Zoho after all attempts.",
    Result.INVALID: "Never sent: something is wrong in the row's cells.",
    Result.DUPLICATE: "The same as an earlier row; counts as that row does.",
    Result.NOT_SENT: "The run ended before the row was sent.",
    Result.UNKNOWN: "Sent, but the run ended before the answer; a resumed run asks Zoho first.",
}
_GIVE_BACK = (
    "Correct the rows in the sheet Results and give this workbook to batchlock; rows that are done"
    " are left alone."
)


def write_summary(sheet: Any, styles: Styles, summary: Summary) -> None:
    """Fill the sheet that says what happened and what to do, the most urgent first."""
    for column, width in enumerate(_SUMMARY_WIDTHS):
        sheet.set_column(column, column, width)
    style = styles.good if summary.exit_code == 0 else styles.mixed
    sheet.set_row(0, 22 * _lines_of(summary.sentence, 100) + 12)
    _write_across(sheet, 0, 0, summary.sentence, style)
    row = 2
    if summary.resume:
        sheet.set_row(row, LINE_HEIGHT * _lines_of(summary.resume, 130))
        sheet.write_string(row, 0, "How to go on:", styles.label)
        _write_across(sheet, row, 2, summary.resume, styles.command)
        row += 2
    elif summary.settled < summary.rows:
        sheet.write_string(row, 0, "What to do next:", styles.label)
        _write_across(sheet, row, 2, _GIVE_BACK, styles.wrapped)
        row += 2
    row = _write_counts(sheet, row, styles, summary)
    row = _write_causes(sheet, row, styles, summary.causes)
    _write_details(sheet, row, styles, summary)
    set_up_print(sheet)


def _write_counts(sheet: Any, top: int, styles: Styles, summary: Summary) -> int:
    _write_header(sheet, top, styles, ("Result", "Rows", "What it means", "", "", ""))
    for row, result in enumerate(Result, top + 1):
        sheet.write_string(row, 0, result.value, styles.dressed[result])
        sheet.write_number(row, 1, summary.counts.get(result, 0), styles.count)
        sheet.write_string(row, 2, _MEANINGS[result], styles.value)
    bottom = top + len(Result) + 1
    sheet.write_string(bottom, 0, "total", styles.total)
    sheet.write_number(bottom, 1, summary.rows, styles.total_count)
    return bottom + 2


def _write_causes(sheet: Any, top: int, styles: Styles, causes: Sequence[Cause]) -> int:
    if not causes:
        return top
    sheet.set_row(top, 20)
    sheet.write_string(top, 0, "Why, and what to do", styles.section)
    titles = ("Result", "Rows", "Code", "Message", "What to do", "Which rows")
    _write_header(sheet, top + 1, styles, titles)
    for row, cause in enumerate(causes, top + 2):
        told = (cause.code, cause.message, cause.remedy, cause.ranges)
        lines = max(map(_lines_of, told, _SUMMARY_WIDTHS[2:]))
        sheet.set_row(row, min(LINE_HEIGHT * lines, _TALLEST))
        sheet.write_string(row, 0, cause.result.value, styles.dressed[cause.result])
        sheet.write_number(row, 1, cause.rows, styles.count)
        for column, text in enumerate(told, 2):
            write_text(sheet, row, column, text, styles.wrapped)
    return top + len(causes) + 3


def _write_details(sheet: Any, top: int, styles: Styles, summary: Summary) -> None:
    sheet.set_row(top, 20)
    sheet.write_string(top, 0, "The run", styles.section)
    details: dict[str, str | int | None] = {
        "File": summary.file,
        "Sheet": summary.sheet,
        "SHA-256": summary.sha256,
        **summary.settings,
        "Started": f"{summary.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        "Finished": f"{summary.finished_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        "Time at work": f"{_span(int(summary.seconds))} (h:mm:ss)",
        "Calls to Zoho": summary.requests,
        "Credits used": summary.credits_used,
        "Most calls in flight": summary.in_flight_peak,
        "batchlock version": summary.version,
        "Run": summary.run_id,
    }
    told = ((name, value) for name, value in details.items() if value is not None)
    for row, (name, value) in enumerate(told, top + 1):
        write_text(sheet, row, 0, name, styles.label)
        if isinstance(value, int):
            sheet.write_number(row, 2, value, styles.value)
        else:
            write_text(sheet, row, 2, value, styles.value)


def _write_header(sheet: Any, row: int, styles: Styles, titles: Sequence[str]) -> None:
    for column, title in enumerate(titles):
        sheet.write(row, column, title, styles.section_header)


def _write_across(sheet: Any, row: int, column: int, text: str, style: Any) -> None:
    sheet.merge_range(row, column, row, len(_SUMMARY_WIDTHS) - 1, "", style)
    write_text(sheet, row, column, text, style)


def _span(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _lines_of(text: str, width: int) -> int:
    """Return how many lines wrapped text needs: not every spreadsheet fits its rows by itself."""
    return sum(
        math.ceil(sum(1 + (east_asian_width(char) in "FW") for char in line) / width) or 1
        for line in text.split("\n")
    )
