"""The latest status of each row of a file, over all its runs, with both homes of the store."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.journals import make_outcome, make_update, plan_journal, simple_update
from support.run_info import run_info

from batchlock.core.results import Status
from batchlock.core.rows import Problem, Update
from batchlock.core.runs import RunInfo
from batchlock.store.journal import UNDONE, Journal
from batchlock.store.store import Store

FIRST = run_info(run_id="20260314-020304-0001")


@pytest.fixture(autouse=True)
def folder(store: Store) -> None:
    store.journals.prepare(FIRST.org)


def later(number: int, **changes: Any) -> RunInfo:
    """Return a later run of the same file, or of another one."""
    return replace(FIRST, run_id=f"20260314-020304-{number:04}", **changes)


def other_file(number: int, **changes: Any) -> RunInfo:
    return later(number, sha256=f"{number:02}" * 32, **changes)


def add_run(
    store: Store,
    tmp_path: Path,
    info: RunInfo,
    outcomes: Mapping[int, Status],
    *,
    updates: Sequence[Update] | None = None,
    invalid: Sequence[int] = (),
    spans: Sequence[tuple[int, int, int]] = (),
) -> None:
    """Add the journal of a run with the rows of `outcomes`; pending rows have none."""
    path = plan_journal(
        tmp_path / f"{info.run_id}.journal",
        [simple_update(row) for row in outcomes] if updates is None else updates,
        problems=[Problem(row, "Reason", "missing_value", "Blank.") for row in invalid],
    )
    with Journal.open(path) as plan:
        plan.set_reading(replace(plan.reading, source_rows=tuple(spans)))
    store.journals.add_plan(path, info)
    sent = {row: status for row, status in outcomes.items() if status is not Status.PENDING}
    with store.journals.open(info) as journal:
        journal.commit_batch([make_outcome(row, status) for row, status in sent.items()])


UPDATED, REJECTED, FAILED, PENDING, UNCHANGED = (
    Status.UPDATED, Status.REJECTED, Status.FAILED, Status.PENDING, Status.UNCHANGED,
)  # fmt: skip


def test_a_retry_has_the_latest_word_on_its_rows(store: Store, tmp_path: Path) -> None:
    retry = later(2, kind="retry", retry_of=FIRST.run_id)
    add_run(store, tmp_path, FIRST, {2: UPDATED, 3: FAILED, 4: REJECTED}, invalid=[5])
    add_run(store, tmp_path, retry, {3: UPDATED, 4: REJECTED}, invalid=[5])
    statuses = store.journals.latest_statuses([FIRST, retry])
    assert statuses.counts == {"updated": 2, "rejected": 1, "invalid": 1}
    assert statuses.settled_later == {(FIRST.run_id, retry.run_id): 1}
    assert statuses.unreadable == []


def test_a_row_that_was_not_sent_again_keeps_its_word(store: Store, tmp_path: Path) -> None:
    again = later(2, corrections="0123")
    add_run(store, tmp_path, FIRST, {2: UPDATED, 3: REJECTED, 4: PENDING}, invalid=[5])
    # Row 5 was corrected on the page; the run stopped before the last three rows.
    add_run(store, tmp_path, again, {2: UNCHANGED, 3: PENDING, 4: PENDING, 5: PENDING})
    statuses = store.journals.latest_statuses([FIRST, again])
    assert statuses.counts == {"updated": 1, "rejected": 1, "pending": 2}
    assert statuses.settled_later == {}


def test_a_done_row_that_was_corrected_and_not_sent_is_not_done(
    store: Store, tmp_path: Path
) -> None:
    again, fresh = later(2, corrections="0123"), later(3)
    add_run(store, tmp_path, FIRST, {2: UPDATED, 3: UPDATED, 4: UPDATED})
    corrected = [simple_update(2), replace(simple_update(3), reason="another"), simple_update(4)]
    outcomes = {2: UNCHANGED, 3: PENDING, 4: PENDING}
    add_run(store, tmp_path, again, outcomes, updates=corrected)
    # Row 4 is sent again as it was, which changes nothing before it is sent.
    statuses = store.journals.latest_statuses([FIRST, again])
    assert statuses.counts == {"updated": 2, "pending": 1}
    add_run(store, tmp_path, fresh, {3: UPDATED}, updates=corrected[1:2])
    statuses = store.journals.latest_statuses([FIRST, again, fresh])
    assert statuses.counts == {"updated": 3}
    assert statuses.settled_later == {(again.run_id, fresh.run_id): 1}


def test_an_undo_takes_rows_back_until_they_are_done_again(store: Store, tmp_path: Path) -> None:
    undo = later(2, kind="undo", undo_of=FIRST.run_id)
    add_run(store, tmp_path, FIRST, {2: UPDATED, 3: UPDATED, 4: REJECTED})
    add_run(store, tmp_path, undo, {2: UPDATED, 3: REJECTED})
    assert store.journals.latest_statuses([FIRST, undo]).counts == {
        UNDONE: 1,
        "updated": 1,
        "rejected": 1,
    }
    again = later(3)
    add_run(store, tmp_path, again, {2: UPDATED, 3: UNCHANGED, 4: FAILED})
    statuses = store.journals.latest_statuses([FIRST, undo, again])
    assert statuses.counts == {"updated": 2, "failed": 1}
    back = later(4, kind="undo", undo_of=undo.run_id)
    add_run(store, tmp_path, back, {2: UPDATED})
    assert store.journals.latest_statuses([FIRST, undo, back]).counts == {
        "updated": 2,
        "rejected": 1,
    }


def test_a_part_of_the_file_is_found_by_its_records(store: Store, tmp_path: Path) -> None:
    part = other_file(2)
    add_run(store, tmp_path, FIRST, {2: UPDATED, 3: FAILED, 4: REJECTED})
    rows = [make_update(2, make_update(4).record_id), make_update(3, "5843104000000999999")]
    add_run(store, tmp_path, part, {2: UPDATED, 3: FAILED}, updates=rows)
    statuses = store.journals.latest_statuses([FIRST, part])
    # The row of a record that the first file lacks counts too.
    assert statuses.counts == {"updated": 2, "failed": 2}
    assert statuses.settled_later == {(FIRST.run_id, part.run_id): 1}
    retry = replace(part, run_id="20260314-020304-0003", kind="retry", retry_of=part.run_id)
    add_run(store, tmp_path, retry, {3: UPDATED}, updates=rows[1:])
    assert store.journals.latest_statuses([FIRST, part, retry]).counts == {
        "updated": 3,
        "failed": 1,
    }


def test_the_rows_of_results_are_found_by_their_source_rows(store: Store, tmp_path: Path) -> None:
    results = other_file(2, results_of=FIRST.run_id)
    add_run(store, tmp_path, FIRST, {4: UPDATED, 5: REJECTED}, invalid=[6])
    # Another record id, and a row without any record id before.
    rows = [make_update(2, make_update(4).record_id), make_update(3), make_update(4, "58431040001")]
    outcomes = {2: UNCHANGED, 3: UPDATED, 4: UPDATED}
    add_run(store, tmp_path, results, outcomes, updates=rows, spans=[(2, 4, 2)])
    statuses = store.journals.latest_statuses([FIRST, results])
    assert statuses.counts == {"updated": 3}
    assert statuses.settled_later == {(FIRST.run_id, results.run_id): 2}


@pytest.mark.parametrize("other", [REJECTED, FAILED, PENDING])
def test_of_two_rows_about_one_the_done_one_counts(
    store: Store, tmp_path: Path, other: Status
) -> None:
    results = other_file(2, results_of=FIRST.run_id)
    add_run(store, tmp_path, FIRST, {4: REJECTED})
    # Somebody has copied a row of the results.
    rows = [make_update(2, make_update(4).record_id), make_update(3, "58431040001")]
    outcomes = {2: Status.LOCKED, 3: other}
    add_run(store, tmp_path, results, outcomes, updates=rows, spans=[(2, 2, 2), (3, 3, 1)])
    assert store.journals.latest_statuses([FIRST, results]).counts == {"locked": 1}


def test_a_duplicate_counts_as_the_row_that_it_repeats(store: Store, tmp_path: Path) -> None:
    again = later(2)
    rows = [make_update(2), make_update(3, make_update(2).record_id)]
    add_run(store, tmp_path, FIRST, {2: FAILED}, updates=rows)
    assert store.journals.latest_statuses([FIRST]).counts == {"failed": 2}
    add_run(store, tmp_path, again, {2: UPDATED}, updates=rows)
    assert store.journals.latest_statuses([FIRST, again]).counts == {"updated": 2}


def test_a_run_without_a_journal_is_passed_over(embedded_store: Store, tmp_path: Path) -> None:
    embedded_store.journals.prepare(FIRST.org)
    add_run(embedded_store, tmp_path, FIRST, {2: UPDATED})
    gone = later(2)
    statuses = embedded_store.journals.latest_statuses([gone, FIRST])
    assert statuses.counts == {"updated": 1}
    assert statuses.unreadable == [gone.run_id]
    assert embedded_store.journals.latest_statuses([gone]).unreadable == [gone.run_id]
