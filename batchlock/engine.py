"""The product in one class: plan, start, execute, report.

A spreadsheet has a row for each locked record of a Zoho org, with a new reason for its lock. A run
sends each row to Zoho, and writes a results file with one line for each row.

    run      plan ─▶ start ─▶ execute       an unfinished run of the same file: execute
    locks    plan ─▶ start ─▶ execute       finds locked records, and changes nothing
    check    plan
    resume                    execute
    retry            start ─▶ execute       rows of another run that were not updated
    undo             start ─▶ execute       put back what another run has changed
    report                                  write the results again
    show, runs                              what the store has

- plan: read the spreadsheet into a journal: its rows, and what is wrong with them.
- start: make the record of a run in the store. `Starter`
- execute: send the rows that the run has left, then write its results. `Executor`

What needs neither a file nor Zoho is in `StoredRuns`: starts of planned runs, of retries and undos,
and all that is read from the store.

The command line, the functions for Python, the page and its workers all use this class. On the page
a plan is made for each upload, a run when a person clicks, and a worker process resumes the run. A
process that is killed loses nothing: the journal says which rows are done and which are in doubt,
and the next `run` of the same file, or `resume`, continues. At any time, one process of the machine
executes a run of an org: it holds the lock of the org. See "States of a run" in
docs/architecture.md.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchlock.config import Settings
from batchlock.confirming import ConfirmUnlocks, refuse_unlocks
from batchlock.core.cancel import CancelToken
from batchlock.core.observer import RunObserver
from batchlock.core.options import RunOptions
from batchlock.core.records import FIND_KIND, FindRequest
from batchlock.core.results import CheckResult, RunResult
from batchlock.core.runs import Run, RunInfo, RunState
from batchlock.core.schedules import Firing
from batchlock.execute import Executor, connected
from batchlock.find import (
    find_info,
    is_outdated,
    known_modules,
    plan_find,
    resolve_modules,
    with_api_names,
)
from batchlock.plan import run_info
from batchlock.plan.child import ReaderProcess
from batchlock.planning import Planner
from batchlock.report.checked_file import checked_file_target, report_check
from batchlock.send.stop_rules import deadline
from batchlock.start import refuse_undo_of_rehearsal
from batchlock.store.earlier import compare_with_earlier_runs
from batchlock.store.journal import Journal
from batchlock.stored_runs import StoredRuns
from batchlock.zoho.credentials import Credentials, load_credentials

if TYPE_CHECKING:
    from batchlock.send.org_enquiry import OrgEnquiry
    from batchlock.store.store import Store


class Engine(StoredRuns):
    """Plans, starts, executes and reports runs, with the settings and options of one command."""

    def __init__(
        self,
        settings: Settings,
        options: RunOptions,
        cancel_token: CancelToken,
        observer: RunObserver,
        *,
        reader: ReaderProcess | None = None,
        store: "Store | None" = None,
        confirm_unlocks: ConfirmUnlocks = refuse_unlocks,
        stop_at: datetime | None = None,
    ) -> None:
        """Use a reader process that was started early, and a store that is open already, if any.

        `confirm_unlocks` is called before a run with unlocks is stored; `stop_at`: see `deadline`.
        """
        super().__init__(settings, options, observer, store, confirm_unlocks)
        self.cancel_token = cancel_token
        self._reader = reader
        # The time for planning counts for `max_runtime`, and `until` is the first such time of
        # day after the start, however long planning takes.
        self.deadline_monotonic = deadline(
            settings.stop,
            started_monotonic=time.monotonic(),
            started_at=datetime.now(UTC),
            stop_at=stop_at,
        )
        """The monotonic time at which all that this engine executes ends; None: no such time."""

    async def run(self, file: Path) -> RunResult:
        """Plan, start and execute a file, or execute an unfinished run of the same file.

        Raises BatchlockError for what ends the run before its plan is complete: UsageError,
        UnreadableFile, AlreadyRunning or Cancelled. Later only an unexpected error (exit code 1)
        is raised; all others become the StopReason of the run.
        """
        info = self._new_run_info(file, self._org)
        self._refuse_other_source(info)
        return await self._run_or_resume(
            info, lambda path, asking: self._plan(file, path, info, asking), str(file)
        )

    async def locks(self, request: FindRequest) -> RunResult:
        """Find locked records, or resume a run of the last day for the same; raises as `run`."""
        credentials = load_credentials(self.settings.zoho, self.settings.network, self._org)
        request, costs = await resolve_modules(
            request, self.settings, self.store, credentials, cancel_token=self.cancel_token
        )
        info = self._reporter.with_output(find_info(request, self.settings, self._org))
        return await self._run_or_resume(
            info,
            lambda path, _: plan_find(
                request,
                path,
                info,
                self.settings,
                cancel_token=self.cancel_token,
                org_modules=known_modules(self.settings, self.store, self._org),
                costs=costs,
            ),
            info.file_name,
        )

    async def start_locks(self, request: FindRequest, *, firing: Firing | None = None) -> Run:
        """Make the run that `locks` makes, or return its unfinished one, for `resume` to execute.

        With `firing`, a due time makes a new run for a worker in any case.

        Raises UsageError as `locks` does.
        """
        modules = known_modules(self.settings, self.store, self._org)
        request = with_api_names(request, self.settings, modules)
        info = self._reporter.with_output(find_info(request, self.settings, self._org))
        unfinished = self.store.newest_unfinished(info.org, info.identity)
        if firing is None and unfinished is not None and not is_outdated(unfinished):
            return unfinished
        self.store.journals.prepare(info.org)
        with self.store.journals.plan_path(info) as path:
            await plan_find(request, path, info, self.settings, cancel_token=self.cancel_token)
            with self.store.journals.open_planned(path) as journal:
                added = None
                try:
                    figures = journal.figures()
                    added = self._starter.add(journal.info, figures, firing=firing)
                finally:
                    if added is None or added.run_id != info.run_id:
                        self.store.journals.remove(info)
                return added

    async def _run_or_resume(
        self,
        info: RunInfo,
        make_plan: "Callable[[Path, asyncio.Future[OrgEnquiry]], Coroutine[Any, Any, None]]",
        name: str,
    ) -> RunResult:
        """Plan, start and execute a run, or execute an unfinished one of the same identity."""
        org = info.org
        credentials = load_credentials(self.settings.zoho, self.settings.network, org)
        with self.store.lock(org) as set_holder:
            unfinished = self.store.newest_unfinished(org, info.identity)
            if unfinished is not None and not self.options.fresh and not is_outdated(unfinished):
                set_holder(f"run {unfinished.run_id} of {name}")
                self.observer.on_message(
                    "A run of the same file was not finished. (Use --fresh to start a new run.)"
                    if info.kind != FIND_KIND
                    else "The same search was not finished. (Use --fresh to start a new one.)"
                )
                return await self._resume(unfinished, credentials)
            self._reporter.check_writable(info, self.observer)
            set_holder(f"run {info.run_id} of {name}")
            self.store.journals.prepare(org)
            # The first token is fetched, and the org is asked, while the file is read.
            # `load_credentials` has checked sign-in and network, so connecting raises nothing
            # while nobody awaits the plan.
            asking: asyncio.Future[OrgEnquiry] = asyncio.get_running_loop().create_future()
            journals = self.store.journals
            with journals.plan_path(info) as path:
                planning = asyncio.create_task(make_plan(path, asking))
                connecting = connected(self.settings, self.store, credentials)
                async with connecting as (connection, enquiry):
                    asking.set_result(enquiry)
                    await planning
                    with journals.open_planned(path) as journal:
                        try:
                            await self._refuse_other_plan(journal, enquiry)
                            await asyncio.to_thread(self._review, journal)
                            await self._executor.check_before_question(
                                journal, connection, enquiry, always=self.review is not None
                            )
                            self._starter.confirm(journal)
                        except BaseException:  # a signal at the question, too
                            journals.remove(info)
                            raise
                        run = self._starter.add(journal.info, journal.figures())
                        return await self._executor.execute(run, journal, connection, enquiry)

    async def check(
        self, file: Path, use: Callable[[Journal], None] = lambda _: None
    ) -> CheckResult:
        """Find every problem of a file, and pass its plan to `use`; nothing is sent or stored."""
        info = replace(self._new_run_info(file, self._org), kind="check")
        output = checked_file_target(info, self.settings, overwrite=self.options.overwrite)
        async with self.checked_plan(file) as journal:
            use(journal)
            return report_check(journal, output)

    @asynccontextmanager
    async def checked_plan(self, file: Path) -> AsyncIterator[Journal]:
        """Plan a file into a temporary journal, in which rows that are done are left alone."""
        with tempfile.TemporaryDirectory(prefix="batchlock-") as folder:
            path = Path(folder) / "check.journal"
            await self.plan(file, path)
            with Journal.open(path) as journal:
                if (store := self._existing_store) is not None:
                    compare_with_earlier_runs(journal, store)
                yield journal

    async def plan(self, file: Path, path: Path) -> None:
        """Plan a file into a journal at `path`, from which `start` can make a run.

        Its kind is `check` until then, because it is no run yet. Raises UnreadableFile or
        UsageError, as `run` does.
        """
        info = await asyncio.to_thread(self._new_run_info, file, self._org)
        await self._plan(file, path, replace(info, kind="check"))

    async def resume(self, run_id: str | None, *, only_queued: bool = False) -> RunResult | None:
        """Execute a run that has rows left; None: the newest one. Return None when nothing is left.

        Rows in doubt are looked up first. `only_queued`: not if it does not wait in the queue.
        """
        if run_id is None:
            run = self.store.newest_unfinished(self.orgs[0])
            if run is None:
                return None
        else:
            run = self._find(run_id)
        if only_queued and run.state is not RunState.QUEUED:
            return None
        with self.store.lock(run.info.org) as set_holder:
            # Another process may have closed it before this one had the lock.
            if reason := self.store.not_resumable_because(run):
                self.observer.on_message(f"Run {run.run_id} cannot be resumed. {reason}")
                return None
            starter = f"by {run.requested_by}" if run.requested_by else "on the command line"
            set_holder(f"run {run.run_id} of {run.file_name}, started {starter}")
            return await self._resume(
                run, load_credentials(self.settings.zoho, self.settings.network, run.info.org)
            )

    async def retry(self, run_id: str, *, refused: bool = True) -> RunResult | None:
        """Execute the rows of a run that were not updated as a new run; None when there are none.

        Without `refused`, the rows that Zoho refused are not sent.
        """
        run = self._find(run_id)
        credentials = load_credentials(self.settings.zoho, self.settings.network, run.info.org)
        with self.store.lock(run.info.org) as set_holder:
            set_holder(f"a retry of run {run.run_id}")
            retry = self._starter.start_retry(run, refused=refused)
            if retry is None:
                return None
            set_holder(f"run {retry.run_id}")
            return await self._resume(retry, credentials)

    async def undo(self, run_id: str) -> RunResult | None:
        """Put back what a run has changed, as a new run; None when nothing can be put back.

        Only where Zoho still shows what the run has left. An unfinished undo is resumed.
        """
        run = self._find(run_id)
        refuse_undo_of_rehearsal(run)
        credentials = load_credentials(self.settings.zoho, self.settings.network, run.info.org)
        with self.store.lock(run.info.org) as set_holder:
            set_holder(f"an undo of run {run.run_id}")
            undo = self._starter.start_undo(self.store.runs.find(self.orgs, run.run_id))
            if undo is None:
                return None
            set_holder(f"run {undo.run_id}")
            return await self._resume(undo, credentials)

    async def _plan(
        self,
        file: Path,
        path: Path,
        info: RunInfo,
        asking: "asyncio.Future[OrgEnquiry] | None" = None,
    ) -> None:
        self.observer.on_message(f"Reading {file.name}.")
        planner = Planner(
            settings=self.settings,
            options=self.options,
            cancel_token=self.cancel_token,
            observer=self.observer,
            store=self._existing_store,
            file=file,
            path=path,
            info=info,
            reader=self._reader,
        )
        await planner.plan(asking)

    async def _resume(self, run: Run, credentials: Credentials) -> RunResult:
        with self.store.open_journal(run) as journal:
            run_info.check_address(run.info, self.settings)
            self._refuse_other_rows(journal)
            self.observer.on_message(
                f"Resuming run {run.run_id} of {run.info.started_at:%Y-%m-%d %H:%M} UTC: "
                f"{journal.remaining():,} of {journal.figures().rows:,} rows are left."
            )
            info = self._reporter.with_output(run.info)
            self._reporter.check_writable(info, self.observer)
            if info != run.info:
                self.store.runs.set_output(run.run_id, info.output)
            async with connected(self.settings, self.store, credentials) as (connection, enquiry):
                run = replace(run, info=info)
                return await self._executor.execute(run, journal, connection, enquiry)

    @property
    def _executor(self) -> Executor:
        return Executor(
            settings=self.settings,
            store=self.store,
            reporter=self._reporter,
            cancel_token=self.cancel_token,
            observer=self.observer,
            preview=self._preview,
            deadline_monotonic=self.deadline_monotonic,
            fresh=self.options.fresh,
        )

    def _new_run_info(self, file: Path, org: str) -> RunInfo:
        info = run_info.new_run_info(file, self.settings, org, self.options)
        return self._reporter.with_output(info)
