"""What a run has learnt about the locks of some records."""

from datetime import UTC, datetime

from support.journals import BOTH_HOMES, OpenPlan, make_outcome, make_update

from batchlock.core.results import Status
from batchlock.core.rows import Action

pytestmark = BOTH_HOMES

MOMENT = datetime(2026, 3, 14, tzinfo=UTC)


def test_the_end_of_a_row_says_what_its_lock_holds(open_plan: OpenPlan) -> None:
    updates = [make_update(row) for row in range(2, 8)]
    updates.append(make_update(8, action=Action.UNLOCK, reason=""))
    journal = open_plan(updates)
    journal.commit_batch(
        [
            make_outcome(2, Status.UPDATED, finished_at=MOMENT, previous_reason="before"),
            make_outcome(3, Status.REJECTED, finished_at=MOMENT, previous_reason="before"),
            make_outcome(4, Status.REJECTED, finished_at=MOMENT),
            make_outcome(5, Status.FAILED, finished_at=MOMENT),
            make_outcome(6, Status.UNCHANGED, finished_at=MOMENT),
            make_outcome(8, Status.UNLOCKED, finished_at=MOMENT, previous_reason="before"),
        ],
        claim=0,
    )
    records = {(one.module, str(one.record_id)): one for one in updates}
    known = journal.known_reasons(records)
    assert {records[record].row: one.reason for record, one in known.items()} == {
        2: updates[0].reason,
        3: "before",
        6: updates[4].reason,
        8: None,
    }
    assert {one.at for one in known.values()} == {MOMENT}
    one = next(iter(records))
    assert set(journal.known_reasons([one])) == {one}
    assert journal.known_reasons([("Other", one[1])]) == {}
    assert journal.known_reasons([]) == {}
