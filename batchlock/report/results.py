"""Write what became of a run: results workbook, CSV, JSON.

Results are the input's own columns and ours, one line for each row, in the file's order. They are
written to a draft beside their target and renamed, so that a results file is always whole.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from batchlock.core.errors import BatchlockError
from batchlock.core.results import Result, ResultRow, Summary
from batchlock.report.cells import our_titles
from batchlock.report.csv_file import write_csv
from batchlock.report.publish import probe, publish
from batchlock.report.workbook import fits_a_sheet, write_workbook

__all__ = [
    "Balance",
    "our_titles",
    "probe",
    "publish",
    "row_ranges",
    "write_csv",
    "write_results",
    "write_workbook",
]


def row_ranges(rows: Iterable[int], most: int = 8) -> str:
    """Return ascending row numbers in words, `most` ranges at most: `2-5, 9 and 310 more rows`."""
    found: list[tuple[int, int]] = []
    more = 0
    for row in rows:
        if found and row == found[-1][1] + 1:
            found[-1] = found[-1][0], row
        elif len(found) < most:
            found.append((row, row))
        else:
            more += 1
    told = ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in found)
    return f"{told} and {more:,} more row{'' if more == 1 else 's'}" if more else told


def write_results(
    target: Path,
    fallback_folder: Path,
    titles: Sequence[str],
    lines: Callable[[], Iterable[ResultRow]],
    summary: Summary,
) -> Path:
    """Write the results, as CSV when `target` ends in .csv, and return where they really are.

    They are CSV as well when they have more columns than a workbook can hold.
    `lines` is asked a second time when the first place turns out to be full. Results that do not
    balance are kept, and raise BatchlockError.
    """
    balance = Balance()
    if not fits_a_sheet(titles):
        target = target.with_suffix(".csv")

    def write(draft: Path) -> None:
        counted = balance.counted(lines())
        if target.suffix.lower() == ".csv":
            write_csv(draft, titles, counted)
        else:
            write_workbook(draft, titles, counted, summary)

    path = publish(write, target, fallback_folder, run_id=summary.run_id)
    balance.check(summary, path)
    return path


class Balance:
    """Counts the lines that are written: a row lost on the way must not go unnoticed."""

    def __init__(self) -> None:
        self._counts: Counter[Result] = Counter()
        self._in_order = True

    def counted(self, lines: Iterable[ResultRow]) -> Iterator[ResultRow]:
        """Yield the lines, counting anew."""
        self._counts.clear()
        self._in_order = True
        last = 0
        for line in lines:
            self._counts[line.result] += 1
            self._in_order &= line.row > last
            last = line.row
            yield line

    def check(self, summary: Summary, path: Path) -> None:
        """Raise BatchlockError unless the lines written to `path` are those of `summary`."""
        reported = self._counts.total()
        wrong = [
            f"{result.value.replace('_', ' ')}: {summary.counts.get(result, 0):,} counted,"
            f" {self._counts[result]:,} reported"
            for result in Result
            if summary.counts.get(result, 0) != self._counts[result]
        ]
        if not self._in_order:
            wrong.append("rows are out of order or there twice")
        if wrong or reported != summary.rows:
            raise BatchlockError(
                f"The results do not balance: {summary.rows:,} rows read,"
                f" {reported:,} rows reported{''.join(f'; {fault}' for fault in wrong)}."
                f" They are in {path} all the same, but do not rely on them."
                f" Write them again with: batchlock report {summary.run_id}"
            )
