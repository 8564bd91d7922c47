"""Fire many schedules with several workers, kill one again and again, and count what was fired.

    python -m benchmarks.fleet.schedules --schedules 200 --minutes 10

Each schedule looks into a folder of its own every 20 seconds. Files arrive in some of the folders.
At the end each due time must have been fired once, and each file must have one run.
"""

import argparse
import itertools
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from batchlock.core.schedules import StoredSchedule
from batchlock.fleet.cron import next_time
from benchmarks.__main__ import load
from benchmarks.fleet.database import Server
from benchmarks.fleet.orgs import Orgs, name_of, orgs_in
from benchmarks.fleet.stand_in import stand_in
from benchmarks.fleet.watch import Watch
from benchmarks.fleet.workers import Workers, workers
from benchmarks.rows import log

_CRON = "*/20 * * * * *"
_PERIOD = timedelta(seconds=20)
_ROWS = 3
# Every due time that was finished: the table has only the last one.
_FIRED_LOG = """
CREATE TABLE fired_log (schedule text, due timestamptz, at timestamptz);
CREATE FUNCTION log_fired() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO fired_log VALUES (NEW.id, NEW.last_due, clock_timestamp());
  RETURN NEW;
END $$;
CREATE TRIGGER log_fired AFTER UPDATE OF last_due ON schedules FOR EACH ROW
WHEN (NEW.last_due IS NOT NULL) EXECUTE FUNCTION log_fired()
"""


@dataclass(frozen=True, slots=True)
class Fired:
    """A due time of a schedule, and when it was fired."""

    schedule: str
    due: datetime
    at: datetime


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fleet.schedules", description=__doc__
    )
    parser.add_argument("--schedules", type=int, default=200, help="%(default)s")
    parser.add_argument("--workers", type=int, default=3, help="%(default)s")
    parser.add_argument("--minutes", type=float, default=10.0, help="%(default)s")
    parser.add_argument(
        "--kill-every", type=float, default=60.0, help="seconds between two kills (%(default)s)"
    )
    parser.add_argument("--files", type=int, default=30, help="that arrive a minute (%(default)s)")
    arguments = parser.parse_args()
    print(load(), flush=True)
    folder = Path(tempfile.mkdtemp(prefix="fleet-"))
    folder.chmod(0o755)  # another user runs the database when this one is root
    server = Server(folder / "postgres")
    try:
        _measure(server, folder, arguments)
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(load())


def _measure(server: Server, folder: Path, arguments: argparse.Namespace) -> None:
    count = arguments.schedules
    with (
        server.database() as url,
        stand_in(orgs=count, latency="50ms") as zoho,
        orgs_in(url, folder, lease="15s") as orgs,
        workers(folder, orgs.environment, zoho.url) as group,
    ):
        orgs.add(range(1, count + 1), zoho.url)
        watch = Watch(url)
        watch.query(_FIRED_LOG)
        _add_schedules(orgs, count)
        for _ in range(arguments.workers):
            group.start()
        files, kills = _disturb(orgs, group, arguments)
        log("waiting for the last firings and runs")
        watch.until(lambda: not watch.open_runs() and not _files_left(orgs.folder), 180)
        group.close()
        fired = [Fired(*row) for row in watch.query("SELECT * FROM fired_log ORDER BY at")]
        runs = watch.query("SELECT schedule, due, file FROM runs WHERE schedule IS NOT NULL")
        _report(fired, runs, files, kills, _files_left(orgs.folder))


def _add_schedules(orgs: Orgs, count: int) -> None:
    now = orgs.store.schedules.now()
    begin = next_time(_CRON, "UTC", now + timedelta(seconds=15))
    for number in range(1, count + 1):
        inbox = orgs.folder / "in" / name_of(number)
        inbox.mkdir(parents=True)
        orgs.store.schedules.add(
            StoredSchedule(
                schedule_id=f"every-20-{number}",
                org=name_of(number),
                cron=_CRON,
                time_zone="UTC",
                source=f"inbox:{inbox}",
                next_at=begin,
                added_at=now,
            )
        )


def _disturb(orgs: Orgs, group: Workers, arguments: argparse.Namespace) -> tuple[int, int]:
    """Let files arrive and kill workers; return the numbers of both."""
    end = time.monotonic() + 60 * arguments.minutes
    next_kill = time.monotonic() + arguments.kill_every
    numbers = itertools.cycle(range(1, arguments.schedules + 1))
    files = kills = 0
    while time.monotonic() < end:
        time.sleep(60 / arguments.files)
        number = next(numbers)
        file = orgs.new_file(number, _ROWS, skip=_ROWS * files)
        file.rename(orgs.folder / "in" / name_of(number) / f"file-{files}.csv")
        files += 1
        if time.monotonic() > next_kill:
            next_kill += arguments.kill_every
            group.kill(random.choice(group.running))  # noqa: S311
            group.start()
            kills += 1
    return files, kills


def _files_left(folder: Path) -> int:
    return len(list(folder.glob("in/*/*.csv")))


def _report(
    fired: Sequence[Fired], runs: Sequence[tuple[object, ...]], files: int, kills: int, left: int
) -> None:
    times = Counter((one.schedule, one.due) for one in fired)
    by_schedule: dict[str, list[datetime]] = {}
    for one in fired:
        by_schedule.setdefault(one.schedule, []).append(one.due)
    together = sum(
        round((later - earlier) / _PERIOD) - 1
        for dues in by_schedule.values()
        for earlier, later in itertools.pairwise(sorted(set(dues)))
    )
    late = sorted((one.at - one.due).total_seconds() for one in fired)
    of_files = Counter(file for _, _, file in runs)
    print(
        f"{len(by_schedule)} schedules, {len(times)} due times fired, {kills} workers killed\n"
        f"fired twice: {sum(number - 1 for number in times.values())}\n"
        f"caught up together with a later time: {together}\n"
        f"seconds after the due time: median {late[len(late) // 2]:.1f}, "
        f"99 %: {late[len(late) * 99 // 100]:.1f}, most {late[-1]:.1f}\n"
        f"{files} files: {len(of_files)} have a run, {len(runs) - len(of_files)} have two, "
        f"{left} are left in their folders"
    )


if __name__ == "__main__":
    main()
