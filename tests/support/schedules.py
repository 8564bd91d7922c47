"""Schedules over a PostgreSQL database, with a time that the test sets."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from batchlock.config import Settings
from batchlock.core.results import Result
from batchlock.core.runs import Run, RunFigures, RunState
from batchlock.core.schedules import StoredSchedule
from batchlock.core.stop import COMPLETED, StopReason
from batchlock.fleet.schedules import Scheduler
from batchlock.store.store import Store
from support.settings import settings_of

NIGHT = datetime(2026, 3, 2, 21, 30, tzinfo=UTC)
"""22:30 in Berlin, on a Monday."""
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
HEADER = "Module,Record Id,Lock Id,Reason"


def schedule(source: str, **values: Any) -> StoredSchedule:
    daily = StoredSchedule(
        schedule_id="acme-1f3a",
        org="acme",
        cron="30 22 * * *",
        time_zone="Europe/Berlin",
        source=source,
        next_at=NIGHT,
        added_by="ann",
        added_at=NIGHT - DAY,
    )
    return replace(daily, **values)


def write_rows(file: Path, *reasons: str) -> Path:
    """Write a CSV file with a row for each reason."""
    rows = [
        f"Leads,58431040000004{number:05},58431040000008{number:05},{reason}"
        for number, reason in enumerate(reasons, 10_001)
    ]
    file.write_text("\n".join([HEADER, *rows, ""]), "utf-8")
    return file


@dataclass
class Workers:
    """Workers that share a database; each test says what time it is."""

    settings: Settings
    store: Store
    folder: Path
    now: datetime = NIGHT
    waits: list[float] = field(default_factory=list)
    """How long the workers have waited for files to be complete."""

    def worker(self) -> Scheduler:
        """Return the scheduler of a worker; call it in an event loop."""

        async def wait(seconds: float) -> None:
            self.waits.append(seconds)

        return Scheduler(self.settings, self.store, wait=wait, now=lambda: self.now)

    def fire(self, count: int = 1) -> None:
        """Let so many workers fire at the same time what is due."""

        async def run() -> None:
            workers = [self.worker() for _ in range(count)]
            await asyncio.gather(*(worker.fire_due() for worker in workers))
            await asyncio.gather(*(worker.finish_firings() for worker in workers))
            for worker in workers:
                await worker.close()

        asyncio.run(run())

    def add(self, source: str, **values: Any) -> None:
        self.store.schedules.add(schedule(source, **values))

    @property
    def schedule(self) -> StoredSchedule:
        (stored,) = self.store.schedules.all()
        return stored

    def runs(self) -> list[Run]:
        """Return the runs of the org, oldest first."""
        return self.store.runs.of_orgs(["acme"])[::-1]

    def end(
        self,
        run: Run,
        *,
        exit_code: int = 0,
        reason: StopReason = COMPLETED,
        state: RunState = RunState.FINISHED,
    ) -> Run:
        """End a run as a worker does: record it, with results at their place."""
        assert run.info.output is not None
        Path(run.info.output).write_text("results", "utf-8")
        rows = run.figures.rows
        done = rows if exit_code == 0 else rows - 1
        self.store.runs.end_session(
            run.run_id,
            state,
            reason,
            exit_code=exit_code,
            results=run.info.output,
            figures=RunFigures(
                counts={Result.UPDATED: done, Result.REJECTED: rows - done}, settled=done
            ),
        )
        ended = self.store.runs.get(run.run_id)
        assert ended is not None
        return ended

    def after_end(self, run: Run) -> None:
        """Let a new worker do what follows the end of a run."""
        asyncio.run(self.worker().after_end(run))

    def file_left_runs(self) -> None:
        asyncio.run(self.worker().file_left_runs())

    def names(self) -> list[str]:
        """Return the files of the folder and of the folders in it."""
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.folder)) for path in files)


@contextmanager
def open_workers(database_url: str, tmp_path: Path) -> Iterator[Workers]:
    """Open a database for workers that serve the org of the configuration."""
    settings = settings_of(f"org: acme\nstate_directory: {tmp_path / 'state'}\n")
    folder = tmp_path / "in"
    folder.mkdir()
    with Store(settings.state, database_url) as store:
        yield Workers(settings, store, folder)
