"""The total of a file, its corrections, retries and undos."""

from dataclasses import replace
from typing import Any

from support.run_info import figures_of, run_info, run_record

from batchlock.core.results import Result
from batchlock.core.runs import Run, Totals
from batchlock.report.story import Story, story_of
from batchlock.store.journal import UNDONE, LatestStatuses


def run(number: int, *, updated: int = 0, left: int = 0, requests: int = 0, **info: Any) -> Run:
    """Return the run with this number, whose calls cost a credit each except the first."""
    totals = Totals(requests=requests, credits_used=max(0, requests - 1))
    figures = replace(figures_of(updated=updated, left=left), totals=totals)
    return run_record(run_info(run_id=f"run {number}", **info), figures=figures)


def test_a_run_alone_is_its_own_story() -> None:
    story = story_of([run(1, updated=4, left=6, requests=5)])
    assert (story.runs, story.rows, story.settled) == (1, 10, 4)
    assert (story.requests, story.credits_used) == (5, 4)
    assert story.counts[Result.NOT_SENT] == 6
    assert not story.is_complete


def test_no_run_has_no_story() -> None:
    assert story_of([]) == Story(runs=0, rows=0, settled=0, requests=0, credits_used=0)


def test_each_row_counts_once_by_the_latest_word() -> None:
    first = run(1, updated=4, left=6, requests=10)
    retry = run(2, updated=3, left=3, requests=6, retry_of="run 1")
    undo = run(3, updated=2, undo_of="run 1", requests=2)
    statuses = LatestStatuses(
        counts={"updated": 5, "sending": 1, "pending": 2, UNDONE: 2},
        settled_later={("run 1", "run 2"): 3},
    )
    story = story_of([first, retry, undo], statuses)
    assert (story.runs, story.rows, story.settled, story.undone) == (3, 10, 5, 2)
    assert (story.requests, story.credits_used) == (18, 15)
    assert {result: count for result, count in story.counts.items() if count} == {
        Result.UPDATED: 5,
        Result.UNKNOWN: 1,
        Result.NOT_SENT: 2,
    }
    assert (story.done_later("run 1"), story.done_later("run 2")) == (3, 0)
    assert story.put_back == {"run 1": 2}
    assert not story.is_complete
    assert story.sentence == (
        "Together: 3 runs, 5 of 10 rows done, 2 put back, 18 calls, 15 credits."
    )


def test_rows_that_another_file_has_done_are_not_for_a_retry() -> None:
    first, retry, other = run(1), run(2, retry_of="run 1"), run(3)
    family = [first, retry, other]
    by_retry = LatestStatuses(counts={"updated": 1}, settled_later={("run 1", "run 2"): 1})
    assert not story_of(family, by_retry).done_otherwise(first, family)
    by_other = LatestStatuses(counts={"updated": 1}, settled_later={("run 1", "run 3"): 1})
    assert story_of(family, by_other).done_otherwise(first, family)
    assert story_of(family, by_other).is_complete
