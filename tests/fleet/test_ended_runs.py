"""After the end of a run of a schedule, its file and its results have their place."""

from pathlib import Path

import pytest
from support.schedules import DAY, Workers, write_rows

from batchlock.core.runs import Run, RunState
from batchlock.core.stop import StopCode, StopReason

DEADLINE = StopReason(code=StopCode.DEADLINE, sentence="It was 06:00.")


@pytest.fixture
def run(workers: Workers) -> Run:
    """Make the run of orders.csv, as a due time does."""
    write_rows(workers.folder / "orders.csv", "one", "two")
    workers.add(f"{workers.folder}/*.csv")
    workers.fire()
    (run,) = workers.runs()
    return run


def test_a_file_whose_rows_are_all_done_goes_to_done(workers: Workers, run: Run) -> None:
    ended = workers.end(run)
    workers.after_end(ended)
    workers.after_end(ended)
    run_id = run.run_id
    assert workers.names() == [
        f"done/orders-{run_id}.csv",
        f"done/orders-results-{run_id}.xlsx",
    ]
    result = workers.schedule.last_result
    assert result.count("2 of 2 rows are as the file asks") == 1
    assert f"done/orders-results-{run_id}.xlsx" in result
    assert workers.store.schedules.unfiled_runs() == []


def test_a_file_with_a_refused_row_goes_to_attention_with_its_results(
    workers: Workers, run: Run
) -> None:
    workers.after_end(workers.end(run, exit_code=3))
    run_id = run.run_id
    assert workers.names() == [
        f"attention/orders-{run_id}.csv",
        f"attention/orders-{run_id}.csv.txt",
        f"attention/orders-results-{run_id}.xlsx",
    ]
    stored = workers.store.runs.get(run_id)
    assert stored is not None
    assert stored.results == str(workers.folder / f"attention/orders-results-{run_id}.xlsx")


def test_a_run_that_is_resumed_and_finished_moves_its_file_to_done(
    workers: Workers, run: Run
) -> None:
    workers.after_end(workers.end(run, exit_code=6, reason=DEADLINE, state=RunState.STOPPED))
    (note,) = (workers.folder / "attention").glob("*.txt")
    assert "1 of 2 rows are as the file asks. It was 06:00." in note.read_text("utf-8")
    stopped = workers.runs()[0]
    assert workers.store.runs.start_session(stopped)
    workers.file_left_runs()  # it is being sent, so nothing is moved
    assert len(list((workers.folder / "attention").iterdir())) == 3
    workers.after_end(workers.end(run))
    # The results of the first end would say "not sent" of rows that are done now.
    assert workers.names() == [
        f"done/orders-{run.run_id}.csv",
        f"done/orders-results-{run.run_id}.xlsx",
    ]


def test_a_file_that_the_worker_of_the_run_has_not_moved_is_found(
    workers: Workers, run: Run
) -> None:
    workers.end(run)
    workers.fire()  # any worker looks for it
    workers.file_left_runs()
    assert f"done/orders-{run.run_id}.csv" in workers.names()


@pytest.mark.parametrize("moved", [{"file"}, {"results"}, {"file", "results"}])
def test_moves_go_on_where_a_killed_worker_has_stopped(
    workers: Workers, run: Run, moved: set[str]
) -> None:
    ended = workers.end(run, exit_code=3)
    attention = workers.folder / "attention"
    if "file" in moved:
        Path(run.info.file).rename(attention / f"orders-{run.run_id}.csv")
    if "results" in moved and run.info.output is not None:
        Path(run.info.output).rename(attention / Path(run.info.output).name)
    workers.after_end(ended)
    assert [name.partition("/")[0] for name in workers.names()] == ["attention"] * 3
    assert workers.store.schedules.unfiled_runs() == []


def test_another_file_of_the_same_name_stays_for_the_next_time(workers: Workers, run: Run) -> None:
    write_rows(workers.folder / "orders.csv", "three")
    workers.after_end(workers.end(run))
    assert workers.names() == [f"done/orders-results-{run.run_id}.xlsx", "orders.csv"]
    workers.now += DAY
    workers.fire()
    assert len(workers.runs()) == 2


def test_without_the_folder_the_run_is_left_for_another_worker(workers: Workers, run: Run) -> None:
    ended = workers.end(run)
    away = workers.folder.rename(workers.folder.with_name("away"))
    workers.after_end(ended)
    assert len(workers.store.schedules.unfiled_runs()) == 1
    away.rename(workers.folder)
    workers.file_left_runs()
    assert f"done/orders-{run.run_id}.csv" in workers.names()


def test_the_file_of_a_superseded_run_stays_for_the_newer_one(workers: Workers, run: Run) -> None:
    ended = workers.end(run, reason=DEADLINE, state=RunState.SUPERSEDED)
    workers.after_end(ended)
    assert "orders.csv" in workers.names()
    assert workers.store.schedules.unfiled_runs() == []


def test_a_later_due_time_keeps_its_own_result(workers: Workers, run: Run) -> None:
    workers.now += DAY
    workers.fire()
    before = workers.schedule.last_result
    workers.after_end(workers.end(run))
    assert workers.schedule.last_result == before
