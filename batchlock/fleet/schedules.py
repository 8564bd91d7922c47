"""Fire the schedules that are due: plan what each takes, and start its runs.

claim ─▶ for each file: plan ─▶ run in the queue ─▶ finish ─▶ wake a worker
end of a run ─▶ its file is moved to done/ or attention/

Every worker does this for the schedules of all orgs. A due time is fired by one of them, and after
a kill by the next one, without a run that is made twice (`batchlock.store.schedules`).
"""

import asyncio
import logging
import os
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from batchlock.config import Settings
from batchlock.confirming import ConfirmUnlocks, refuse_unlocks
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import (
    BatchlockError,
    DatabaseUnavailable,
    Stopped,
    UnreadableFile,
    UsageError,
)
from batchlock.core.observer import RunObserver
from batchlock.core.options import RunOptions
from batchlock.core.runs import Run, RunState
from batchlock.core.schedules import Firing, FiringLost, Misfire
from batchlock.core.stop import Cancelled, StopCode, StopReason
from batchlock.engine import Engine
from batchlock.fleet.cron import next_time
from batchlock.fleet.queue import wake
from batchlock.fleet.source_folder import file_run, put_aside
from batchlock.fleet.sources import LocksSource, options_of, parse_source
from batchlock.inboxes.guards import Guards
from batchlock.inboxes.listing import FileSource, list_files, make_folders, version_of
from batchlock.org_settings import settings_of_org
from batchlock.plan.child import sha256_of
from batchlock.store.journal import Journal
from batchlock.store.schedules import CLAIM_SECONDS
from batchlock.store.store import Store

_log = logging.getLogger(__name__)

# Most of them wait, for a file to be complete.
_FIRINGS_AT_ONCE = 32
# Each plan is a process that needs a core, and memory for its workbook.
_PLANS_AT_ONCE = 2
# A due time that nobody has claimed for so long is a missed one. A worker looks every second, and
# one that was killed is replaced within the minute.
_MISSED_AFTER = timedelta(minutes=5)
# How often the files of runs are looked for whose worker was killed before it moved them.
_FILING_SECONDS = 30.0

# Errors after which the same due time is fired again: the fault is not in the schedule.
_FIRED_LATER = (FiringLost, DatabaseUnavailable, Stopped, Cancelled)

_WORKER_ENDS = StopReason(code=StopCode.SIGNAL, sentence="The worker ends.")


class Scheduler:
    """Fires the schedules that are due, for one worker."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        wait: Callable[[float], Awaitable[object]] = asyncio.sleep,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        """Use `now` as the time of the database, and `wait` until files are complete."""
        self._settings = settings
        self._store = store
        self._wait = wait
        self._now = store.schedules.now if now is None else now
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        self._firings: dict[str, Firing] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._filing: asyncio.Task[None] | None = None
        self._filed_at: float | None = None
        self._plans = asyncio.Semaphore(_PLANS_AT_ONCE)
        self._cancel_token = CancelToken()

    async def fire_due(self) -> None:
        """Begin to fire what is due, without waiting for its end; call it about once a second.

        Raises DatabaseUnavailable.
        """
        self._file_left_runs()
        await asyncio.to_thread(self._start_due_runs)
        free = _FIRINGS_AT_ONCE - len(self._firings)
        if free <= 0 or self._cancel_token.reason is not None:
            return
        firings = await asyncio.to_thread(self._claim, free)
        for firing in firings:
            self._firings[firing.schedule.schedule_id] = firing
            task = asyncio.create_task(self._fire(firing))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def after_end(self, run: Run) -> None:
        """Move the file of a run that a schedule has made and that has ended.

        It may be called twice, and by another worker than the one that has made the run.
        """
        await asyncio.to_thread(file_run, self._store, run.run_id)

    async def file_left_runs(self) -> None:
        """Move the files of all ended runs that no worker has moved yet."""
        for run in await asyncio.to_thread(self._store.schedules.unfiled_runs):
            await self.after_end(run)

    async def finish_firings(self) -> None:
        """Wait until everything is fired that was begun."""
        await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """Stop what is being fired; another worker goes on with it at once."""
        self._cancel_token.cancel(_WORKER_ENDS)
        tasks = [*self._tasks, *([] if self._filing is None else [self._filing])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for firing in self._firings.values():
            with suppress(DatabaseUnavailable):
                await asyncio.to_thread(self._store.schedules.release, firing)

    def _start_due_runs(self) -> None:
        now = self._now()
        for org in self._store.runs.start_due(now, self._store.runs.due_orgs(now)):
            wake(self._store, org)

    def _claim(self, limit: int) -> list[Firing]:
        return self._store.schedules.claim_due(
            self._now(), self._holder, limit=limit, except_ids=list(self._firings)
        )

    def _file_left_runs(self) -> None:
        now = asyncio.get_running_loop().time()
        is_due = self._filed_at is None or now - self._filed_at > _FILING_SECONDS
        if is_due and (self._filing is None or self._filing.done()):
            self._filed_at = now
            self._filing = asyncio.create_task(self._file_quietly())

    async def _file_quietly(self) -> None:
        try:
            await self.file_left_runs()
        except BatchlockError as error:  # the database is away: the next time
            _log.warning("The files of ended runs were not looked for: %s", error)

    async def _fire(self, firing: Firing) -> None:
        """Fire one due time, unless this worker or its database ends."""
        name = firing.schedule.schedule_id
        try:
            async with self._renewed(firing):
                result = await self._result(firing)
                await asyncio.to_thread(self._finish, firing, result)
        except FiringLost as error:
            _log.warning("%s", error)
        except Cancelled:
            return  # `close` gives the claim back
        except BatchlockError as error:  # its claim runs out, and a worker fires it then
            _log.warning("The schedule %s is fired later: %s", name, error)
        del self._firings[name]

    async def _result(self, firing: Firing) -> str:
        """Make the runs of a due time; return what it has led to, in sentences."""
        schedule = firing.schedule
        if schedule.misfire is Misfire.SKIP and _is_missed(firing):
            return f"The time {firing.due:%Y-%m-%d %H:%M} UTC was missed, and is left out."
        try:
            settings = await asyncio.to_thread(
                settings_of_org, self._settings, self._store, schedule.org, with_secrets=False
            )
            source = parse_source(schedule.source)
            settings, options = options_of(settings, schedule.options, source)
            if isinstance(source, LocksSource):
                return await self._report_locks(firing, source, settings, options)
            return await self._take_files(firing, source, settings, options)
        except _FIRED_LATER:
            raise
        except BatchlockError as error:
            return str(error)
        except Exception as error:  # the next due time may do better
            _log.exception("The schedule %s failed.", schedule.schedule_id)
            return f"It failed with an unexpected error, which is in the log: {error!r}."

    async def _report_locks(
        self, firing: Firing, source: LocksSource, settings: Settings, options: RunOptions
    ) -> str:
        engine = self._engine(settings, options)
        earlier_runs = await asyncio.to_thread(self._store.schedules.runs_of, firing)
        run = (
            earlier_runs[0]
            if earlier_runs
            else await engine.start_locks(source.request, firing=firing)
        )
        return _started(run)

    async def _take_files(
        self, firing: Firing, source: FileSource, settings: Settings, options: RunOptions
    ) -> str:
        listing = await list_files(source, self._wait)
        sentences = [
            f"{file.name} is still being written, and is taken the next time."
            for file in listing.growing
        ]
        # A killed worker may have begun this due time, and its runs may have ended since then.
        if firing.was_begun:
            earlier_runs = await asyncio.to_thread(self._store.schedules.runs_of, firing)
            sentences.extend(map(_started, earlier_runs))
        ahead_seconds = 0.0
        if listing.complete:
            ahead_seconds = await asyncio.to_thread(make_folders, source.folder)
        may_unlock = bool(firing.schedule.options.get("unlocks"))
        guards = Guards(
            settings=settings.inbox,
            store=self._store,
            again=bool(firing.schedule.options.get("again")),
            may_unlock=may_unlock,
        )
        for file in listing.complete:
            engine = self._engine(settings, options, may_unlock=may_unlock)
            taken = self._take(firing, file, engine, guards, ahead_seconds)
            if (sentence := await taken) not in sentences:
                sentences.append(sentence)
        return " ".join(filter(None, sentences)) or f"There were no files in {source.folder}."

    async def _take(
        self, firing: Firing, file: Path, engine: Engine, guards: Guards, ahead_seconds: float
    ) -> str:
        """Make the run of one file, or put it aside; return a sentence about it."""
        try:
            version = version_of(file)
            sha256 = await asyncio.to_thread(sha256_of, file)
            if (sentence := await asyncio.to_thread(self._why_left, firing, file, sha256)) != "":
                return sentence
            if version is not None:
                age_seconds = time.time() + ahead_seconds - version.modified_ns / 1e9
                guards.check_age(file.name, age_seconds)
            await asyncio.to_thread(guards.check_runs, firing.schedule.org, file)
            async with self._plans:
                with tempfile.TemporaryDirectory(prefix="batchlock-") as folder:
                    plan = Path(folder) / "plan.journal"
                    await engine.plan(file, plan)
                    await asyncio.to_thread(_check_plan, guards, plan)
                    if version_of(file) != version:
                        return f"{file.name} was changed while it was read: the next time."
                    run = await asyncio.to_thread(engine.start, plan, firing=firing)
        except _FIRED_LATER:
            raise
        except (UnreadableFile, UsageError) as error:
            if version_of(file) is None:
                return f"{file.name} was removed before it was read."
            return await asyncio.to_thread(put_aside, file, firing.due, str(error))
        except BatchlockError as error:
            return f"{file.name} is left for the next time: {error}"
        except Exception as error:  # the other files may do better
            _log.exception("%s cannot be planned.", file)
            return f"{file.name} is left, because of an unexpected error: {error!r}."
        return _started(run)

    def _why_left(self, firing: Firing, file: Path, sha256: str) -> str:
        """Return why the content of a file is not taken now; empty when it is."""
        schedules = self._store.schedules
        for run in schedules.runs_of(firing):
            if run.info.sha256 == sha256 and run.info.file == str(file):
                return _started(run)
        same = schedules.under_way(firing.schedule.org, sha256)
        if same is None:
            return ""
        return f"{file.name} is left: run {same.run_id} of the same content has not ended yet."

    def _engine(
        self, settings: Settings, options: RunOptions, *, may_unlock: bool = False
    ) -> Engine:
        confirm: ConfirmUnlocks = (lambda _: True) if may_unlock else refuse_unlocks
        return Engine(
            settings,
            options,
            self._cancel_token,
            RunObserver(),
            store=self._store,
            confirm_unlocks=confirm,
        )

    def _finish(self, firing: Firing, result: str) -> None:
        schedule = firing.schedule
        # Times that have passed meanwhile were missed together with this one.
        after = max(self._now(), firing.due)
        next_at = next_time(schedule.cron, schedule.time_zone, after)
        if not self._store.schedules.finish(firing, result, next_at):
            raise FiringLost(f"The claim on the schedule {schedule.schedule_id} was lost.")
        if any(run.state is RunState.QUEUED for run in self._store.schedules.runs_of(firing)):
            with suppress(DatabaseUnavailable):  # a worker finds the runs without it, too
                wake(self._store, schedule.org)

    @asynccontextmanager
    async def _renewed(self, firing: Firing) -> AsyncIterator[None]:
        """Keep the claim during the block."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(CLAIM_SECONDS / 3)
                with suppress(BatchlockError):  # each commit checks the claim
                    await asyncio.to_thread(
                        lambda: self._store.schedules.renew(firing, self._now())
                    )

        task = asyncio.create_task(renew())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def _check_plan(guards: Guards, path: Path) -> None:
    with Journal.open(path) as plan:
        guards.check_plan(plan)


def _started(run: Run) -> str:
    return f"Run {run.run_id} of {run.info.file_name} was started."


def _is_missed(firing: Firing) -> bool:
    return not firing.was_begun and firing.claimed_at - firing.due > _MISSED_AFTER
