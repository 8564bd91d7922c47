from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples
from support.journals import make_outcome, make_update, plan_journal, result_by_row, rows_of

from batchlock.core.results import Result, Status
from batchlock.core.rows import Problem
from batchlock.store.journal import Journal

Move = tuple[int, int, int]


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from([None, "1" * 17, "2" * 17]), st.booleans()),
        max_size=14,
    ),
    moves=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 3)), max_size=8),
)
@settings(deadline=None, max_examples=examples(60))
def test_every_row_has_one_result_row_and_the_totals_balance(
    rows: list[tuple[int, str | None, bool]], moves: list[Move], tmp_path_factory: Any
) -> None:
    path = tmp_path_factory.mktemp("runs") / "run.journal"
    updates = [
        make_update(number, f"5843104000000000{record:03}", lock)
        for number, (record, lock, valid) in enumerate(rows, 2)
        if valid
    ]
    problems = [
        Problem(number, "Why", "missing_value", "blank")
        for number, (_, _, valid) in enumerate(rows, 2)
        if not valid
    ]
    plan_journal(path, updates, problems=problems)
    sent: list[int] = []
    with Journal.open(path) as journal:
        claimed: list[int] = []
        for claim, end, back in moves:
            finished, claimed = claimed[:end], claimed[end:]
            released, claimed = claimed[:back], claimed[back:]
            outcomes = [
                make_outcome(row, Status.UPDATED if row % 2 else Status.FAILED) for row in finished
            ]
            sent += finished
            claimed += rows_of(journal.commit_batch(outcomes, released=released, claim=claim))
        result_of = result_by_row(journal)
        assert list(result_of) == list(range(2, len(rows) + 2))
        counts = journal.counts()
        assert counts == {result: list(result_of.values()).count(result) for result in Result}
        assert len(sent) == len(set(sent))
        assert counts[Result.UPDATED] + counts[Result.FAILED] == len(sent)
        assert rows_of(journal.in_doubt()) == sorted(claimed)
        grouped = [row for group in journal.groups() for row in group.rows]
        assert sorted(grouped) == [row for row in result_of if result_of[row] is not Result.UPDATED]
