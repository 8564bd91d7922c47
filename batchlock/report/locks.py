"""The locks that a run has found: its summary, and the workbook or CSV file with a line for each.

The sheet `Locks` is the input of further commands as it is. Locks that only a rule holds have a
sheet of their own, whose titles no command reads: their reason cannot be changed.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

from batchlock.core.errors import BatchlockError
from batchlock.core.options import RunOptions
from batchlock.core.records import LOCK_TITLES, FoundLock, ModuleLocks
from batchlock.core.results import Cause, Result, ResultRow, Summary
from batchlock.report.cells import csv_text
from batchlock.report.publish import Place, publish
from batchlock.report.styles import Styles, set_up_print, write_text
from batchlock.report.summary_sheet import write_summary
from batchlock.store.journal import Journal

AUTOMATIC_TITLES = tuple(f"{title} (automatic)" for title in LOCK_TITLES)
"""The titles of the sheet Automatic: none of them is one that a command reads."""

# Excel's limit is 1,048,576 rows, the titles included.
_MAX_ROWS = 1_048_575
_TOO_LONG = "a sheet has too few rows for them"
# In characters, by title.
_WIDTHS = (16, 22, 22, 50, 30, 12, 24, 22, 22, 22)
# Text stays text: XlsxWriter would make formulas, links and numbers of what looks like one. The
# rows of a sheet are written to a temporary file, so memory does not grow with them.
_OPTIONS = {
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "constant_memory": True,
}
# Records that are named in a cause, as examples.
_RECORDS_NAMED = 3


def summary_of_locks(journal: Journal, summary: Summary) -> Summary:
    """Return the summary of a run that finds locks, with what was found in each module.

    Its counts say `locked` and `unlocked` of the records that were looked at.
    """
    plan = journal.find_plan
    counters: dict[str, Counter[str]] = defaultdict(Counter)
    records: dict[tuple[Result, str, str], list[str]] = defaultdict(list)
    for row in journal.result_rows():
        lock = found_lock(row)
        counter = counters[lock.module]
        if not lock.record_id:  # the row of a search that is not complete, or was refused
            records[row.result, row.code, row.remedy].append(lock.module)
        elif row.result is not Result.UNCHANGED:
            counter["not_looked_at"] += 1
            names = records[row.result, row.code, row.remedy]
            if len(names) < _RECORDS_NAMED:
                names.append(f"{lock.module} {lock.record_id}")
        elif lock.lock_id is None:
            counter["not_locked"] += 1
        elif plan.lock_filter.passes(lock):
            counter["locked"] += 1
            counter["automatic"] += lock.is_automatic
        else:
            counter["filtered"] += 1
    modules = tuple(
        ModuleLocks(
            module=search.module,
            way=None if search.refusal else search.way,
            records=search.records,
            is_complete=search.is_complete and not search.refusal,
            **counters[search.module],
        )
        for search in plan.searches
    )
    counts = dict(summary.counts)
    unlocked = sum(each.not_locked for each in modules)
    counts[Result.LOCKED] = counts[Result.UNCHANGED] - unlocked
    counts[Result.UNLOCKED] = unlocked
    counts[Result.UNCHANGED] = 0
    causes = tuple(_with_records(cause, records) for cause in summary.causes)
    return replace(
        summary, module_locks=modules, counts=counts, causes=causes, file=plan.file or summary.file
    )


def _with_records(cause: Cause, records: dict[tuple[Result, str, str], list[str]]) -> Cause:
    """Return a cause that names records: the numbers of their rows say nothing to anybody."""
    names = next(
        (
            names
            for (result, code, _), names in records.items()
            if (result, code) == (cause.result, cause.code)
        ),
        [],
    )
    others = cause.rows - len(names)
    more = f" and {others:,} more" if others > 0 else ""
    return replace(cause, ranges=f"{', '.join(names)}{more}")


def found_lock(row: ResultRow) -> FoundLock:
    """Return the locked record of a row of the journal."""
    # The number of cells is that of the fields, which a type checker cannot know.
    return FoundLock(*(None if cell is None else str(cell) for cell in row.cells))  # type: ignore[arg-type]


def reported_locks(journal: Journal) -> Iterator[FoundLock]:
    """Yield the locks that the run reports, in the order in which their records were found."""
    lock_filter = journal.find_plan.lock_filter
    for row in journal.result_rows():
        lock = found_lock(row)
        is_known = row.result is Result.UNCHANGED and lock.lock_id is not None
        if is_known and lock_filter.passes(lock):
            yield lock


def write_locks(
    target: Path,
    fallback_folder: Path,
    journal: Journal,
    summary: Summary,
    *,
    overwrite: bool = False,
    options: RunOptions = RunOptions(),  # noqa: B008  frozen
) -> Place:
    """Write the locks, and return the place that they really have, as `publish` does.

    They are CSV when `target` ends in .csv, or when a sheet has too few rows for them. Raises
    BatchlockError, and keeps the file, when the lines do not add up to the summary.
    """
    expected = sum(each.locked for each in summary.module_locks or ())
    is_as_requested = target.suffix.lower() == ".csv" or expected <= _MAX_ROWS
    if not is_as_requested:
        target = target.with_suffix(".csv")
    written = 0

    def write(draft: Path) -> None:
        nonlocal written
        writer = _write_csv if target.suffix.lower() == ".csv" else _write_workbook
        written = writer(draft, reported_locks(journal), summary)

    run_id = summary.run_id
    place = publish(
        write, target, fallback_folder, run_id=run_id, overwrite=overwrite, options=options
    )
    if written != expected:
        command = options.command("report", run_id)
        raise BatchlockError(
            f"The locks do not match the run: {expected:,} found, {written:,} written, to "
            f"{place.path}. Do not rely on this file. Write it again with: {command}"
        )
    return place if place.why or is_as_requested else place._replace(why=_TOO_LONG)


def _write_csv(path: Path, locks: Iterable[FoundLock], _: Summary) -> int:
    """Write all locks as CSV, automatic ones too; return how many."""
    count = 0
    # Without the BOM, Excel reads UTF-8 as the code page of the machine.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(LOCK_TITLES)
        for lock in locks:
            writer.writerow([csv_text(cell) for cell in lock])
            count += 1
    return count


def _write_workbook(path: Path, locks: Iterable[FoundLock], summary: Summary) -> int:
    """Write the sheets Summary, Locks and Automatic; return how many locks they have."""
    from xlsxwriter import Workbook  # type: ignore[import-untyped]  # comes without types

    with Workbook(path, _OPTIONS) as book:
        book.set_properties(
            {
                "title": f"Locks of run {summary.run_id}",
                "author": f"batchlock {summary.version}",
                "created": summary.finished_at.astimezone(UTC),
            }
        )
        styles = Styles(book)
        write_summary(book.add_worksheet("Summary"), styles, summary)
        lines = {
            is_automatic: _Lines(book.add_worksheet(name), styles, titles)
            for is_automatic, name, titles in (
                (False, "Locks", LOCK_TITLES),
                (True, "Automatic", AUTOMATIC_TITLES),
            )
        }
        for lock in locks:
            lines[lock.is_automatic].add(lock)
        for each in lines.values():
            each.finish()
        return sum(each.count for each in lines.values())


class _Lines:
    """The lines of one sheet, from top to bottom."""

    def __init__(self, sheet: Any, styles: Styles, titles: Sequence[str]) -> None:
        self._sheet, self._styles = sheet, styles
        self._last_column = len(titles) - 1
        self.count = 0
        for column, (title, width) in enumerate(zip(titles, _WIDTHS, strict=True)):
            # Text format, so that an id typed into the column later keeps its digits.
            sheet.set_column(column, column, width, styles.text)
            sheet.write_string(0, column, title, styles.header)
        sheet.freeze_panes(1, 0)
        # No green triangle in every cell with an id.
        sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
        set_up_print(sheet)
        sheet.repeat_rows(0)

    def add(self, lock: FoundLock) -> None:
        """Write the line of a lock."""
        self.count += 1
        for column, cell in enumerate(lock):
            if cell:
                style = self._styles.lines if "\n" in cell else self._styles.text
                write_text(self._sheet, self.count, column, cell, style)

    def finish(self) -> None:
        """Set the filter, whose range is known at the end."""
        self._sheet.autofilter(0, 0, self.count, self._last_column)
