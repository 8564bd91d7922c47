"""A worker fires a schedule, sends the run and moves the file."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.fleet import Fleet, name_of, until, updates_of
from support.schedules import schedule

from batchlock.core.records import FIND_KIND
from batchlock.core.runs import Run

MakeFleet = Callable[..., Fleet]


def runs_of(fleet: Fleet) -> list[Run]:
    return fleet.store.runs.of_orgs([name_of(1)])


def test_a_file_is_sent_and_moved_and_a_report_is_written(
    make_fleet: MakeFleet, tmp_path: Path
) -> None:
    fleet = make_fleet()
    folder, reports = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    reports.mkdir()
    shutil.copy(updates_of(1, 10), folder / "tonight.csv")
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    sources = (f"inbox:{folder}", f"locks:Leads>{reports}")
    for number, source in enumerate(sources):
        daily = schedule(source, schedule_id=f"nightly-{number}", org=name_of(1), next_at=hour_ago)
        fleet.store.schedules.add(daily)
    with fleet.worker():
        until(lambda: len(runs_of(fleet)) == 2 and all(run.results for run in runs_of(fleet)))
        until(lambda: fleet.store.schedules.unfiled_runs() == [])
    sent = next(run for run in runs_of(fleet) if run.info.kind != FIND_KIND)
    assert sorted(path.name for path in (folder / "done").iterdir()) == [
        f"tonight-{sent.run_id}.csv",
        f"tonight-results-{sent.run_id}.xlsx",
    ]
    assert len(list(reports.iterdir())) == 1
    first, second = fleet.store.schedules.all()
    assert "10 of 10 rows are as the file asks" in first.last_result
    assert "has found" in second.last_result
