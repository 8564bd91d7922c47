"""A due time of a schedule makes a run of each file of a folder, once."""

import os
from datetime import timedelta
from pathlib import Path

from support.schedules import DAY, MINUTE, NIGHT, Workers, write_rows

from batchlock.core.runs import RunState
from batchlock.core.schedules import Misfire


def test_each_file_becomes_a_run_that_waits_the_oldest_first(workers: Workers) -> None:
    for age, name in enumerate(("new.csv", "old.CSV")):
        file = write_rows(workers.folder / name, name, "two")
        os.utime(file, (1e9 - age, 1e9 - age))
    for name in ("~$old.csv", ".hidden.csv", "half.part", "other.txt"):
        write_rows(workers.folder / name, "no")
    workers.add(f"{workers.folder}/*.csv")
    workers.fire()
    runs = workers.runs()
    assert [run.info.file_name for run in runs] == ["old.CSV", "new.csv"]
    assert {run.state for run in runs} == {RunState.QUEUED}
    assert {(run.schedule, run.due) for run in runs} == {("acme-1f3a", NIGHT)}
    assert [run.figures.rows for run in runs] == [2, 2]
    assert [run.info.output for run in runs] == [
        str(workers.folder / "done" / f"{run.info.file_name[:3]}-results-{run.run_id}.xlsx")
        for run in runs
    ]
    after = workers.schedule
    assert (after.last_due, after.next_at) == (NIGHT, NIGHT + DAY)
    assert f"Run {runs[0].run_id} of old.CSV was started." in after.last_result
    assert workers.waits == []  # old files are complete at the first look


def test_several_workers_fire_a_due_time_once(workers: Workers) -> None:
    write_rows(workers.folder / "orders.csv", "one")
    workers.add(f"{workers.folder}/*.csv")
    workers.fire(count=4)
    workers.fire(count=4)
    assert len(workers.runs()) == 1


def test_nothing_is_fired_before_its_time_nor_while_paused(workers: Workers) -> None:
    write_rows(workers.folder / "orders.csv", "one")
    workers.add(f"inbox:{workers.folder}")
    workers.now = NIGHT - MINUTE
    workers.fire()
    workers.now = NIGHT + MINUTE
    workers.store.schedules.pause("acme-1f3a", "ann")
    workers.fire()
    assert (workers.runs(), workers.schedule.last_due) == ([], None)
    workers.store.schedules.resume("acme-1f3a")
    workers.fire()
    assert len(workers.runs()) == 1


def test_several_missed_times_are_caught_up_once(workers: Workers) -> None:
    workers.add(f"inbox:{workers.folder}")
    write_rows(workers.folder / "orders.csv", "one")
    workers.now = NIGHT + 3 * DAY + MINUTE
    workers.fire()
    workers.fire()
    assert [run.due for run in workers.runs()] == [NIGHT]
    assert workers.schedule.next_at == NIGHT + 4 * DAY


def test_a_missed_time_is_left_out_when_the_schedule_says_so(workers: Workers) -> None:
    workers.add(f"inbox:{workers.folder}", misfire=Misfire.SKIP)
    write_rows(workers.folder / "orders.csv", "one")
    workers.now = NIGHT + 4 * MINUTE  # late, but not missed
    workers.fire()
    workers.now = NIGHT + DAY + timedelta(minutes=6)
    write_rows(workers.folder / "orders.csv", "two")
    workers.fire()
    assert [run.due for run in workers.runs()] == [NIGHT]
    after = workers.schedule
    assert "was missed" in after.last_result
    assert (after.last_due, after.next_at) == (NIGHT + DAY, NIGHT + 2 * DAY)


def test_a_file_that_is_still_written_is_left_for_the_next_time(workers: Workers) -> None:
    file = workers.folder / "growing.csv"
    write_rows(workers.folder / "ready.csv", "one")
    write_rows(file, "one")

    class Growing(list[float]):
        def append(self, seconds: float) -> None:
            super().append(seconds)
            with file.open("a") as opened:
                opened.write(f"Leads,1,2,{len(self)}\n")

    workers.waits = Growing()
    workers.add(f"inbox:{workers.folder}")
    workers.fire()
    assert [run.info.file_name for run in workers.runs()] == ["ready.csv"]
    assert "growing.csv is still being written" in workers.schedule.last_result


def test_an_unreadable_file_is_put_aside_with_the_reason_and_the_others_go_on(
    workers: Workers,
) -> None:
    (workers.folder / "a.csv").write_text("no table", "utf-8")
    write_rows(workers.folder / "b.csv", "one")
    workers.add(f"inbox:{workers.folder}")
    workers.fire()
    assert [run.info.file_name for run in workers.runs()] == ["b.csv"]
    name = "a-20260302-213000.csv"
    assert workers.names() == [f"attention/{name}", f"attention/{name}.txt", "b.csv"]
    why = (workers.folder / "attention" / f"{name}.txt").read_text("utf-8").strip()
    assert f"a.csv was moved to attention/: {why}" in workers.schedule.last_result


def test_unlocks_need_the_option_of_the_schedule(workers: Workers) -> None:
    write_rows(workers.folder / "a.csv", "one")
    options = {"action": "unlock"}
    workers.add(f"inbox:{workers.folder}", options=options)
    workers.fire()
    assert workers.runs() == []
    (why,) = (workers.folder / "attention").glob("*.txt")
    assert "--yes" in why.read_text("utf-8")
    workers.store.schedules.remove("acme-1f3a")
    workers.add(f"inbox:{workers.folder}", options={**options, "unlocks": True})
    write_rows(workers.folder / "a.csv", "one")
    workers.fire()
    assert [run.info.action for run in workers.runs()] == ["unlock"]


def test_what_is_wrong_with_a_schedule_is_its_last_result(workers: Workers) -> None:
    workers.add(f"inbox:{workers.folder}/gone")
    workers.fire()
    assert f"The folder {workers.folder}/gone cannot be read on " in workers.schedule.last_result
    assert workers.schedule.next_at == NIGHT + DAY
    workers.store.schedules.remove("acme-1f3a")
    workers.add(f"inbox:{workers.folder}")
    workers.fire()
    assert workers.schedule.last_result == f"There were no files in {workers.folder}."
    workers.store.schedules.remove("acme-1f3a")
    workers.add(f"inbox:{workers.folder}", org="other")
    workers.fire()
    assert "There is no org other." in workers.schedule.last_result


def test_a_file_whose_run_has_not_ended_is_not_taken_again(workers: Workers) -> None:
    file = write_rows(workers.folder / "orders.csv", "one")
    workers.add(f"inbox:{workers.folder}")
    workers.fire()
    (run,) = workers.runs()
    workers.now += DAY
    workers.fire()
    assert f"run {run.run_id} of the same content has not ended yet" in (
        workers.schedule.last_result
    )
    workers.end(run)  # its file was not moved yet
    workers.now += DAY
    workers.fire()
    assert len(workers.runs()) == 1
    write_rows(file, "two")
    workers.now += DAY
    workers.fire()
    assert len(workers.runs()) == 2


def test_a_report_of_locks_waits_for_a_worker(workers: Workers, tmp_path: Path) -> None:
    workers.add(f"locks:Leads,Deals>{tmp_path}/out")
    workers.fire(count=2)
    (run,) = workers.runs()
    assert (run.info.kind, run.state, run.due) == ("locks", RunState.QUEUED, NIGHT)
    assert run.info.output == f"{tmp_path}/out/locks-{run.run_id}.xlsx"
    workers.now += DAY
    workers.fire()
    first, second = workers.runs()
    assert (first.state, second.state) == (RunState.SUPERSEDED, RunState.QUEUED)


def test_the_guards_of_an_inbox_hold_for_files_of_schedules(workers: Workers) -> None:
    workers.add(f"inbox:{workers.folder}")
    write_rows(workers.folder / "none.csv")
    write_rows(workers.folder / "a.csv", "one")
    workers.fire()
    (run,) = workers.runs()
    workers.after_end(workers.end(run))
    write_rows(workers.folder / "copy.csv", "one")
    workers.now += DAY
    workers.fire()
    assert len(workers.runs()) == 1
    notes = [
        path.read_text("utf-8") for path in sorted((workers.folder / "attention").glob("*.txt"))
    ]
    assert "the same content was finished before" in notes[0]
    assert "a header and no rows" in notes[1]
    workers.store.schedules.remove("acme-1f3a")
    workers.add(f"inbox:{workers.folder}", options={"again": True}, schedule_id="acme-2b2b")
    write_rows(workers.folder / "copy.csv", "one")
    workers.fire()
    assert len(workers.runs()) == 2
