"""Which old runs can be removed, and which another run still needs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.run_info import run_info

from batchlock.core.records import FIND_KIND
from batchlock.core.runs import Run, RunState
from batchlock.store.pruning import old_runs

CUTOFF = datetime(2026, 6, 1, tzinfo=UTC)


def run(number: int, *, days: int, state: RunState = RunState.FINISHED, **info: Any) -> Run:
    """Return the run with a number that ended so many days after the cutoff."""
    run_id = f"20260101-000000-{number:04x}"
    facts = {"identity": "the file", "sha256": "a", "kind": "run", **info}
    return Run(
        info=run_info(run_id=run_id, **facts),
        parent=run_id,
        state=state,
        finished_at=CUTOFF + timedelta(days=days),
    )


def removable(*runs: Run) -> list[int]:
    newest_first = sorted(runs, key=lambda one: one.run_id, reverse=True)
    old = old_runs(newest_first, CUTOFF)
    # A closed run of these tests has an end.
    is_old = [one.run_id for one in runs if one.is_closed and one.finished_at < CUTOFF]  # type: ignore[operator]
    assert sorted(one.run_id for one in (*old.removable, *old.needed)) == sorted(is_old)
    return sorted(int(one.run_id[-4:], 16) for one in old.removable)


def id_of(number: int) -> str:
    return f"20260101-000000-{number:04x}"


def test_old_runs_of_different_files_are_removable_and_newer_ones_are_not() -> None:
    assert removable(run(1, days=-2), run(2, days=-1, sha256="b"), run(3, days=0, sha256="c")) == [
        1,
        2,
    ]


@pytest.mark.parametrize("state", [one for one in RunState if one is not RunState.FINISHED])
def test_only_closed_runs_are_removable(state: RunState) -> None:
    is_closed = state in (RunState.SUPERSEDED, RunState.REFUSED)
    assert removable(run(1, days=-1, state=state)) == ([1] if is_closed else [])


def test_a_run_stays_whose_rows_an_unfinished_run_of_the_content_leaves_alone() -> None:
    assert removable(run(1, days=-9), run(2, days=-8, state=RunState.STOPPED)) == []
    assert removable(run(1, days=-9), run(2, days=1, state=RunState.SUPERSEDED)) == []


def test_a_finished_run_that_stays_makes_older_ones_of_its_identity_removable() -> None:
    assert removable(run(1, days=-9), run(2, days=-8), run(3, days=1)) == [1, 2]


def test_a_finished_run_with_another_reading_of_the_file_needs_those_before_it() -> None:
    assert removable(run(1, days=-9), run(2, days=-8), run(3, days=1, identity="other")) == [1]


@pytest.mark.parametrize("link", ["retry_of", "undo_of", "results_of"])
def test_a_run_stays_that_a_newer_one_names(link: str) -> None:
    links: dict[str, Any] = {link: id_of(1), "sha256": "b", "identity": "other"}
    newer = run(2, days=1, **links)
    assert removable(run(1, days=-9), newer) == []
    old = run(2, days=-1, **links)
    assert removable(run(1, days=-9), old) == [1, 2]


def test_what_a_kept_run_names_is_followed_to_its_beginning() -> None:
    runs = [
        run(1, days=-9),
        run(2, days=-8, kind="retry", identity="r1", retry_of=id_of(1)),
        run(3, days=1, kind="retry", identity="r2", retry_of=id_of(2)),
    ]
    assert removable(*runs) == []


def test_retries_before_a_finished_run_of_the_same_file_are_removable() -> None:
    runs = [
        run(1, days=-9),
        run(2, days=-8, kind="retry", identity="r1", retry_of=id_of(1)),
        run(3, days=1),
    ]
    assert removable(*runs) == [1, 2]


def test_an_undo_does_not_know_of_the_rows_that_it_has_not_put_back() -> None:
    undo = run(2, days=1, kind="undo", identity="u1", undo_of=id_of(1))
    assert removable(run(1, days=-9), undo) == []


def test_searches_do_not_need_each_other() -> None:
    assert removable(run(1, days=-9, kind=FIND_KIND), run(2, days=1, kind=FIND_KIND)) == [1]
