import csv
import errno
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.result_rows import TITLES, result_row, run_summary

from batchlock.core.errors import BatchlockError
from batchlock.core.results import Result, ResultRow
from batchlock.report.results import Balance, write_results


@pytest.mark.parametrize("name", ["r.xlsx", "r.csv", "r.CSV"])
def test_the_suffix_decides_the_format(tmp_path: Path, name: str) -> None:
    result_rows = [result_row(2), result_row(4)]
    folder = tmp_path / "folder"
    folder.mkdir()
    path, _ = write_results(
        folder / name, folder, TITLES, lambda: iter(result_rows), run_summary(result_rows)
    )
    assert path == folder / name
    assert zipfile.is_zipfile(path) == (name == "r.xlsx")
    assert sorted(files.name for files in folder.iterdir()) == [name]


def test_results_with_too_many_columns_for_a_sheet_are_csv(tmp_path: Path) -> None:
    titles = [f"t{n}" for n in range(16_375)]
    result_rows = [result_row(2, titles)]
    path, _ = write_results(
        tmp_path / "r.xlsx", tmp_path, titles, lambda: result_rows, run_summary(result_rows)
    )
    assert path == tmp_path / "r.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        assert [len(row) for row in csv.reader(file)] == [16_386, 16_386]


def test_results_written_a_second_time_are_counted_once(tmp_path: Path) -> None:
    result_rows = [result_row(2), result_row(3)]
    calls = []

    def read() -> Iterator[ResultRow]:
        calls.append(1)
        yield result_rows[0]
        if len(calls) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        yield result_rows[1]

    path, _ = write_results(
        tmp_path / "r.csv", tmp_path / "state", TITLES, read, run_summary(result_rows)
    )
    assert path == tmp_path / "state" / "r.csv"
    assert path.read_text("utf-8-sig").count("updated") == 2


@pytest.mark.parametrize(
    ("result_rows", "fault"),
    [
        ([result_row(2)], "2 rows read, 1 rows reported; updated: 2 counted, 1 reported"),
        ([], "2 rows read, 0 rows reported"),
        (
            [result_row(2), result_row(3, result=Result.FAILED)],
            (
                "2 rows read, 2 rows reported; updated: 2 counted, 1 reported;"
                " failed: 0 counted, 1 reported"
            ),
        ),
        ([result_row(2), result_row(2)], "2 rows reported; rows are out of order or there twice"),
        ([result_row(3), result_row(2)], "2 rows reported; rows are out of order or there twice"),
    ],
)
@pytest.mark.parametrize("name", ["r.xlsx", "r.csv"])
def test_results_that_do_not_balance_are_kept_and_reported(
    tmp_path: Path, name: str, result_rows: list[ResultRow], fault: str
) -> None:
    path = tmp_path / name
    summary = run_summary([result_row(2), result_row(3)])
    with pytest.raises(BatchlockError, match="The results do not match the run") as error:
        write_results(path, tmp_path, TITLES, lambda: result_rows, summary)
    assert fault in str(error.value)
    assert str(error.value).endswith(f"batchlock report {summary.run_id}")
    assert str(path) in str(error.value)
    assert error.value.exit_code == 1
    assert path.exists()


def test_counts_that_do_not_add_up_to_the_rows_do_not_balance(tmp_path: Path) -> None:
    balance = Balance()
    assert list(balance.counted([result_row(2)])) == [result_row(2)]
    with pytest.raises(BatchlockError, match="5 rows read, 1 rows reported"):
        balance.check(
            run_summary([result_row(2)], rows=5), tmp_path / "r.csv", "batchlock report 1"
        )
