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
from collections.abc import Sequence
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
    StopReason,
    Summary,
)
from batchlock.plan import run_info
from batchlock.plan.child import ReaderProcess, ReadLimits, plan
from batchlock.plan.finished import note_finished_run
from batchlock.report import summaries
from batchlock.report.checked_file import checked_file_target, report_check
from batchlock.report.destination import fallback_folder, requested_output, target_path
from batchlock.report.preview import preview_of
from batchlock.report.publish import writable_place
from batchlock.report.results import write_results
from batchlock.send.session import send
from batchlock.send.stop_rules import deadline
from batchlock.store import org_lock
from batchlock.store.history import (
    History,
    close,
    close_if_unfinished,
    close_retried_run,
    find_run,
    not_resumable_because,
    open_histories,
    supersede,
)
from batchlock.store.journal import Journal, RunInfo, SessionEnd, copy_plan, copy_unsettled_rows
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
        target = target_path(info, self.settings)
        history = History(self.settings.state, org)
        with org_lock.org_lock(self.settings.state, org) as set_holder:
            history.make_folder()
            history.clear_drafts()
            if not self.options.fresh and (unfinished := history.unfinished(info.identity)):
                set_holder(f"run {unfinished.stem} of {file}", unfinished.stem)
                self.observer.on_message(
                    "A run of the same file was not finished. (Use --fresh to start a new run.)"
                )
                return await self._resume(unfinished, credentials)
            self._check_writable(target)
            set_holder(f"run {info.run_id} of {file}", info.run_id)
            path = history.path(info.run_id)
            # The first token is fetched while the file is read. `_credentials` checked sign-in and
            # network, so connecting raises nothing while nobody awaits the plan.
            planning = asyncio.create_task(self._plan(file, path, info))
            async with self._connect(credentials) as connection:
                await planning
                supersede(history, info)
                with Journal.open(path) as journal:
                    return await self._send_and_report(journal, connection)

    async def check(self, file: Path) -> CheckResult:
        """Find every problem of a file; nothing is sent, and no run is stored."""
        info = replace(self._new_run_info(file, self.settings.org), kind="check")
        output = checked_file_target(info, self.settings)
        with tempfile.TemporaryDirectory(prefix="batchlock-") as folder:
            path = Path(folder) / "check.journal"
            await self._plan(file, path, info)
            with Journal.open(path) as journal:
                return report_check(journal, output)

    async def plan(self, file: Path, path: Path) -> None:
        """Plan a file into a journal at `path`, from which `start` can make a run.

        Its kind is `check` until then, because it is no run yet. Raises UnreadableFile or
        UsageError, as `run` does.
        """
        info = await asyncio.to_thread(self._new_run_info, file, self._org)
        await self._plan(file, path, replace(info, kind="check"))

    def start(self, plan_path: Path) -> str:
        """Make a run of a plan, for `resume` to send, and return its id."""
        history = History(self.settings.state, self._org)
        history.make_folder()
        note_finished_run(plan_path, history, is_fresh=False)
        with Journal.open(plan_path) as journal:
            run_info.check_address(journal.info, self.settings)
            info = run_info.new_info_like(journal.info, self.settings)
            info = self._with_output(replace(info, kind="run", strict=self.settings.input.strict))
            copy_plan(journal, history.path(info.run_id), info)
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
            if reason := not_resumable_because(history, path):
                self.observer.on_message(f"Run {path.stem} cannot be resumed. {reason}")
                return None
        credentials = self._credentials(history.org)
        with org_lock.org_lock(self.settings.state, history.org) as set_holder:
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
            info = self._with_output(journal.info)
            summary = self._summary(journal, info, summaries.stop_reason_of(journal))
            return RunResult(summary=summary, output=self._write(journal, info, summary))

    def show(self, run_id: str) -> tuple[Summary, str | None]:
        """Return the summary of a run so far, and the path of its results file."""
        _, path = self._find(run_id)
        with Journal.open(path) as journal, journal.snapshot():
            end = journal.end
            summary = self._summary(journal, journal.info, summaries.stop_reason_of(journal))
            return summary, end.output if end else None

    def runs(self) -> list[RunListing]:
        """Return the runs of this org, then the rehearsals, newest first each."""
        return [listing for history in self._histories() for listing in history.listings()]

    async def _plan(self, file: Path, path: Path, info: RunInfo) -> None:
        request = run_info.plan_request(file, path, info, self.settings, self.options)
        settings = self.settings.input
        limits = ReadLimits(timeout_seconds=settings.max_seconds, memory_bytes=settings.max_memory)
        self.observer.on_message(f"Reading {file.name}.")
        await plan(request, limits, cancel_token=self.cancel_token, reader=self.reader)
        history = History(self.settings.state, info.org)
        note_finished_run(path, history, is_fresh=self.options.fresh)

    async def _resume(self, path: Path, credentials: Credentials) -> RunResult:
        with Journal.open(path) as journal:
            info = journal.info
            run_info.check_address(info, self.settings)
            close_retried_run(path, info)
            self.observer.on_message(
                f"Resuming run {info.run_id} of {info.started_at:%Y-%m-%d %H:%M} UTC: "
                f"{journal.remaining():,} of {sum(journal.counts().values()):,} rows are left."
            )
            info = self._with_output(info)
            self._check_writable(target_path(info, self.settings))
            journal.set_info(info)
            async with self._connect(credentials) as connection:
                return await self._send_and_report(journal, connection)

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
        info = self._with_output(info)
        self._check_writable(target_path(info, self.settings))
        path = history.path(info.run_id)
        copy_unsettled_rows(source, path, info, refused=refused, earlier=earlier if refused else ())
        close_if_unfinished(source, f"The remaining rows were moved to run {info.run_id}.")
        return path

    async def _send_and_report(self, journal: Journal, connection: Connection) -> RunResult:
        """Send the rows that are left, then report, whatever ended the sending."""
        if not journal.remaining():
            return self._report(journal, COMPLETED)
        if not journal.totals.requests:
            self.observer.on_preview(preview_of(journal))
        is_strict = journal.info.strict or self.settings.input.strict
        if is_strict and (refusal := summaries.refusal_of(journal)) is not None:
            return self._report(journal, refusal)
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
        return self._report(journal, stop_reason)

    def _report(self, journal: Journal, stop_reason: StopReason) -> RunResult:
        """Write the results, and how the session ended into the journal."""
        if stop_reason.is_final:
            # First, because the result rows quote the sentence of a closed run.
            close(journal, stop_reason.sentence)
        summary = self._summary(journal, journal.info, stop_reason)
        output = self._write(journal, journal.info, summary)
        journal.set_end(
            SessionEnd(
                exit_code=summary.exit_code,
                ended_by=stop_reason.sentence,
                finished_at=summary.finished_at,
                output=str(output),
                closed=stop_reason.is_final or not journal.remaining(),
            )
        )
        return RunResult(summary=summary, output=output)

    def _summary(self, journal: Journal, info: RunInfo, stop_reason: StopReason) -> Summary:
        command = summaries.resume_command(info.run_id, self.options.config)
        return summaries.summary_of(journal, info, stop_reason, command)

    def _write(self, journal: Journal, info: RunInfo, summary: Summary) -> Path:
        target, fallback = target_path(info, self.settings), fallback_folder(self.settings)
        return write_results(target, fallback, info.titles, journal.result_rows, summary)

    def _check_writable(self, target: Path) -> None:
        """Tell before the first call when the results cannot be written at their place."""
        place = writable_place(target, fallback_folder(self.settings))
        if place != target:
            self.observer.on_message(f"{target} cannot be written; the results will be {place}.")

    @property
    def _org(self) -> str:
        return SIMULATOR if self.options.simulate else self.settings.org

    def _with_output(self, info: RunInfo) -> RunInfo:
        """Return the info with the output that this command asks for, if it does."""
        output = requested_output(self.options.output)
        return info if output is None else replace(info, output=output)

    def _new_run_info(self, file: Path, org: str) -> RunInfo:
        return self._with_output(run_info.new_run_info(file, self.settings, org, self.options))

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
