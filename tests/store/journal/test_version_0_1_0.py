"""Journals that 0.1.0 wrote; tests/data/journals/make_of_0_1_0.py made them."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.journals import problem_keys, result_by_row, rows_of
from support.paths import ROOT
from support.run_info import run_info

from batchlock.core.results import Result
from batchlock.core.rows import NoValue
from batchlock.core.runs import Totals
from batchlock.store.journal import Journal
from batchlock.store.journal.old_end import SessionEnd, read_end

JOURNALS = ROOT / "tests" / "data" / "journals"
INFO = run_info(
    file=os.fsdecode(b"/data/caf\xe9.csv"),
    started_at=datetime(2026, 3, 14, 2, 3, 4, 567, tzinfo=UTC),
    version="0.1.0",
    output="/data/results.csv",
    sheet="Locks",
    encoding="cp1252",
    delimiter=";",
    titles=("Module", "Record Id", "Lock Id", "Reason", "Extra"),
    settings={"org": "acme", "in flight": "auto"},
    strict=True,
)
END = SessionEnd(
    exit_code=6,
    ended_by="Stopped: the time for this run is over.",
    finished_at=datetime(2026, 3, 14, 3, tzinfo=UTC),
    output="/data/results.csv",
    closed=False,
)


def copy_of(name: str, path: Path) -> Path:
    shutil.copy(JOURNALS / name, path)
    return path


def facts(path: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(path)) as sql:
        return {name: json.loads(value) for name, value in sql.execute("SELECT * FROM run")}


def test_the_facts_of_a_run_are_read(path: Path) -> None:
    with Journal.open(copy_of("run-0.1.0.journal", path)) as journal:
        assert journal.info == INFO
        assert read_end(journal.database) == END
        assert journal.totals == Totals(requests=9, credits_used=8, in_flight_peak=4, seconds=1.5)


def test_the_facts_of_a_retry_without_refused_rows_are_read(path: Path) -> None:
    with Journal.open(copy_of("retry-0.1.0.journal", path)) as journal:
        assert journal.info.retry_of == INFO.run_id
        assert journal.info.excludes_refused
        assert rows_of(journal.result_rows()) == [5, 6, 7, 8, 10]


def test_rows_and_cells_are_read(path: Path) -> None:
    with Journal.open(copy_of("run-0.1.0.journal", path)) as journal:
        rows = {row.row: row for row in journal.result_rows()}
        assert result_by_row(journal) == {
            2: Result.UPDATED,
            3: Result.UNCHANGED,
            4: Result.REJECTED,
            5: Result.FAILED,
            6: Result.UNKNOWN,
            7: Result.NOT_SENT,
            8: Result.INVALID,
            9: Result.DUPLICATE,
            10: Result.NOT_SENT,
        }
        assert problem_keys(journal) == [(8, "Reason", "bad_value")]
    assert rows[2].finished_at == datetime(2026, 3, 14, 2, 4, 0, 123456, tzinfo=UTC)
    assert rows[2].checksum == "6d304818e527"
    assert rows[8].cells == (True, 2**70, NoValue("#N/A"), timedelta(hours=30), "\ud800")
    assert rows[9].cells == (
        1.5,
        date(2026, 1, 2),
        datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001  cells have no time zone
        time(0),
        "",
    )
    assert rows[9].message == "The same as row 2, which was updated."


def test_a_run_can_be_resumed(path: Path) -> None:
    with Journal.open(copy_of("run-0.1.0.journal", path)) as journal:
        assert rows_of(journal.in_doubt()) == [6]
        assert rows_of(journal.commit_batch([], claim=9)) == [7, 10]


@pytest.mark.parametrize("name", ["run-0.1.0.journal", "retry-0.1.0.journal"])
def test_facts_are_written_as_0_1_0_wrote_them(name: str, path: Path) -> None:
    before = facts(copy_of(name, path))
    with Journal.open(path) as journal:
        journal.set_info(journal.info)
        journal.commit_batch([])
    assert {name: value for name, value in facts(path).items() if name in before} == before
