"""The sheet `Summary` of a results workbook: what happened, and what to do."""

import math
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

from batchlock.core.messages import RESULT_MEANINGS
from batchlock.core.preview import Preview
from batchlock.core.records import WAY_NAMES, ModuleLocks, locks_in_words
from batchlock.core.results import Cause, Result, Summary
from batchlock.report.preview import preview_lines
from batchlock.report.styles import LINE_HEIGHT, Styles, set_up_print, write_text

# In characters: result, rows, code, message, what to do, which rows.
_WIDTHS = (16, 10, 26, 52, 52, 30)

# Points. Excel's limit is 409; a multiple of the height of a line shows no half lines.
_TALLEST_ROW = 405

_GIVE_BACK = (
    "Correct the rows in the sheet Results and give this workbook to batchlock; rows that are done"
    " are left alone."
)
_NOTES_ON_LOCKS = (
    "The sheet Locks can be changed and given to batchlock run, unlock, lock and check as it is.",
    (
        "The sheet Automatic has the locks that a rule alone holds: their reason cannot be changed "
        "and they cannot be unlocked by hand, so no command reads that sheet."
    ),
    "Times are in UTC. The column Rule id is blank where no rule holds the lock.",
)


def write_summary(
    sheet: Any, styles: Styles, summary: Summary, *, checked: str | None = None
) -> None:
    """Fill the sheet, with what is most urgent at the top.

    `checked` is the sentence of a check; None for the results of a run.
    """
    sentence = checked or summary.sentence
    for column, width in enumerate(_WIDTHS):
        sheet.set_column(column, column, width)
    style = styles.good if summary.exit_code == 0 else styles.mixed
    # The sentence is in 16 points: about 100 such characters fit across all columns.
    sheet.set_row(0, 22 * _line_count(sentence, 100) + 12)
    _write_across(sheet, 0, 0, sentence, style)
    row = 2
    if summary.resume:
        sheet.set_row(row, LINE_HEIGHT * _line_count(summary.resume, 130))
        sheet.write_string(row, 0, "How to resume:", styles.label)
        _write_across(sheet, row, 2, summary.resume, styles.command)
        row += 2
    elif summary.module_locks is None and summary.settled < summary.rows:
        sheet.write_string(row, 0, "What to do next:", styles.label)
        _write_across(sheet, row, 2, _GIVE_BACK, styles.wrapped)
        row += 2
    if summary.module_locks is not None:
        row = _write_modules(sheet, row, styles, summary.module_locks)
    elif checked is None:
        row = _write_counts(sheet, row, styles, summary)
    causes = [one for one in summary.causes if not checked or one.result is not Result.NOT_SENT]
    row = _write_causes(sheet, row, styles, causes)
    if summary.module_locks is None:
        row = _write_preview(sheet, row, styles, summary.preview)
    _write_details(sheet, row, styles, summary, is_check=checked is not None)
    set_up_print(sheet)


def _write_counts(sheet: Any, top: int, styles: Styles, summary: Summary) -> int:
    """Write the table of results from the row `top`; return the row for what follows."""
    _write_header(sheet, top, styles, ("Result", "Rows", "What it means", "", "", ""))
    for row, result in enumerate(Result, top + 1):
        sheet.write_string(row, 0, result.value, styles.by_result[result])
        sheet.write_number(row, 1, summary.counts.get(result, 0), styles.count)
        sheet.write_string(row, 2, RESULT_MEANINGS[result], styles.value)
    bottom = top + len(Result) + 1
    sheet.write_string(bottom, 0, "total", styles.total)
    sheet.write_number(bottom, 1, summary.rows, styles.total_count)
    return bottom + 2


def _write_modules(sheet: Any, top: int, styles: Styles, modules: Sequence[ModuleLocks]) -> int:
    """Write the table of modules and notes from the row `top`; return the row for what follows."""
    _write_header(sheet, top, styles, ("Module", "Locks", "Found by", "What was found", "", ""))
    for row, each in enumerate(modules, top + 1):
        write_text(sheet, row, 0, each.module, styles.label)
        sheet.write_number(row, 1, each.locked, styles.count)
        sheet.write_string(row, 2, WAY_NAMES[each.way], styles.value)
        _write_across(sheet, row, 3, locks_in_words([each]), styles.wrapped)
    row = top + len(modules) + 2
    for note in _NOTES_ON_LOCKS:
        sheet.set_row(row, LINE_HEIGHT * _line_count(note, sum(_WIDTHS)))
        _write_across(sheet, row, 0, note, styles.wrapped)
        row += 1
    return row + 1


def _write_causes(sheet: Any, top: int, styles: Styles, causes: Sequence[Cause]) -> int:
    """Write the table of causes from the row `top`; return the row for what follows."""
    if not causes:
        return top
    sheet.set_row(top, 20)
    sheet.write_string(top, 0, "Why, and what to do", styles.section)
    titles = ("Result", "Rows", "Code", "Message", "What to do", "Which rows")
    _write_header(sheet, top + 1, styles, titles)
    for row, cause in enumerate(causes, top + 2):
        texts = (cause.code, cause.message, cause.remedy, cause.ranges)
        line_count = max(map(_line_count, texts, _WIDTHS[2:]))
        sheet.set_row(row, min(LINE_HEIGHT * line_count, _TALLEST_ROW))
        sheet.write_string(row, 0, cause.result.value, styles.by_result[cause.result])
        sheet.write_number(row, 1, cause.rows, styles.count)
        for column, text in enumerate(texts, 2):
            write_text(sheet, row, column, text, styles.wrapped)
    return top + len(causes) + 3


def _write_preview(sheet: Any, top: int, styles: Styles, preview: Preview) -> int:
    """Write what the file was read as from the row `top`; return the row for what follows."""
    sheet.set_row(top, 20)
    sheet.write_string(top, 0, "What the file is read as", styles.section)
    row = top
    for row, line in enumerate(preview_lines(preview), top + 1):
        line_count = _line_count(line.text, sum(_WIDTHS[2:]))
        sheet.set_row(row, min(LINE_HEIGHT * line_count, _TALLEST_ROW))
        sheet.write_string(row, 0, line.label, styles.label)
        _write_across(sheet, row, 2, line.text, styles.wrapped)
    return row + 2


def _write_details(
    sheet: Any, top: int, styles: Styles, summary: Summary, *, is_check: bool
) -> None:
    sheet.set_row(top, 20)
    sheet.write_string(top, 0, "The check" if is_check else "The run", styles.section)
    details: dict[str, str | int | None] = {
        "File": Path(summary.file).name,
        "Sheet": summary.sheet,
        "SHA-256": summary.sha256,
        **summary.settings,
        "Started": f"{summary.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        "Finished": f"{summary.finished_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        **({} if is_check else _costs(summary)),
        "batchlock version": summary.version,
        "Run": None if is_check else summary.run_id,
    }
    present = ((name, value) for name, value in details.items() if value is not None)
    for row, (name, value) in enumerate(present, top + 1):
        write_text(sheet, row, 0, name, styles.label)
        if isinstance(value, int):
            sheet.write_number(row, 2, value, styles.value)
        else:
            write_text(sheet, row, 2, value, styles.value)


def _costs(summary: Summary) -> dict[str, str | int]:
    return {
        "Sending time": f"{_hours_minutes_seconds(int(summary.seconds))} (h:mm:ss)",
        "Calls to Zoho": summary.requests,
        "Credits used": summary.credits_used,
        "Most calls in flight": summary.in_flight_peak,
    }


def _write_header(sheet: Any, row: int, styles: Styles, titles: Sequence[str]) -> None:
    for column, title in enumerate(titles):
        sheet.write(row, column, title, styles.section_header)


def _write_across(sheet: Any, row: int, column: int, text: str, style: Any) -> None:
    sheet.merge_range(row, column, row, len(_WIDTHS) - 1, "", style)
    write_text(sheet, row, column, text, style)


def _hours_minutes_seconds(seconds: int) -> str:
    # Not humanize: its "2 hours" loses the minutes, and its precise form is a sentence.
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _line_count(text: str, width: int) -> int:
    """Return how many lines a wrapped text needs; `width` is in characters.

    The height of a row is set from it, because not every spreadsheet program fits the rows to
    wrapped text by itself. East Asian characters are two wide.
    """
    return sum(
        math.ceil(sum(1 + (east_asian_width(char) in "FW") for char in line) / width) or 1
        for line in text.split("\n")
    )
