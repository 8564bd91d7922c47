"""The product in one class: plan, send, report.

    run     plan ─▶ send ─▶ report      an unfinished run of the same file: as resume
    check   plan
    resume          send ─▶ report
    retry   a journal made from another run's journal, then as resume
    report                  report

The results are written at the end of every run, whatever ended the sending. The web page calls
`plan` for an upload, `start` or `start_retry` for a click; its worker then calls `resume`.
Identity, closed, supersede and lineage: see "States of a run" in docs/architecture.md.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from batchlock.config import Settings
from batchlock.core.cancel import CancelToken
from batchlock.core.observer import RunObserver
from batchlock.core.options import RunOptions
from batchlock.core.results import (
    COMPLETED,
    CheckResult,
    RunListing,
    RunResult,
    Summary,
)
from batchlock.plan import run_info
from batchlock.plan.child import ReaderProcess, ReadLimits, plan
from batchlock.plan.finished import note_finished_run
from batchlock.report import summaries
from batchlock.report.checked_file import checked_file_target, report_check
from batchlock.report.preview import preview_of
from batchlock.report.reporter import Reporter
from batchlock.send.session import send
from batchlock.send.stop_rules import deadline
from batchlock.store import org_lock
from batchlock.store.earlier import (
    compare_with_earlier_runs,
    leave_rows_done_before,
    none_at_work,
    supersede,
    unfinished_runs,
)
from batchlock.store.history import (
    History,
    StoredRun,
    close_if_unfinished,
    close_retried_run,
    find_run,
    not_resumable_because,
    open_histories,
)
from batchlock.store.journal import (
    Journal,
    RunInfo,
    copy_plan,
    copy_unsettled_rows,
)
from batchlock.zoho.connect import Connection, connect
from batchlock.zoho.credentials import Credentials, load_credentials
from batchlock.zoho.settings import SIMULATOR


@dataclass(frozen=True, slots=True)
class Runner:
    """Plans, sends and reports runs, with the settings and options of one command."""

    settings: Settings
    options: RunOptions
    cancel_token: CancelToken
    observer: RunObserver
    reader: ReaderProcess | None = None
    """A reader process that was started early; None: `plan` starts one."""
    started_monotonic: float = field(default_factory=time.monotonic)
    """The start of `max_runtime`; the time for planning counts."""
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """UTC; `until` is the first such time of day after it, however long planning takes."""

    async def run(self, file: Path) -> RunResult:
        """Plan, send and report a file, or resume an unfinished run of the same file.

        Raises BatchlockError for what ends the run before its plan is complete: UsageError,
        UnreadableFile, AlreadyRunning or the reason of `cancel_token`. Later only an unexpected
        error (exit code 1) is raised; all others become the StopReason in the summary.
        """
        org = self._org
        credentials = self._credentials(org)
        info = self._new_run_info(file, org)
        history = History(self.settings.state, org)
        with org_lock.org_lock(self.settings.state, org) as set_holder:
            history.make_folder()
            history.clear_drafts()
            runs = list(history.all())
            unfinished = history.unfinished(info.identity, runs=runs)
            if unfinished is not None and not self.options.fresh:
                set_holder(f"run {unfinished.stem} of {file}", unfinished.stem)
                self.observer.on_message(
                    "A run of the same file was not finished. (Use --fresh to start a new run.)"
                )
                return await self._resume(unfinished, credentials)
            self._check_writable(info)
            set_holder(f"run {info.run_id} of {file}", info.run_id)
            path = history.path(info.run_id)
            # The first token is fetched while the file is read. `_credentials` checked sign-in and
            # network, so connecting raises nothing while nobody awaits the plan.
            planning = asyncio.create_task(self._plan(file, path, info, runs))
            async with self._connect(credentials) as connection:
                await planning
                with Journal.open(path) as journal:
                    supersede(runs, journal.info)
                    await self._leave_done_rows(journal, runs)
                    return await self._send_and_report(journal, connection)

    async def check(self, file: Path) -> CheckResult:
        """Find every problem of a file; nothing is sent, and no run is stored."""
        info = replace(self._new_run_info(file, self._org), kind="check")
        output = checked_file_target(info, self.settings, overwrite=self.options.overwrite)
        with tempfile.TemporaryDirectory(prefix="batchlock-") as folder:
            path = Path(folder) / "check.journal"
            await self._plan(file, path, info)
            with Journal.open(path) as journal:
                leave_rows_done_before(journal, History(self.settings.state, info.org))
                return report_check(journal, output)

    async def plan(self, file: Path, path: Path) -> None:
        """Plan a file into a journal at `path`, from which `start` can make a run.

        Its kind is `check` until then, because it is no run yet. Raises UnreadableFile or
        UsageError, as `run` does.
        """
        info = await asyncio.to_thread(self._new_run_info, file, self._org)
        await self._plan(file, path, replace(info, kind="check"))

    def start(self, plan_path: Path) -> str:
        """Make a run of a plan, for `resume` to send, and return its id.

        The unfinished runs of the same content are closed. Raises AlreadyRunning when one of them
        is being sent.
        """
        history = History(self.settings.state, self._org)
        history.make_folder()
        runs, fresh = list(history.all()), self.options.fresh
        note_finished_run(plan_path, runs, is_fresh=fresh)
        with Journal.open(plan_path) as journal:
            run_info.check_address(journal.info, self.settings)
            info = run_info.new_info_like(journal.info, self.settings)
            info = replace(info, kind="run", strict=self.settings.input.strict)
            info = self._reporter.with_output(info)
            with none_at_work(self.settings.state, unfinished_runs(runs, info)):
                copy_plan(journal, history.path(info.run_id), info, sends_done_rows=fresh)
                supersede(runs, info)
        return info.run_id

    async def resume(self, run_id: str | None) -> RunResult | None:
        """Send and report the rows that a run has left; None: the newest unfinished run.

        Rows in doubt are looked up first. Returns None when nothing is left to send.
        """
        if run_id is None:
            history = self._histories()[0]
            path = history.unfinished()
            if path is None:
                return None
        else:
            history, path = self._find(run_id)
        with org_lock.org_lock(self.settings.state, history.org) as set_holder:
            if reason := not_resumable_because(history, path):
                self.observer.on_message(f"Run {path.stem} cannot be resumed. {reason}")
                return None
            credentials = self._credentials(history.org)
            set_holder(f"run {path.stem}", path.stem)
            return await self._resume(path, credentials)

    async def retry(self, run_id: str, *, refused: bool = True) -> RunResult | None:
        """Send the rows of a run that were not updated as a new run; None when there are none.

        Without `refused`, the rows that Zoho refused are not sent.
        """
        history, path = self._find(run_id)
        credentials = self._credentials(history.org)
        with org_lock.org_lock(self.settings.state, history.org) as set_holder:
            set_holder(f"a retry of run {path.stem}")
            newest, *earlier = history.lineage(path.stem)
            with Journal.open(newest) as source:
                run_info.check_address(source.info, self.settings)
                if newest != path and not source.is_closed:
                    set_holder(f"run {newest.stem}", newest.stem)
                    return await self._resume(newest, credentials)
                retry = self._create_retry(history, source, earlier, refused=refused)
            if retry is None:
                return None
            set_holder(f"run {retry.stem}", retry.stem)
            with Journal.open(retry) as journal:
                async with self._connect(credentials) as connection:
                    return await self._send_and_report(journal, connection)

    def start_retry(self, run_id: str, *, refused: bool = True) -> str | None:
        """Make the run that `retry` makes, for `resume` to send, and return its id.

        Raises AlreadyRunning when the other run has rows left and may be running.
        """
        history, path = self._find(run_id)
        newest, *earlier = history.lineage(path.stem)
        with Journal.open(newest) as source, ExitStack() as stack:
            run_info.check_address(source.info, self.settings)
            if newest != path and not source.is_closed:
                return newest.stem
            if source.remaining():
                stack.enter_context(org_lock.org_lock(self.settings.state, history.org))
            retry = self._create_retry(history, source, earlier, refused=refused)
            return None if retry is None else retry.stem

    def report(self, run_id: str) -> RunResult:
        """Write the results of a run again; rows without an outcome are `not_sent` or `unknown`."""
        _, path = self._find(run_id)
        with Journal.open(path) as journal, journal.snapshot():
            info = self._reporter.with_output(journal.info)
            self._check_writable(info)
            stop_reason = summaries.stop_reason_of(journal)
            summary = self._reporter.summary(journal, info, stop_reason)
            return self._reporter.write(journal, info, summary)

    def show(self, run_id: str) -> tuple[Summary, str | None]:
        """Return the summary of a run so far, and the path of its results file."""
        _, path = self._find(run_id)
        with Journal.open(path) as journal, journal.snapshot():
            end = journal.end
            stop_reason = summaries.stop_reason_of(journal)
            summary = self._reporter.summary(journal, journal.info, stop_reason)
            return summary, end.output if end else None

    def runs(self) -> list[RunListing]:
        """Return the runs of this org, then the rehearsals, newest first each."""
        return [listing for history in self._histories() for listing in history.listings()]

    async def _plan(
        self, file: Path, path: Path, info: RunInfo, runs: Iterable[StoredRun] | None = None
    ) -> None:
        request = run_info.plan_request(file, path, info, self.settings, self.options)
        settings = self.settings.input
        limits = ReadLimits(timeout_seconds=settings.max_seconds, memory_bytes=settings.max_memory)
        self.observer.on_message(f"Reading {file.name}.")
        await plan(request, limits, cancel_token=self.cancel_token, reader=self.reader)
        runs = History(self.settings.state, info.org).all() if runs is None else runs
        note_finished_run(path, runs, is_fresh=self.options.fresh)

    async def _resume(self, path: Path, credentials: Credentials) -> RunResult:
        with Journal.open(path) as journal:
            info = journal.info
            run_info.check_address(info, self.settings)
            close_retried_run(path, info)
            self.observer.on_message(
                f"Resuming run {info.run_id} of {info.started_at:%Y-%m-%d %H:%M} UTC: "
                f"{journal.remaining():,} of {sum(journal.counts().values()):,} rows are left."
            )
            info = self._reporter.with_output(info)
            self._check_writable(info)
            journal.set_info(info)
            # A run that was killed after its plan, or one of the page, has not compared yet.
            if info.kind == "run" and not journal.totals.requests and not journal.is_compared:
                await self._leave_done_rows(journal, History(self.settings.state, info.org).all())
            async with self._connect(credentials) as connection:
                return await self._send_and_report(journal, connection)

    async def _leave_done_rows(self, journal: Journal, runs: Iterable[StoredRun]) -> None:
        """Mark the rows that an earlier run of the same content has done, and tell about it."""
        fresh = self.options.fresh
        # In a thread, since a million rows take seconds, and the first token comes meanwhile.
        await asyncio.to_thread(compare_with_earlier_runs, journal, runs, fresh=fresh)
        if (sentence := summaries.left_alone(journal, fresh=fresh)) is not None:
            self.observer.on_message(sentence)

    def _create_retry(
        self, history: History, source: Journal, earlier: Sequence[Path], *, refused: bool
    ) -> Path | None:
        """Make the journal of a retry of `source`; None when it has no rows to retry.

        `earlier` are the runs before `source`, newest first, whose refused rows no retry has sent.
        """
        info = run_info.retry_info(
            source, self.settings, has_earlier=bool(earlier), refused=refused
        )
        if info is None:
            return None
        info = self._reporter.with_output(info)
        self._check_writable(info)
        path = history.path(info.run_id)
        copy_unsettled_rows(source, path, info, refused=refused, earlier=earlier if refused else ())
        close_if_unfinished(source, f"The remaining rows were moved to run {info.run_id}.")
        return path

    async def _send_and_report(self, journal: Journal, connection: Connection) -> RunResult:
        """Send the rows that are left, then report, whatever ended the sending."""
        # Also when all rows are done: the notes say when that was.
        if not journal.totals.requests:
            self.observer.on_preview(preview_of(journal))
        if not journal.remaining():
            return self._reporter.finish(journal, COMPLETED)
        is_strict = journal.info.strict or self.settings.input.strict
        if is_strict and (refusal := summaries.refusal_of(journal)) is not None:
            return self._reporter.finish(journal, refusal)
        stop_reason = await send(
            journal,
            connection,
            self.settings,
            deadline_monotonic=deadline(
                self.settings.stop,
                started_monotonic=self.started_monotonic,
                started_at=self.started_at,
            ),
            cancel_token=self.cancel_token,
            observer=self.observer,
        )
        return self._reporter.finish(journal, stop_reason)

    def _check_writable(self, info: RunInfo) -> None:
        """Tell before the first call when the results cannot be written at their place."""
        if (sentence := self._reporter.elsewhere(info)) is not None:
            self.observer.on_message(sentence)

    @property
    def _reporter(self) -> Reporter:
        return Reporter(self.settings, self.options)

    @property
    def _org(self) -> str:
        return SIMULATOR if self.options.simulate else self.settings.org

    def _new_run_info(self, file: Path, org: str) -> RunInfo:
        info = run_info.new_run_info(file, self.settings, org, self.options)
        return self._reporter.with_output(info)

    def _credentials(self, org: str) -> Credentials:
        return load_credentials(self.settings.zoho, self.settings.network, org)

    def _connect(self, credentials: Credentials) -> AbstractAsyncContextManager[Connection]:
        return connect(
            self.settings.zoho,
            self.settings.network,
            credentials,
            call_timeout=self.settings.retry.timeout,
            max_wait=self.settings.retry.give_up_after,
            token_folder=self.settings.state / "tokens",
        )

    def _histories(self) -> list[History]:
        """Return the histories that a run can be in: that of this org, then the rehearsals."""
        orgs = [self.settings.org, SIMULATOR]
        return open_histories(self.settings.state, orgs[::-1] if self.options.simulate else orgs)

    def _find(self, run_id: str) -> tuple[History, Path]:
        return find_run(self._histories(), run_id, org=self.settings.org)
