"""Write the results of a run as a workbook or CSV, and check that no row is missing.

The results are the columns of the input and those of batchlock, one line for each row, in the
order of the file.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from batchlock.core.errors import BatchlockError
from batchlock.core.options import RunOptions
from batchlock.core.results import Result, ResultRow, Summary
from batchlock.report.csv_file import write_csv
from batchlock.report.publish import Place, publish
from batchlock.report.workbook import fits_a_sheet, write_workbook

_TOO_WIDE = "a sheet has too few columns for them"


def write_results(
    target: Path,
    fallback_folder: Path,
    titles: Sequence[str],
    result_rows: Callable[[], Iterable[ResultRow]],
    summary: Summary,
    *,
    overwrite: bool = False,
    options: RunOptions = RunOptions(),  # noqa: B008  frozen
) -> Place:
    """Write the results, and return the place that they really have, as `publish` does.

    They are CSV when `target` ends in .csv, or when a sheet has too few columns for them.
    `result_rows` is called a second time when the first folder turns out to be full. Raises
    BatchlockError, and keeps the file, when the rows do not add up to the summary.
    """
    balance = Balance()
    is_as_requested = target.suffix.lower() == ".csv" or fits_a_sheet(titles)
    if not is_as_requested:
        target = target.with_suffix(".csv")

    def write(draft: Path) -> None:
        counted_rows = balance.counted(result_rows())
        if target.suffix.lower() == ".csv":
            write_csv(draft, titles, counted_rows)
        else:
            write_workbook(draft, titles, counted_rows, summary)

    run_id = summary.run_id
    place = publish(
        write, target, fallback_folder, run_id=run_id, overwrite=overwrite, options=options
    )
    balance.check(summary, place.path, options.command("report", run_id))
    return place if place.why or is_as_requested else place._replace(why=_TOO_WIDE)


class Balance:
    """Counts the rows on their way to the file and compares them with the summary.

    The summary is counted by the database, so a row that is lost while it is written shows.
    """

    def __init__(self) -> None:
        self._counts: Counter[Result] = Counter()
        self._in_order = True

    def counted(self, result_rows: Iterable[ResultRow]) -> Iterator[ResultRow]:
        """Yield the rows, and count them from zero again."""
        self._counts.clear()
        self._in_order = True
        previous = 0
        for result_row in result_rows:
            self._counts[result_row.result] += 1
            self._in_order &= result_row.row > previous
            previous = result_row.row
            yield result_row

    def check(self, summary: Summary, path: Path, command: str) -> None:
        """Raise BatchlockError unless the rows written to `path` are those of `summary`.

        `command` writes them again.
        """
        written = self._counts.total()
        faults = [
            f"{result.words}: {summary.counts.get(result, 0):,} counted,"
            f" {self._counts[result]:,} reported"
            for result in Result
            if summary.counts.get(result, 0) != self._counts[result]
        ]
        if not self._in_order:
            faults.append("rows are out of order or there twice")
        if faults or written != summary.rows:
            raise BatchlockError(
                f"The results do not match the run: {summary.rows:,} rows read,"
                f" {written:,} rows reported{''.join(f'; {fault}' for fault in faults)}."
                f" The file was still written, to {path}, but do not rely on it."
                f" Write it again with: {command}"
            )
