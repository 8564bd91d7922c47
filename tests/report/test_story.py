"""The total of a file, its corrections and its retries."""

from dataclasses import replace
from typing import Any

from support.run_info import figures_of, run_info, run_record

from batchlock.core.runs import Run, Totals
from batchlock.report.story import Story, complete_families, story_of


def run(number: int, *, updated: int = 0, left: int = 0, requests: int = 0, **info: Any) -> Run:
    """Return the run with this number, whose calls cost a credit each except the first."""
    totals = Totals(requests=requests, credits_used=max(0, requests - 1))
    figures = replace(figures_of(updated=updated, left=left), totals=totals)
    return run_record(run_info(run_id=f"run {number}", **info), figures=figures)


def test_a_run_alone_is_its_own_story() -> None:
    assert story_of([run(1, updated=4, left=6, requests=5)]) == Story(
        runs=1, rows=10, settled=4, requests=5, credits_used=4
    )


def test_the_rows_of_a_retry_count_once() -> None:
    family = [
        run(1, updated=4, left=6, requests=10),
        run(2, updated=3, left=3, requests=6, retry_of="run 1"),
        run(3, updated=2, left=1, requests=3, retry_of="run 2"),
    ]
    assert story_of(family) == Story(runs=3, rows=10, settled=9, requests=19, credits_used=16)


def test_a_correction_has_all_rows_and_those_that_were_done_before() -> None:
    family = [
        run(1, updated=4, left=6, requests=10),
        run(2, updated=2, left=4, requests=6, retry_of="run 1"),
        run(3, updated=9, left=3, requests=3),  # the corrected file, with two more rows
        run(4, updated=1, left=2, requests=3, retry_of="run 3"),
    ]
    assert story_of(family) == Story(runs=4, rows=12, settled=10, requests=22, credits_used=18)


def test_a_retry_whose_run_was_removed_begins_the_story() -> None:
    family = [
        run(2, updated=3, left=3, requests=6, retry_of="run 1"),
        run(3, updated=2, left=1, requests=3, retry_of="run 2"),
    ]
    assert story_of(family) == Story(runs=2, rows=6, settled=5, requests=9, credits_used=7)


def test_no_run_has_no_story() -> None:
    assert story_of([]) == Story(runs=0, rows=0, settled=0, requests=0, credits_used=0)


def test_the_sentence_has_the_totals() -> None:
    story = Story(runs=3, rows=12_000, settled=11_999, requests=12_345, credits_used=12_001)
    assert story.sentence == (
        "Together: 3 runs, 11,999 of 12,000 rows done, 12,345 calls, 12,001 credits."
    )


def test_a_family_is_complete_when_its_runs_have_done_every_row_together() -> None:
    first, second = run(1, updated=4, left=6), run(2, updated=6, retry_of="run 1")
    second = replace(second, parent=first.parent)
    alone = replace(run(3, updated=4), parent="run 3")
    open_one = replace(run(4, updated=4, left=1), parent="run 4")
    assert complete_families([open_one, alone, second, first]) == {first.parent}
    assert complete_families([first]) == frozenset()
