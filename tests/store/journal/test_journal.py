import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchlock.core.errors import BatchlockError, Stopped
from batchlock.core.results import Outcome, Result, Status
from batchlock.core.rows import Cell, Field, LockId, NoValue, Problem, RecordId, Update
from batchlock.store.journal import Journal, RunInfo, SessionEnd, Totals, copy_unsettled_rows
from batchlock.store.journal.cells import pack, unpack

ABOUT = RunInfo(
    run_id="20260314-020304-1f3a",
    kind="run",
    org="acme",
    environment="production",
    api_url="https://www.zohoapis.com",
    file="/data/locks.xlsx",
    sha256="ab" * 32,
    identity="cd" * 32,
    started_at=datetime(2026, 3, 14, 2, 3, 4, tzinfo=UTC),
    version="1.0",
    titles=("Module", "Record Id", "Lock Id", "Reason"),
    settings={"org": "acme"},
)
TITLES = {
    Field.MODULE: "Modul",
    Field.RECORD_ID: "Record",
    Field.LOCK_ID: "Lock",
    Field.REASON: "Why",
}
END = SessionEnd(
    exit_code=3,
    ended_by="",
    finished_at=datetime(2026, 3, 14, 3, tzinfo=UTC),
    output="/data/locks-results.xlsx",
    closed=True,
)
RECORD, OTHER = "5843104000000425561", "5843104000000425562"
LOCK, OTHER_LOCK = "5843104000000911111", "5843104000000911112"


def asked(
    row: int,
    record_id: str | None = None,
    lock_id: str | None = LOCK,
    reason: str = "audit",
    module: str = "Leads",
) -> Update:
    return Update(
        row,
        module,
        RecordId(record_id or f"58431040000{row:07}1"),
        None if lock_id is None else LockId(lock_id),
        reason,
    )


def plain(row: int) -> Update:
    return asked(row, lock_id=None)


def planned(
    path: Path,
    updates: Sequence[Update],
    *,
    problems: Sequence[Problem] = (),
    finished: Sequence[int] = (),
) -> Path:
    """Plan the updates, and the rows that have problems only."""
    rows = sorted({one.row for one in updates} | {one.row for one in problems})
    with Journal.create(path, ABOUT) as journal:
        journal.add(
            [(row, (f"row {row}",)) for row in rows],
            updates=updates,
            problems=problems,
            finished=finished,
        )
        journal.check_whole_file(TITLES)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.journal"


Opened = Callable[..., Journal]


@pytest.fixture
def opened(path: Path) -> Iterator[Opened]:
    journals: list[Journal] = []

    def plan_and_open(updates: Sequence[Update], **more: Any) -> Journal:
        journals.append(Journal.open(planned(path, updates, **more)))
        return journals[-1]

    yield plan_and_open
    for journal in journals:
        journal.close()


def done(row: int, status: Status = Status.UPDATED, **more: Any) -> Outcome:
    return Outcome(row=row, status=status, attempts=1, **more)


def results(journal: Journal) -> dict[int, Result]:
    lines = list(journal.result_rows())
    told = {line.row: line.result for line in lines}
    assert len(told) == len(lines)
    return told


def found(journal: Journal) -> list[tuple[int, str, str]]:
    return [(one.row, one.column, one.code) for one in journal.problems()]


# -- about the run


def test_what_the_run_is_is_read_back(path: Path) -> None:
    about = replace(ABOUT, sheet="Sheet1", encoding="cp1252", delimiter=";", output="x.csv")
    with Journal.create(path, ABOUT) as journal:
        assert journal.info == ABOUT
        journal.set_info(about)
    with Journal.open(path) as journal:
        assert journal.info == about
        assert journal.end is None
        assert journal.totals == Totals()
        journal.set_end(END)
        journal.set_end(replace(END, exit_code=0))
    with Journal.open(path) as journal:
        assert journal.end == replace(END, exit_code=0)


def test_a_file_whose_name_is_no_unicode_can_be_run(path: Path) -> None:
    about = replace(ABOUT, file=os.fsdecode(b"/data/caf\xe9.csv"), titles=("a\ud800",))
    with Journal.create(path, about) as journal:
        assert journal.info == about


def test_a_second_plan_never_goes_into_the_same_file(path: Path) -> None:
    planned(path, [plain(2)])
    with pytest.raises(BatchlockError, match="cannot be used"):
        Journal.create(path, ABOUT)
    with Journal.open(path) as journal:
        assert results(journal) == {2: Result.NOT_SENT}


# -- plan


def test_rows_keep_their_cells_and_numbers_over_several_chunks(path: Path) -> None:
    with Journal.create(path, ABOUT) as journal:
        journal.add([(9, ("a", 1)), (12, (None, 2.5))], updates=[plain(9)], problems=[])
        journal.add([(3, (True, "x"))], updates=[plain(3)], problems=[])
        journal.check_whole_file(TITLES)
        told = [(line.row, line.cells, line.result) for line in journal.result_rows()]
    assert told == [
        (3, (True, "x"), Result.NOT_SENT),
        (9, ("a", 1), Result.NOT_SENT),
        (12, (None, 2.5), Result.INVALID),
    ]


def test_a_row_twice_is_an_error_and_neither_is_lost(path: Path) -> None:
    with Journal.create(path, ABOUT) as journal, pytest.raises(BatchlockError):
        journal.add([(2, ()), (2, ())], updates=[], problems=[])


def test_a_row_with_problems_is_invalid_and_tells_all_of_them(opened: Opened) -> None:
    problems = [
        Problem(3, "Record", "bad_id", "first"),
        Problem(3, "Why", "missing_value", "second"),
        Problem(3, "Lock", "bad_id", "third"),
        Problem(5, "Why", "missing_value", "other"),
    ]
    journal = opened([plain(2), plain(4)], problems=problems)
    lines = {line.row: line for line in journal.result_rows()}
    assert list(lines) == [2, 3, 4, 5]
    assert lines[3].code == "bad_id, missing_value"
    assert lines[3].message == "Record: first\nWhy: second\nLock: third"
    assert lines[3].check == ""
    assert lines[3].remedy
    assert (lines[5].code, lines[5].message) == ("missing_value", "Why: other")
    assert lines[2].check == plain(2).check
    assert list(journal.problems()) == problems


def test_a_row_with_an_update_and_a_problem_is_not_sent(opened: Opened) -> None:
    journal = opened([plain(2)], problems=[Problem(2, "Why", "bad_value", "odd")])
    assert journal.commit_batch([], claim=5) == []
    assert results(journal) == {2: Result.INVALID}


def test_problems_come_in_the_order_of_rows_whenever_they_were_found(opened: Opened) -> None:
    twice = [asked(2, RECORD, None, "a"), asked(9, RECORD, None, "b")]
    journal = opened(twice, problems=[Problem(5, "Why", "missing_value", "blank")])
    assert [one.row for one in journal.problems()] == [2, 5, 9]
    assert [line.code for line in journal.result_rows()] == [
        "conflict",
        "missing_value",
        "conflict",
    ]


def test_a_finished_row_is_left_alone_as_unchanged(opened: Opened) -> None:
    journal = opened([plain(2), plain(3)], finished=[2, 77])
    line = next(journal.result_rows())
    assert (line.row, line.result, line.check) == (2, Result.UNCHANGED, plain(2).check)
    assert "earlier run" in line.message
    assert [one.row for one in journal.commit_batch([], claim=9)] == [3]


def test_a_finished_row_with_a_problem_is_invalid_after_all(opened: Opened) -> None:
    journal = opened([], problems=[Problem(2, "Why", "bad_value", "odd")], finished=[2])
    assert results(journal) == {2: Result.INVALID}


# -- compare: duplicates


def test_later_rows_that_ask_the_same_are_duplicates_of_the_first(opened: Opened) -> None:
    journal = opened([asked(row, RECORD) for row in (4, 7, 9)] + [asked(5, OTHER, OTHER_LOCK)])
    assert results(journal) == {
        4: Result.NOT_SENT,
        5: Result.NOT_SENT,
        7: Result.DUPLICATE,
        9: Result.DUPLICATE,
    }
    assert [one.row for one in journal.commit_batch([], claim=9)] == [4, 5]
    assert found(journal) == []


@pytest.mark.parametrize("locks", [(None, LOCK), (LOCK, None), (LOCK, None, LOCK), (None, None)])
def test_a_blank_lock_id_fits_any(locks: tuple[str | None, ...], opened: Opened) -> None:
    journal = opened([asked(2 + n, RECORD, lock) for n, lock in enumerate(locks)])
    assert found(journal) == []
    assert list(results(journal).values()) == [Result.NOT_SENT] + [Result.DUPLICATE] * (
        len(locks) - 1
    )


@pytest.mark.parametrize(
    ("status", "told", "remedy"),
    [
        (None, "which was not sent", True),
        (Status.SENDING, "of which nobody knows yet whether it arrived", True),
        (Status.UPDATED, "which was updated", False),
        (Status.UNCHANGED, "which was unchanged", False),
        (Status.REJECTED, "which was rejected", True),
        (Status.FAILED, "which was failed", True),
    ],
)
def test_a_duplicate_tells_what_became_of_the_earlier_row(
    status: Status | None, told: str, remedy: bool, opened: Opened
) -> None:
    journal = opened([asked(2, RECORD), asked(3, RECORD)])
    if status is not None:
        journal.commit_batch([], claim=1)
    if status not in (None, Status.SENDING):
        journal.commit_batch([done(2, status)])
    line = list(journal.result_rows())[1]
    assert line.result is Result.DUPLICATE
    assert line.message == f"The same as row 2, {told}."
    assert line.remedy == ("See row 2." if remedy else "")
    assert journal.settled() == (0 if remedy else 2)


def test_a_duplicate_of_a_finished_row_counts_as_done(opened: Opened) -> None:
    journal = opened([asked(2, RECORD), asked(3, RECORD)], finished=[2])
    assert results(journal) == {2: Result.UNCHANGED, 3: Result.DUPLICATE}
    assert (journal.settled(), journal.remaining()) == (2, 0)


def test_a_finished_row_stays_unchanged_behind_the_same_row_unfinished(opened: Opened) -> None:
    journal = opened([asked(row, RECORD) for row in (2, 3, 4)], finished=[3])
    assert results(journal) == {2: Result.NOT_SENT, 3: Result.UNCHANGED, 4: Result.DUPLICATE}
    line = list(journal.result_rows())[1]
    assert "earlier run" in line.message


# -- compare: conflicts


def test_another_reason_for_the_same_record_is_a_conflict_of_all_such_rows(
    opened: Opened,
) -> None:
    updates = [
        asked(2, RECORD, None, "a"),
        asked(3, RECORD, None, "b"),
        asked(4, RECORD, None, "a"),
        asked(5, OTHER, None, "b"),
    ]
    journal = opened(updates)
    assert found(journal) == [(row, "Why", "conflict") for row in (2, 3, 4)]
    message = next(journal.problems()).message
    assert message.startswith("Rows 2, 3 and 4 ask for different reasons on the same record.")
    assert results(journal)[5] is Result.NOT_SENT


def test_another_lock_id_for_the_same_record_is_a_conflict_of_blank_ones_too(
    opened: Opened,
) -> None:
    locks = (LOCK, None, OTHER_LOCK)
    journal = opened([asked(2 + n, RECORD, lock) for n, lock in enumerate(locks)])
    assert found(journal) == [(row, "Lock", "conflict") for row in (2, 3, 4)]
    assert "different lock ids" in next(journal.problems()).message


def test_reasons_that_differ_in_case_alone_conflict(opened: Opened) -> None:
    journal = opened([asked(2, RECORD, LOCK, "Audit"), asked(3, RECORD, LOCK, "audit")])
    assert len(found(journal)) == 2


def test_the_same_record_id_in_another_module_is_another_record(opened: Opened) -> None:
    journal = opened(
        [asked(2, RECORD, None, "a"), asked(3, RECORD, None, "b", module="Deals")],
    )
    assert found(journal) == []
    assert journal.remaining() == 2


def test_one_lock_on_two_records_is_a_conflict(opened: Opened) -> None:
    updates = [asked(2, RECORD), asked(3, OTHER), asked(4, RECORD), asked(5, OTHER, OTHER_LOCK)]
    journal = opened(updates)
    assert set(results(journal).values()) == {Result.INVALID}
    shared = [one for one in journal.problems() if "the same lock" in one.message]
    assert [one.row for one in shared] == [2, 3, 4]
    assert {one.column for one in shared} == {"Lock"}
    assert next(journal.result_rows()).code == "conflict"


def test_one_lock_in_two_modules_is_a_conflict_even_where_the_names_run_together(
    opened: Opened,
) -> None:
    journal = opened(
        [
            asked(2, "23456789012345", LOCK, module="Plan1"),
            asked(3, "123456789012345", LOCK, module="Plan"),
        ]
    )
    assert [row for row, _, _ in found(journal)] == [2, 3]


def test_blank_lock_ids_are_never_shared(opened: Opened) -> None:
    journal = opened([asked(2, RECORD, None), asked(3, OTHER, None)])
    assert found(journal) == []


def test_a_conflict_of_many_rows_names_the_first_five(opened: Opened) -> None:
    journal = opened([asked(row, RECORD, None, f"r{row}") for row in range(9, 20)])
    assert "Rows 9, 10, 11, 12, 13 and 6 more ask" in next(journal.problems()).message
    assert len(found(journal)) == 11


def test_an_invalid_row_takes_no_part_in_the_comparison(opened: Opened) -> None:
    journal = opened(
        [asked(2, RECORD, None, "a"), asked(3, RECORD, None, "b")],
        problems=[Problem(2, "Why", "bad_value", "odd")],
    )
    assert results(journal) == {2: Result.INVALID, 3: Result.NOT_SENT}


# -- compare: rounded ids


def rounded_rows(column: Field, ids: Sequence[str]) -> list[Update]:
    if column is Field.RECORD_ID:
        return [asked(row, one, None) for row, one in enumerate(ids, 2)]
    return [asked(row, None, one) for row, one in enumerate(ids, 2)]


@pytest.mark.parametrize("column", [Field.RECORD_ID, Field.LOCK_ID])
def test_a_rounded_id_is_refused(column: Field, opened: Opened) -> None:
    journal = opened(rounded_rows(column, ["5843104000000420000", "5843104000000425565"]))
    assert found(journal) == [(2, TITLES[column], "rounded_id")]
    assert '"5843104000000420000"' in next(journal.problems()).message
    assert [one.row for one in journal.commit_batch([], claim=9)] == [3]


@pytest.mark.parametrize(
    ("ids", "refused"),  # and how many of the ids
    [
        (["584310400000000"], 0),  # 15 digits lose nothing
        (["5843104000"], 0),
        (["5843104000000420"], 0),  # one id of 16 digits in ten ends so
        (["58431040000004200"], 0),
        (["584310400000042000", "584310400000042001"], 0),
        (["584310400000042000", "584310400000043000"], 2),
        (["58431040000000100000"], 1),
        (["58431040000000420000"], 0),  # nor is that of this one
        (["5843104000000425000"], 0),  # its 16th digit is not zero
        (["5843104000000420000"] * 2, 2),
    ],
)
def test_ids_that_end_in_zeros_are_refused_where_chance_gives_fewer(
    ids: list[str], refused: int, opened: Opened
) -> None:
    journal = opened(rounded_rows(Field.RECORD_ID, ids))
    rows = [row for row, _, code in found(journal) if code == "rounded_id"]
    assert len(rows) == refused


def test_a_lone_id_in_zeros_among_many_is_chance(opened: Opened) -> None:
    ids = [f"58431040000004{n:05}" for n in range(10001, 10100)]
    journal = opened(rounded_rows(Field.RECORD_ID, [*ids, "5843104000000420000"]))
    assert found(journal) == []


@pytest.mark.parametrize("ids", [800, 90_000])
def test_rounded_ids_are_found_however_many_rows_there_are(ids: int, path: Path) -> None:
    rows = rounded_rows(Field.RECORD_ID, [f"{584310400000000 + n}00" for n in range(ids)])
    with Journal.open(planned(path, rows)) as journal:
        assert journal.counts()[Result.INVALID] == ids


def test_ids_of_a_large_file_that_end_in_zeros_by_chance_are_sent(path: Path) -> None:
    rows = rounded_rows(Field.RECORD_ID, [f"{58431040000000000 + n}" for n in range(90_000)])
    with Journal.open(planned(path, rows)) as journal:
        assert journal.remaining() == 90_000


def test_rows_already_done_are_not_taken_for_rounded(opened: Opened) -> None:
    journal = opened(rounded_rows(Field.RECORD_ID, ["5843104000000420000"]), finished=[2])
    assert results(journal) == {2: Result.UNCHANGED}


def test_a_rounded_id_makes_no_conflict_besides(opened: Opened) -> None:
    rounded = "5843104000000420000"
    journal = opened([asked(2, rounded, None, "a"), asked(3, rounded, None, "b")])
    assert [code for _, _, code in found(journal)] == ["rounded_id", "rounded_id"]


# -- send


def test_rows_are_claimed_once_each_in_order(opened: Opened) -> None:
    updates = [plain(row) for row in (11, 3, 7, 20, 5)]
    journal = opened(updates)
    claimed = [one for claim in (2, 0, 2, 2, 2) for one in journal.commit_batch([], claim=claim)]
    assert claimed == sorted(updates, key=lambda one: one.row)
    assert journal.counts()[Result.UNKNOWN] == 5


def test_an_update_is_claimed_as_it_was_asked(opened: Opened) -> None:
    updates = [asked(2, RECORD, LOCK, "=1+1\n'ü 🔒"), asked(3, OTHER, None, "0" * 3000, "My_Own")]
    assert opened(updates).commit_batch([], claim=2) == updates


def test_an_outcome_is_told_in_the_results_to_the_letter(opened: Opened) -> None:
    outcome = Outcome(
        row=2,
        status=Status.REJECTED,
        http_status=400,
        code="INVALID_DATA",
        message='no "such"; lock\n\U0001f512',
        remedy="Look.",
        attempts=2,
        finished_at=datetime(2026, 3, 14, 2, 3, 4, 123456, tzinfo=UTC),
        duration=0.25,
    )
    journal = opened([plain(2)])
    journal.commit_batch([], claim=1)
    journal.commit_batch([outcome])
    (line,) = journal.result_rows()
    told = {name: getattr(line, name) for name in Outcome.__slots__ if name != "status"}
    assert told == {name: getattr(outcome, name) for name in Outcome.__slots__ if name != "status"}
    assert line.result is Result.REJECTED
    assert line.finished_at is not None
    assert line.finished_at.tzinfo is UTC


def test_outcomes_returned_rows_claims_and_costs_are_one_commit(opened: Opened, path: Path) -> None:
    journal = opened([plain(row) for row in range(2, 8)])
    journal.commit_batch([], claim=3)
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN")
        before = reader.execute("SELECT group_concat(status) FROM progress").fetchone()
        claimed = journal.commit_batch(
            [done(2)], released=[3], claim=2, costs=Totals(requests=1, seconds=1.0)
        )
        assert reader.execute("SELECT group_concat(status) FROM progress").fetchone() == before
    assert [one.row for one in claimed] == [5, 6]
    assert list(results(journal).values()) == [
        Result.UPDATED,
        Result.NOT_SENT,
        Result.UNKNOWN,
        Result.UNKNOWN,
        Result.UNKNOWN,
        Result.NOT_SENT,
    ]
    assert journal.totals.requests == 1


def test_a_turn_over_that_fails_leaves_nothing_of_itself(opened: Opened) -> None:
    journal = opened([plain(2), plain(3)])
    journal.commit_batch([], claim=1)

    def outcomes() -> Iterator[Outcome]:
        yield done(2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        journal.commit_batch(outcomes(), claim=1, costs=Totals(requests=9))
    assert results(journal) == {2: Result.UNKNOWN, 3: Result.NOT_SENT}
    assert journal.totals == Totals()
    assert [one.row for one in journal.commit_batch([done(2)], claim=1)] == [3]


def test_a_row_given_back_waits_for_the_next_session(opened: Opened, path: Path) -> None:
    journal = opened([plain(2), plain(3), plain(4)])
    journal.commit_batch([], claim=2)
    assert [one.row for one in journal.commit_batch([], released=[2], claim=9)] == [4]
    assert journal.commit_batch([], claim=9) == []
    assert journal.remaining() == 3
    journal.close()
    with Journal.open(path) as again:
        assert [one.row for one in again.in_doubt()] == [3, 4]
        assert [one.row for one in again.commit_batch([], claim=9)] == [2]


def test_what_a_killed_session_was_sending_is_unsettled_and_never_claimed(opened: Opened) -> None:
    journal = opened([plain(row) for row in (2, 3, 4)])
    assert journal.in_doubt() == []
    journal.commit_batch([], claim=2)
    with Journal.open(journal.path) as again:
        assert again.in_doubt() == [plain(2), plain(3)]
        assert [one.row for one in again.commit_batch([done(2)], claim=9)] == [4]
        assert [one.row for one in again.in_doubt()] == [3, 4]


def test_attempts_add_up_over_sessions(opened: Opened) -> None:
    journal = opened([plain(2)])
    journal.commit_batch([], claim=1)
    journal.commit_batch([replace(done(2, Status.FAILED), attempts=3)])
    journal.commit_batch([replace(done(2), attempts=2)])
    assert [(line.result, line.attempts) for line in journal.result_rows()] == [(Result.UPDATED, 5)]


def test_costs_add_up_over_sessions_and_the_peak_is_the_highest(opened: Opened) -> None:
    journal = opened([plain(2)])
    spent = [
        Totals(requests=3, credits_used=2, in_flight_peak=7, seconds=1.5),
        Totals(requests=1, credits_used=1, in_flight_peak=4, seconds=0.25),
    ]
    for one in spent:
        journal.commit_batch([], costs=one)
    with Journal.open(journal.path) as again:
        assert again.totals == Totals(requests=4, credits_used=3, in_flight_peak=7, seconds=1.75)


# -- report


def every_status(opened: Opened) -> Journal:
    """Open a journal of 3 updated, 1 unchanged, 4 rejected, 1 failed, 2 invalid, 2 duplicate,
    1 in doubt and 2 that were not sent."""
    rows = [plain(row) for row in range(2, 14)]
    journal = opened(
        [*rows, replace(plain(2), row=20), replace(plain(6), row=21)],
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
            *(done(row) for row in (2, 3, 4)),
            done(6, Status.REJECTED, **gone, message="first"),
            done(8, Status.REJECTED, **gone, message="second"),
            done(9, Status.REJECTED, **gone, message="third"),
            done(7, Status.REJECTED, code="NO_PERMISSION", message="no"),
            done(10, Status.FAILED, message="no answer"),
        ]
    )
    return journal


def test_every_row_has_one_line_in_order_and_the_counts_are_those_of_the_lines(
    opened: Opened,
) -> None:
    journal = every_status(opened)
    lines = list(journal.result_rows())
    assert [line.row for line in lines] == [*range(2, 14), 20, 21, 30, 31]
    assert all(line.cells == (f"row {line.row}",) for line in lines)
    told = [line.result for line in lines]
    assert journal.counts() == {one: told.count(one) for one in Result}
    assert list(journal.counts().values()) == [3, 1, 4, 1, 2, 2, 2, 1]
    assert sum(journal.counts().values()) == len(lines)
    assert (journal.settled(), journal.remaining()) == (5, 3)


def test_counts_name_every_result_even_without_rows(opened: Opened) -> None:
    journal = opened([])
    assert journal.counts() == dict.fromkeys(Result, 0)
    assert list(journal.result_rows()) == []
    assert list(journal.groups()) == []
    assert (journal.settled(), journal.remaining()) == (0, 0)


def test_rows_without_an_outcome_say_what_to_do(opened: Opened) -> None:
    lines = {line.row: line for line in every_status(opened).result_rows()}
    assert lines[11].result is Result.UNKNOWN
    assert "nobody knows" in lines[11].message
    assert lines[12].result is Result.NOT_SENT
    assert "before this row was sent" in lines[12].message
    assert lines[11].remedy
    assert lines[12].remedy


def test_groups_hold_the_rows_of_each_cause_the_largest_first(opened: Opened) -> None:
    groups = [
        (one.result, one.code, one.message, one.count, list(one.rows))
        for one in every_status(opened).groups()
    ]
    rejected = [one for one in groups if one[0] is Result.REJECTED]
    assert rejected == [
        (Result.REJECTED, "INVALID_DATA", "first", 3, [6, 8, 9]),
        (Result.REJECTED, "NO_PERMISSION", "no", 1, [7]),
    ]
    invalid = [one for one in groups if one[0] is Result.INVALID]
    assert invalid == [
        (Result.INVALID, "missing_value", "It is blank.", 2, [30, 31]),
        (Result.INVALID, "bad_id", '"x" is no id.', 1, [30]),
    ]
    rest = {one[0]: one[4] for one in groups if one[0] not in (Result.REJECTED, Result.INVALID)}
    assert rest == {
        Result.UNKNOWN: [11],
        Result.NOT_SENT: [12, 13],
        Result.FAILED: [10],
        Result.DUPLICATE: [20, 21],
    }
    assert all(message for _, _, message, _, _ in groups)


def test_a_group_counts_its_rows(opened: Opened) -> None:
    for group in every_status(opened).groups():
        assert group.count == len(list(group.rows))


def test_a_row_with_one_code_twice_is_one_row_of_its_group(opened: Opened) -> None:
    journal = opened([], problems=[Problem(2, column, "bad_id", "x") for column in "ab"])
    (group,) = journal.groups()
    assert (group.count, list(group.rows)) == (1, [2])


def test_rows_of_one_code_with_other_remedies_are_other_groups(opened: Opened) -> None:
    journal = opened([plain(2), plain(3)])
    journal.commit_batch(
        [done(row, Status.REJECTED, code="INVALID_DATA", remedy=f"{row}") for row in (2, 3)]
    )
    assert sorted((one.remedy, *one.rows) for one in journal.groups()) == [("2", 2), ("3", 3)]


def test_what_is_read_at_one_moment_balances_while_another_process_sends(opened: Opened) -> None:
    sender = opened([plain(row) for row in range(2, 12)])
    sender.commit_batch([], claim=5)
    with Journal.open(sender.path) as reader:
        with reader.snapshot():
            before = reader.counts()
            sender.commit_batch([done(row) for row in range(2, 7)], claim=5)
            assert reader.counts() == before
            assert Counter(line.result for line in reader.result_rows()) == +Counter(before)
        assert reader.counts()[Result.UPDATED] == 5


# -- retry


def test_a_retry_takes_what_was_not_updated(opened: Opened, tmp_path: Path) -> None:
    journal = every_status(opened)
    again = replace(ABOUT, run_id="20260315-020304-aaaa", kind="retry")
    journal.set_end(END)
    copy_unsettled_rows(journal, tmp_path / "again.journal", again)
    old = {line.row: line for line in journal.result_rows()}
    with Journal.open(tmp_path / "again.journal") as retry:
        assert (retry.info, retry.totals, retry.end) == (again, Totals(), None)
        assert results(retry) == {
            **dict.fromkeys((6, 7, 8, 9, 10, 12, 13), Result.NOT_SENT),
            11: Result.UNKNOWN,
            21: Result.DUPLICATE,
            30: Result.INVALID,
            31: Result.INVALID,
        }
        new = {line.row: line for line in retry.result_rows()}
        assert all(new[row].cells == old[row].cells for row in new)
        assert all(new[row].check == old[row].check for row in new)
        assert [new[row] for row in (30, 31)] == [old[row] for row in (30, 31)]
        assert list(retry.problems()) == list(journal.problems())
        assert (new[6].code, new[6].remedy == old[6].remedy, new[6].attempts) == ("", False, 0)
        assert retry.in_doubt() == [plain(11)]
        claimed = retry.commit_batch([], claim=99)
        assert [one.row for one in claimed] == [6, 7, 8, 9, 10, 12, 13]
        retry.commit_batch([done(one.row) for one in claimed] + [done(11)])
        assert (retry.settled(), retry.remaining()) == (9, 0)
    assert journal.counts()[Result.UPDATED] == 3


def test_a_retry_can_be_retried(opened: Opened, tmp_path: Path) -> None:
    journal = opened([plain(2), plain(3)])
    journal.commit_batch([done(2), done(3, Status.FAILED)])
    copy_unsettled_rows(journal, tmp_path / "b.journal", ABOUT)
    with Journal.open(tmp_path / "b.journal") as second:
        second.commit_batch([done(3, Status.FAILED)])
        copy_unsettled_rows(second, tmp_path / "c.journal", ABOUT)
    with Journal.open(tmp_path / "c.journal") as third:
        assert results(third) == {3: Result.NOT_SENT}
    assert results(journal) == {2: Result.UPDATED, 3: Result.FAILED}


def test_a_retry_never_overwrites_a_run(opened: Opened, tmp_path: Path) -> None:
    journal = opened([plain(2)])
    other = planned(tmp_path / "other.journal", [plain(5)])
    with pytest.raises(BatchlockError):
        copy_unsettled_rows(journal, other, ABOUT)
    with Journal.open(other) as kept:
        assert results(kept) == {5: Result.NOT_SENT}
    assert results(journal) == {2: Result.NOT_SENT}


# -- damage


@pytest.mark.parametrize("content", [b"no journal, but long enough for a header\n" * 40, b"PK\3\4"])
def test_a_file_that_is_no_database_is_told(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(BatchlockError, match="is damaged") as told:
        Journal.open(path)
    assert str(path) in str(told.value)


def test_an_empty_file_is_no_journal(path: Path) -> None:
    path.touch()
    with Journal.open(path) as journal, pytest.raises(BatchlockError) as told:
        _ = journal.info
    assert str(path) in str(told.value)


def test_a_journal_that_never_got_its_description_is_told(path: Path) -> None:
    planned(path, [])
    with closing(sqlite3.connect(path)) as sql, sql:
        sql.execute("DELETE FROM run")
    with Journal.open(path) as journal, pytest.raises(BatchlockError, match="not a batchlock"):
        _ = journal.info


@pytest.mark.parametrize(
    "change",
    [
        "PRAGMA user_version = 99",
        """UPDATE run SET value = '{"colour": "red", ' || substr(value, 2)""",
    ],
)
def test_a_journal_of_another_version_is_told(path: Path, change: str) -> None:
    planned(path, [plain(2)])
    with closing(sqlite3.connect(path)) as sql, sql:
        sql.execute(change)
    told = pytest.raises(BatchlockError, match="another version of batchlock")
    with told as error, Journal.open(path) as journal:
        _ = journal.info
    assert str(path) in str(error.value)


def test_a_missing_file_is_told_and_not_made(path: Path) -> None:
    with pytest.raises(BatchlockError, match="cannot be used"):
        Journal.open(path)
    assert not path.exists()


def test_a_folder_that_is_not_there_is_told(path: Path) -> None:
    with pytest.raises(BatchlockError, match="cannot be used"):
        Journal.create(path / "deeper", ABOUT)


@pytest.mark.parametrize(
    "use",
    [
        lambda journal: journal.counts(),
        lambda journal: journal.settled(),
        lambda journal: journal.remaining(),
        lambda journal: journal.in_doubt(),
        lambda journal: list(journal.result_rows()),
        lambda journal: list(journal.groups()),
        lambda journal: list(journal.problems()),
        lambda journal: journal.commit_batch([done(900)], claim=900),
    ],
)
def test_pages_that_are_damaged_are_told(use: Callable[[Journal], object], path: Path) -> None:
    problems = [Problem(row, "Why", "bad_value", "odd " * 40) for row in range(2000, 3000)]
    planned(path, [plain(row) for row in range(2, 1000)], problems=problems)
    with closing(sqlite3.connect(path)) as sql:
        (size,) = sql.execute("PRAGMA page_size").fetchone()
        schema = sql.execute("SELECT rootpage FROM sqlite_schema").fetchall()
    content = bytearray(path.read_bytes())
    pages = {page for (page,) in schema}
    for page in range(2, len(content) // size + 1):
        if page not in pages or page > 2:
            content[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(content)
    with Journal.open(path) as journal, pytest.raises(BatchlockError, match="is damaged"):
        use(journal)


def test_a_full_disk_stops_the_run_and_keeps_what_was_recorded(opened: Opened) -> None:
    journal = opened([plain(row) for row in range(2, 50)])
    journal.commit_batch([], claim=48)
    journal.commit_batch([done(2)])
    (pages,) = journal.database.sql.execute("PRAGMA page_count").fetchone()
    journal.database.sql.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Stopped, match="is full"):
        journal.commit_batch([done(row, message="x" * 3000) for row in range(3, 50)])
    assert journal.counts()[Result.UPDATED] == 1
    journal.database.sql.execute(f"PRAGMA max_page_count = {pages + 1000}")
    journal.commit_batch([done(row, message="x" * 3000) for row in range(3, 50)])
    assert journal.counts()[Result.UPDATED] == 48


@pytest.mark.skipif(sys.platform == "win32", reason="SQLite has no such file system there")
def test_a_drive_without_a_write_ahead_log_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(path, [plain(2)])
    connect = sqlite3.connect

    def without_shared_memory(address: str, **more: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(f"{address}&vfs=unix-dotfile", **more)
        return connection

    monkeypatch.setattr(sqlite3, "connect", without_shared_memory)
    with pytest.raises(BatchlockError, match="network drive") as told:
        Journal.open(path)
    assert str(path.parent) in str(told.value)


# -- processes

_WRITER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from batchlock.store.journal import Journal, Totals
    from batchlock.core.results import Outcome, Status

    journal = Journal.open(Path(sys.argv[1]))
    held = journal.commit_batch([], claim=7)
    print("at work", flush=True)
    while held:
        outcomes = [
            Outcome(row=one.row, status=Status.UPDATED, attempts=1, message=one.reason)
            for one in held[:-1]
        ]
        spent = Totals(requests=len(outcomes), credits_used=len(outcomes))
        kept = held[-1:] if outcomes else []
        if not outcomes:
            outcomes = [Outcome(row=held[0].row, status=Status.UPDATED, attempts=1)]
            spent = Totals(requests=1, credits_used=1)
        held = kept + journal.commit_batch(outcomes, claim=6, costs=spent)
    journal.close()
    """
)
ROWS = 20_000


def writing(path: Path) -> "subprocess.Popen[str]":
    child = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "at work\n"
    return child


def test_a_second_process_reads_a_whole_picture_while_one_writes(path: Path) -> None:
    planned(path, [plain(row) for row in range(2, 1502)])
    with writing(path) as child:
        pictures = 0
        while child.poll() is None or not pictures:
            with Journal.open(path) as journal:
                told = results(journal)
                assert list(told) == list(range(2, 1502))
                assert sum(journal.counts().values()) == 1500
            pictures += 1
    assert child.returncode == 0
    with Journal.open(path) as journal:
        assert set(results(journal).values()) == {Result.UPDATED}
        assert journal.totals.requests == 1500


@pytest.mark.parametrize("updated", [1, 60, 400])
def test_a_killed_process_leaves_a_journal_that_is_right(updated: int, path: Path) -> None:
    planned(path, [plain(row) for row in range(2, ROWS + 2)])
    with writing(path) as child:
        with Journal.open(path) as reader:
            while reader.counts()[Result.UPDATED] < updated:
                assert child.poll() is None
        child.kill()
    assert child.returncode == -signal.SIGKILL
    with Journal.open(path) as journal:
        assert journal.database.sql.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        counts = journal.counts()
        assert sum(counts.values()) == ROWS
        assert updated <= counts[Result.UPDATED] < ROWS
        assert counts[Result.UPDATED] == journal.totals.requests  # same commit, or neither
        in_doubt = journal.in_doubt()
        assert len(in_doubt) == counts[Result.UNKNOWN] <= 7
        told = results(journal)
        claimed = [row for row, one in told.items() if one is not Result.NOT_SENT]
        assert claimed == list(range(2, 2 + len(claimed)))
        rest = journal.commit_batch([done(one.row) for one in in_doubt], claim=ROWS)
        assert [one.row for one in rest] == list(range(2 + len(claimed), ROWS + 2))
        journal.commit_batch([done(one.row) for one in rest])
        assert (journal.settled(), journal.remaining()) == (ROWS, 0)


# -- cells

CELLS: st.SearchStrategy[Cell] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(2**200), max_value=2**200),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=[])),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.dates(),
    st.times(),
    st.timedeltas(min_value=timedelta(days=-40_000), max_value=timedelta(days=40_000)),
    st.builds(NoValue, st.text(st.characters(exclude_categories=[]))),
)


def typed(cells: Sequence[Cell]) -> list[tuple[type, Cell]]:
    return [(type(cell), cell) for cell in cells]


@given(st.lists(CELLS, max_size=6))
@settings(deadline=None)
def test_cells_keep_their_type_and_value(cells: list[Cell]) -> None:
    assert typed(unpack(pack(cells))) == typed(cells)


@pytest.mark.parametrize(
    "cell",
    [
        "\ud800",
        "\x00",
        '{"unread": "x"}',
        2**64,
        -(2**63) - 1,
        10**25,
        2**64 - 1,
        1.0,
        True,
        NoValue("#N/A"),
        NoValue("\udfff"),
        datetime(2026, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001  a spreadsheet knows no time zones
        date(1900, 1, 1),
        time(23, 59, 59, 999999),
        timedelta(days=1, microseconds=1),
    ],
)
def test_an_awkward_cell_beside_others_is_kept(cell: Cell, path: Path) -> None:
    cells: tuple[Cell, ...] = (cell, "\ud83d", cell, 10**30, None, 7, "x")
    for kept in (cells, (cell, "x")):
        assert typed(unpack(pack(kept))) == typed(kept)
    with Journal.create(path, ABOUT) as journal:
        journal.add([(2, cells)], updates=[plain(2)], problems=[])
        assert typed(next(journal.result_rows()).cells) == typed(cells)


def test_a_cell_of_an_unknown_type_is_an_error_and_not_a_guess() -> None:
    odd: Any = object()
    with pytest.raises(TypeError, match="unknown type: object"):
        pack([odd])


# -- whatever happens

Move = tuple[int, int, int]


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from([None, "1" * 17, "2" * 17]), st.booleans()),
        max_size=14,
    ),
    moves=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 3)), max_size=8),
)
@settings(deadline=None, max_examples=60)
def test_every_row_has_one_line_and_the_totals_balance_whatever_happened(
    rows: list[tuple[int, str | None, bool]], moves: list[Move], tmp_path_factory: Any
) -> None:
    path = tmp_path_factory.mktemp("runs") / "run.journal"
    updates = [
        asked(number, f"5843104000000000{record:03}", lock)
        for number, (record, lock, valid) in enumerate(rows, 2)
        if valid
    ]
    problems = [
        Problem(number, "Why", "missing_value", "blank")
        for number, (_, _, valid) in enumerate(rows, 2)
        if not valid
    ]
    planned(path, updates, problems=problems)
    sent: list[int] = []
    with Journal.open(path) as journal:
        held: list[int] = []
        for claim, end, back in moves:
            ended, held = held[:end], held[end:]
            returned, held = held[:back], held[back:]
            outcomes = [done(row, Status.UPDATED if row % 2 else Status.FAILED) for row in ended]
            sent += ended
            held += [
                one.row for one in journal.commit_batch(outcomes, released=returned, claim=claim)
            ]
        told = results(journal)
        assert list(told) == list(range(2, len(rows) + 2))
        counts = journal.counts()
        assert counts == {one: list(told.values()).count(one) for one in Result}
        assert len(sent) == len(set(sent))
        assert counts[Result.UPDATED] + counts[Result.FAILED] == len(sent)
        assert [one.row for one in journal.in_doubt()] == sorted(held)
        grouped = [row for group in journal.groups() for row in group.rows]
        assert sorted(grouped) == [row for row in told if told[row] is not Result.UPDATED]
