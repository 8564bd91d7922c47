from datetime import UTC, datetime, timedelta

import pytest
from support.journals import (
    BOTH_HOMES,
    OpenPlan,
    make_outcome,
    open_every_status,
    rows_of,
    simple_update,
)

from batchlock.core.results import Result, Status
from batchlock.store.journal import RowFilter, Throughput

pytestmark = BOTH_HOMES

START = datetime(2026, 3, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row_filter", "rows"),
    [
        (RowFilter(), [*range(2, 14), 20, 21, 30, 31]),
        (RowFilter(results=frozenset({Result.UNKNOWN, Result.FAILED})), [10, 11]),
        (RowFilter(text="row 3"), [3, 30, 31]),  # a part of a cell
        (RowFilter(text=" SECOND "), [8]),  # a part of a message
        (RowFilter(text="NO_PERM"), [7]),  # a part of an outcome's code
        (RowFilter(text="missing_value"), [30, 31]),  # the code of a problem
        (RowFilter(text="is no id"), [30]),  # a part of a problem's message
        (RowFilter(text="12"), [12]),  # a row number, and a part of its cell
        (RowFilter(text="%"), []),
        (RowFilter(text="_"), [6, 7, 8, 9]),  # codes of outcomes only, and no wildcard
        (RowFilter(results=frozenset({Result.REJECTED}), text="first"), [6]),
    ],
)
def test_a_filter_selects_by_result_and_text(
    row_filter: RowFilter, rows: list[int], open_plan: OpenPlan
) -> None:
    journal = open_every_status(open_plan)
    assert rows_of(journal.page(row_filter, offset=0, limit=99)) == rows
    assert journal.count_rows(row_filter) == len(rows)


def test_pages_follow_each_other(open_plan: OpenPlan) -> None:
    journal = open_every_status(open_plan)
    pages = [journal.page(RowFilter(), offset=offset, limit=5) for offset in (0, 5, 10, 15)]
    assert [row for page in pages for row in page] == list(journal.result_rows())


def test_there_is_no_throughput_before_a_row_has_finished(open_plan: OpenPlan) -> None:
    assert open_plan([simple_update(2)]).throughput(10) is None


def test_throughput_counts_the_rows_of_equal_spans(open_plan: OpenPlan) -> None:
    journal = open_plan([simple_update(row) for row in range(2, 7)])
    seconds = {2: 0, 3: 5, 4: 9, 5: 10, 6: 20}
    journal.commit_batch(
        [
            make_outcome(
                row,
                Status.FAILED if row == 3 else Status.UPDATED,
                finished_at=START + timedelta(seconds=second),
            )
            for row, second in seconds.items()
        ]
    )
    assert journal.throughput(2) == Throughput(START, 10.0, settled=(2, 2), others=(1, 0))


def test_a_span_of_throughput_is_at_least_a_second(open_plan: OpenPlan) -> None:
    journal = open_plan([simple_update(2), simple_update(3)])
    journal.commit_batch(
        [
            make_outcome(2, finished_at=START),
            make_outcome(3, finished_at=START + timedelta(seconds=1.5)),
        ]
    )
    assert journal.throughput(100) == Throughput(START, 1.0, settled=(1, 1), others=(0, 0))
