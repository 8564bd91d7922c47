"""Updates, outcomes and journals for tests of the store."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from batchlock.core.results import Outcome, Result, ResultRow, Status
from batchlock.core.rows import Action, Expected, Field, LockId, Problem, RecordId, Update
from batchlock.core.runs import RunInfo
from batchlock.store.journal import Journal
from batchlock.store.journals import Journals
from support.run_info import run_info

RECORD, OTHER_RECORD = "5843104000000425561", "5843104000000425562"
LOCK, OTHER_LOCK = "5843104000000911111", "5843104000000911112"
TITLES = {
    Field.MODULE: "Modul",
    Field.RECORD_ID: "Record",
    Field.LOCK_ID: "Lock",
    Field.REASON: "Why",
    Field.ACTION: "Action",
}
# Runs a test with a journal in a file, and with one in PostgreSQL.
BOTH_HOMES = pytest.mark.parametrize("home", ["embedded", "server"], indirect=True)
INFO = run_info()
OpenPlan = Callable[..., Journal]
"""Plans like `plan_journal`, and opens the journal until the test ends."""


def make_update(
    row: int,
    record_id: str | None = None,
    lock_id: str | None = LOCK,
    reason: str = "audit",
    module: str = "Leads",
    action: Action = Action.UPDATE,
    expected: Expected | None = None,
) -> Update:
    """Return an update; each row has a record of its own when no record id is passed."""
    return Update(
        row,
        module,
        RecordId(record_id or f"58431040000{row:07}1"),
        None if lock_id is None else LockId(lock_id),
        reason,
        action,
        expected,
    )


def simple_update(row: int) -> Update:
    """Return an update of a record of its own, without a lock id."""
    return make_update(row, lock_id=None)


def make_outcome(row: int, status: Status = Status.UPDATED, **fields: Any) -> Outcome:
    """Return an outcome after one attempt."""
    return Outcome(row=row, status=status, attempts=1, **fields)


def plan_journal(
    path: Path,
    updates: Sequence[Update],
    *,
    problems: Sequence[Problem] = (),
    finished: Sequence[int] = (),
) -> Path:
    """Plan the updates, and the rows that only have problems."""
    rows = sorted({update.row for update in updates} | {problem.row for problem in problems})
    with Journal.create(path, run_info()) as journal:
        journal.add(
            [(row, (f"row {row}",)) for row in rows],
            updates=updates,
            problems=problems,
            finished=finished,
        )
        journal.check_whole_file(TITLES)
    return path


@dataclass(frozen=True, slots=True)
class Home:
    """Where journals are kept during a test, and a folder for their plans."""

    journals: Journals
    folder: Path

    def plan(self, updates: Sequence[Update], info: RunInfo = INFO, **options: Any) -> RunInfo:
        """Make the journal of a run as `plan_journal` does."""
        path = self.folder / f"{info.run_id}.plan"
        self.journals.add_plan(plan_journal(path, updates, **options), info)
        path.unlink()
        return info

    def open(self, info: RunInfo = INFO) -> Journal:
        """Open the journal of a run."""
        return self.journals.open(info)


def rows_of(items: Iterable[Update | Problem | ResultRow]) -> list[int]:
    """Return the row numbers of some items."""
    return [item.row for item in items]


def result_by_row(journal: Journal) -> dict[int, Result]:
    """Return the result of each row, and check that no row has two."""
    rows = list(journal.result_rows())
    result_of = {row.row: row.result for row in rows}
    assert len(result_of) == len(rows)
    return result_of


def problem_keys(journal: Journal) -> list[tuple[int, str, str]]:
    """Return row, column and code of each problem."""
    return [(problem.row, problem.column, problem.code) for problem in journal.problems()]


def open_every_status(open_plan: OpenPlan) -> Journal:
    """Open a journal in which rows have every result.

    3 updated, 1 unchanged, 4 rejected, 1 failed, 2 invalid, 2 duplicate, 2 not sent, 1 unknown.
    """
    rows = [simple_update(row) for row in range(2, 14)]
    journal = open_plan(
        [*rows, replace(simple_update(2), row=20), replace(simple_update(6), row=21)],
        problems=[
            Problem(30, "Why", "missing_value", "It is blank."),
            Problem(30, "Record", "bad_id", '"x" is no id.'),
            Problem(31, "Why", "missing_value", "It is blank too."),
        ],
        finished=[5],
    )
    journal.commit_batch([], claim=9)
    gone = {"code": "INVALID_DATA", "remedy": "Look.", "http_status": 400}
    journal.commit_batch(
        [
            *(make_outcome(row) for row in (2, 3, 4)),
            make_outcome(6, Status.REJECTED, **gone, message="first"),
            make_outcome(8, Status.REJECTED, **gone, message="second"),
            make_outcome(9, Status.REJECTED, **gone, message="third"),
            make_outcome(7, Status.REJECTED, code="NO_PERMISSION", message="no"),
            make_outcome(10, Status.FAILED, message="no answer"),
        ]
    )
    return journal
