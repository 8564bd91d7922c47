from collections import Counter

from support.journals import (
    BOTH_HOMES,
    Home,
    OpenPlan,
    make_outcome,
    open_every_status,
    simple_update,
)

from batchlock.core.results import Result, Status
from batchlock.core.rows import Problem

pytestmark = BOTH_HOMES


def test_every_row_has_one_result_row_in_order_and_the_counts_agree(
    open_plan: OpenPlan,
) -> None:
    journal = open_every_status(open_plan)
    rows = list(journal.result_rows())
    assert [row.row for row in rows] == [*range(2, 14), 20, 21, 30, 31]
    assert all(row.cells == (f"row {row.row}",) for row in rows)
    results = [row.result for row in rows]
    assert journal.counts() == {result: results.count(result) for result in Result}
    assert list(journal.counts().values()) == [3, 0, 0, 1, 4, 1, 2, 2, 2, 1]
    assert sum(journal.counts().values()) == len(rows)
    assert (journal.settled(), journal.remaining()) == (5, 3)


def test_counts_have_every_result_even_without_rows(open_plan: OpenPlan) -> None:
    journal = open_plan([])
    assert journal.counts() == dict.fromkeys(Result, 0)
    assert list(journal.result_rows()) == []
    assert list(journal.groups()) == []
    assert (journal.settled(), journal.remaining()) == (0, 0)


def test_rows_without_an_outcome_have_a_message_and_a_remedy(open_plan: OpenPlan) -> None:
    rows = {row.row: row for row in open_every_status(open_plan).result_rows()}
    assert rows[11].result is Result.UNKNOWN
    assert "not known yet" in rows[11].message
    assert rows[12].result is Result.NOT_SENT
    assert "before this row was sent" in rows[12].message
    assert rows[11].remedy
    assert rows[12].remedy


def test_groups_hold_the_rows_of_each_cause_with_the_largest_first(open_plan: OpenPlan) -> None:
    groups = [
        (group.result, group.code, group.message, group.count, list(group.rows))
        for group in open_every_status(open_plan).groups()
    ]
    rejected = [group for group in groups if group[0] is Result.REJECTED]
    assert rejected == [
        (Result.REJECTED, "INVALID_DATA", "first", 3, [6, 8, 9]),
        (Result.REJECTED, "NO_PERMISSION", "no", 1, [7]),
    ]
    invalid = [group for group in groups if group[0] is Result.INVALID]
    assert invalid == [
        (Result.INVALID, "missing_value", "It is blank.", 2, [30, 31]),
        (Result.INVALID, "bad_id", '"x" is no id.', 1, [30]),
    ]
    rest = {
        group[0]: group[4] for group in groups if group[0] not in (Result.REJECTED, Result.INVALID)
    }
    assert rest == {
        Result.UNKNOWN: [11],
        Result.NOT_SENT: [12, 13],
        Result.FAILED: [10],
        Result.DUPLICATE: [20, 21],
    }
    assert all(message for _, _, message, _, _ in groups)


def test_a_group_counts_its_rows(open_plan: OpenPlan) -> None:
    for group in open_every_status(open_plan).groups():
        assert group.count == len(list(group.rows))


def test_a_row_with_one_code_twice_is_one_row_of_its_group(open_plan: OpenPlan) -> None:
    journal = open_plan([], problems=[Problem(2, column, "bad_id", "x") for column in "ab"])
    (group,) = journal.groups()
    assert (group.count, list(group.rows)) == (1, [2])


def test_rows_of_one_code_with_different_remedies_are_different_groups(open_plan: OpenPlan) -> None:
    journal = open_plan([simple_update(2), simple_update(3)])
    journal.commit_batch(
        [make_outcome(row, Status.REJECTED, code="INVALID_DATA", remedy=f"{row}") for row in (2, 3)]
    )
    assert sorted((group.remedy, *group.rows) for group in journal.groups()) == [("2", 2), ("3", 3)]


def test_a_snapshot_balances_while_another_process_sends(open_plan: OpenPlan, home: Home) -> None:
    sender = open_plan([simple_update(row) for row in range(2, 12)])
    sender.commit_batch([], claim=5)
    with home.open() as reader:
        with reader.snapshot():
            before = reader.counts()
            sender.commit_batch([make_outcome(row) for row in range(2, 7)], claim=5)
            assert reader.counts() == before
            assert Counter(row.result for row in reader.result_rows()) == +Counter(before)
        assert reader.counts()[Result.UPDATED] == 5
