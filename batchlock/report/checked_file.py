"""The file with each problem on its cell, which `check --output` writes.

It has the sheets and columns of results, so that it can be corrected and run: a problem stands in
a comment on its cell (in CSV in a column beside it), and `Code` and `Message` have all problems and
notes of a row.
"""

import secrets
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from batchlock.config import Settings
from batchlock.core.errors import UsageError
from batchlock.core.messages import READY
from batchlock.core.reading import Note
from batchlock.core.results import CheckResult, Result, ResultRow
from batchlock.core.rows import Cell, Problem
from batchlock.core.runs import RunInfo
from batchlock.core.stop import COMPLETED
from batchlock.report.csv_file import write_csv
from batchlock.report.destination import target_path
from batchlock.report.recognise import refuse_to_replace
from batchlock.report.summaries import check_result_of, summary_of
from batchlock.report.workbook import CheckedUpload, fits_a_sheet, write_workbook
from batchlock.store.journal import Journal

# Excel takes seconds to open a sheet with so many comments, and minutes with ten times as many.
# The column Message has the problems of all rows.
_MOST_COMMENTS = 10_000


def checked_file_target(info: RunInfo, settings: Settings, *, overwrite: bool) -> Path | None:
    """Return the path of the file that a check writes; None when none is asked for.

    Raises UsageError when it is the input, or, unless `overwrite`, a file of somebody else.
    """
    if info.output is None:
        return None
    target = target_path(info, settings)
    if not overwrite:
        refuse_to_replace(target)
    return target


def report_check(journal: Journal, target: Path | None) -> CheckResult:
    """Return what a check found, and write it to `target` if there is one.

    Raises UsageError when the file cannot be written.
    """
    check = check_result_of(journal, target)
    if target is not None:
        _write(target, journal, check)
    return check


def _write(target: Path, journal: Journal, check: CheckResult) -> None:
    titles = journal.info.titles
    rows = checked_rows(journal, check.preview.notes)
    draft = target.with_name(f".batchlock-{secrets.token_hex(4)}.part")
    try:
        if target.suffix.lower() == ".csv":
            _write_csv(draft, titles, rows, check.problems)
        elif not fits_a_sheet(titles):
            raise UsageError(f"{target} has no room for so many columns. Name a .csv file.")
        else:
            _write_workbook(draft, journal, rows, check)
        draft.replace(target)
    except OSError as error:
        raise UsageError(
            f"{target} cannot be written: {error.strerror}. If it is open in a spreadsheet "
            "program, close it there, or name another file."
        ) from None
    finally:
        draft.unlink(missing_ok=True)


def checked_rows(journal: Journal, notes: Sequence[Note]) -> Iterator[ResultRow]:
    """Yield the rows as results, with the notes about each row."""
    for row in journal.result_rows():
        if row.result is Result.NOT_SENT:
            row = replace(row, message=READY, remedy="")
        about_row = [note for note in notes if _is_about(note, row.row)]
        if about_row:
            codes = [row.code, *(note.code for note in about_row)]
            texts = [row.message, *(f"Note: {note.message}" for note in about_row)]
            row = replace(
                row, code=", ".join(filter(None, codes)), message="\n".join(filter(None, texts))
            )
        yield row


def _is_about(note: Note, row: int) -> bool:
    # The last span that begins at or before the row.
    position = bisect_right(note.spans, row, key=lambda span: span[0])
    return position > 0 and row <= note.spans[position - 1][1]


def _write_workbook(
    path: Path, journal: Journal, rows: Iterable[ResultRow], check: CheckResult
) -> None:
    info = journal.info
    summary = summary_of(journal, info, COMPLETED, "")
    if not check.counts[Result.INVALID]:
        # Nothing is to be corrected.
        summary = replace(summary, settled=summary.rows)
    positions = _positions(info.titles)
    comments: dict[int, dict[int, str]] = defaultdict(dict)
    count = 0
    for problem in check.problems:
        column = positions.get(problem.column)
        if column is None or count == _MOST_COMMENTS:
            continue
        count += 1
        earlier = comments[problem.row].get(column)
        comments[problem.row][column] = "\n".join(filter(None, (earlier, problem.message)))
    columns = {positions[one.column] for one in check.problems if one.column in positions}
    checked = CheckedUpload(sentence=check.sentence, comments=comments, columns=sorted(columns))
    write_workbook(path, info.titles, rows, summary, checked=checked)


def _write_csv(
    path: Path, titles: Sequence[str], rows: Iterable[ResultRow], problems: Sequence[Problem]
) -> None:
    """Write CSV, with a column of problems beside each column that has any."""
    columns = {problem.column for problem in problems}
    texts: dict[int, dict[str, str]] = defaultdict(dict)
    for problem in problems:
        earlier = texts[problem.row].get(problem.column)
        texts[problem.row][problem.column] = "\n".join(filter(None, (earlier, problem.message)))
    wide_titles = [
        wide
        for title in titles
        for wide in ((title, f"{title}: problem") if title in columns else (title,))
    ]
    write_csv(
        path,
        wide_titles,
        (
            replace(row, cells=tuple(_wide_cells(row, titles, columns, texts.get(row.row, {}))))
            for row in rows
        ),
    )


def _wide_cells(
    row: ResultRow, titles: Sequence[str], columns: set[str], texts: Mapping[str, str]
) -> Iterator[Cell]:
    for title, cell in zip(titles, row.cells, strict=True):
        yield cell
        if title in columns:
            yield texts.get(title)


def _positions(titles: Sequence[str]) -> dict[str, int]:
    """Return the first column of each title."""
    return {title: number for number, title in reversed(list(enumerate(titles)))}
