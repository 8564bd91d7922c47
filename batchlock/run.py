"""One run: plan, send, report.

    run     plan ─▶ send ─▶ report      the same thing unfinished: as resume
    check   plan
    resume          send ─▶ report
    retry   a plan made from another run's journal, then as resume
    report                  report

The report is written in the end whatever ended the sending.
"""

import asyncio
import hashlib
import json
import shlex
import tempfile
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from batchlock import __version__
from batchlock.config import Settings
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import BatchlockError, Stopped, UsageError
from batchlock.core.observer import RunObserver
from batchlock.core.results import CheckResult, RunListing, RunResult, Summary
from batchlock.plan.child import Bounds, Child, Request, plan, sha256_of
from batchlock.report import results
from batchlock.report.summaries import COMPLETED, StopReason, how_it_ended, refusal_of, summary_of
from batchlock.send.org_check import check_org
from batchlock.send.pacing.ceiling import load_ceiling, save_ceiling
from batchlock.send.pacing.limiter import CallLimiter
from batchlock.send.sender import deliver
from batchlock.send.stop_rules import deadline
from batchlock.store import org_lock
from batchlock.store.history import (
    History,
    close,
    close_if_unfinished,
    is_closed,
    make_state_folder,
    new_run_id,
    not_resumable_because,
    supersede,
)
from batchlock.store.journal import (
    Journal,
    RunInfo,
    SessionEnd,
    copy_plan,
    copy_unsettled_rows,
)
from batchlock.zoho.connect import Connection, address, connect
from batchlock.zoho.credentials import Credentials, load_credentials
from batchlock.zoho.settings import SIMULATOR

_ENDING = "Ending; the calls under way are finished."


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What a command asks for, beside the settings."""

    output: Path | None = None
    sheet: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    """The titles named for fields on the command line."""
    simulate: bool = False
    fresh: bool = False
    config: Path | None = None
    """The configuration named on the command line, for the command that resumes."""


@dataclass(frozen=True, slots=True)
class Runner:
    """What all runs of one command share."""

    settings: Settings
    options: RunOptions
    cancel_token: CancelToken
    observer: RunObserver
    reader: Child | None = None
    """A process to plan in that was started beforehand."""
    began: float = field(default_factory=time.monotonic)
    today: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When it began: `until` means the first such time after it, however long planning takes."""

    async def run(self, file: Path) -> RunResult:
        """Bring every row of a file to its end, or go on with an unfinished run of the same.

        Raises what ends it before there is anything to report; later ends are in the summary.
        """
        org = self._org
        credentials = self._credentials(org)
        about = self._about(file, org)
        target = self._target(about)
        history = History(self.settings.state, org)
        with org_lock.org_lock(self.settings.state, org) as set_holder:
            history.make_folder()
            history.clear_drafts()
            if not self.options.fresh and (left := history.unfinished(about.identity)):
                set_holder(f"run {left.stem} of {file}", left.stem)
                self.observer.on_message(
                    "A run of the same file was not finished. (--fresh starts anew.)"
                )
                return await self._go_on(left, credentials)
            if (before := history.finished(about.identity)) is not None:
                self.observer.on_message(f"The same file was finished before, on {_day(before)}.")
            self._probe(target)
            set_holder(f"run {about.run_id} of {file}", about.run_id)
            path = history.path(about.run_id)
            planning = asyncio.create_task(self._plan(file, path, about))
            async with self._connect(credentials) as connection:
                await planning
                supersede(history, about)
                with Journal.open(path) as journal:
                    return await self._send(journal, connection)

    async def check(self, file: Path) -> CheckResult:
        """Find every problem of a file; nothing is sent, and no run is left behind."""
        about = replace(self._about(file, self.settings.org), kind="check")
        with tempfile.TemporaryDirectory(prefix="batchlock-") as folder:
            path = Path(folder) / "check.journal"
            await self._plan(file, path, about)
            with Journal.open(path) as journal:
                about = journal.info
                return CheckResult(
                    file=about.file,
                    sheet=about.sheet,
                    encoding=about.encoding,
                    delimiter=about.delimiter,
                    counts=journal.counts(),
                    problems=list(journal.problems()),
                )

    async def plan(self, file: Path, path: Path) -> None:
        """Plan a file into a journal at `path`, of which `start` can make a run.

        Raises UnreadableFile or UsageError, as `run` does.
        """
        about = await asyncio.to_thread(self._about, file, self._org)
        await self._plan(file, path, replace(about, kind="check"))

    def start(self, planned: Path) -> str:
        """Make a run of a plan, for `resume` to send; return its id."""
        history = History(self.settings.state, self._org)
        history.make_folder()
        now = datetime.now(UTC)
        with Journal.open(planned) as journal:
            self._need_its_place(journal.info)
            about = replace(
                journal.info,
                run_id=new_run_id(now),
                kind="run",
                started_at=now,
                version=__version__,
                strict=self.settings.input.strict,
                output=self._output(),
                settings=_told(self.settings, self._org),
            )
            copy_plan(journal, history.path(about.run_id), about)
        return about.run_id

    async def resume(self, run_id: str | None) -> RunResult | None:
        """Go on with a run, or with the newest that is unfinished; None when there is none."""
        if run_id is None:
            history = self._histories()[0]
            path = history.unfinished()
            if path is None:
                return None
        else:
            history, path = self._find(run_id)
            if why := not_resumable_because(history, path):
                self.observer.on_message(f"Run {path.stem} does not go on. {why}")
                return None
        credentials = self._credentials(history.org)
        with org_lock.org_lock(self.settings.state, history.org) as set_holder:
            set_holder(f"run {path.stem}", path.stem)
            return await self._go_on(path, credentials)

    async def retry(self, run_id: str, *, refused: bool = True) -> RunResult | None:
        """Run the rows of a run again that were not updated; None when there are none.

        Without `refused`, the rows that Zoho refused are left out.
        """
        history, path = self._find(run_id)
        credentials = self._credentials(history.org)
        with org_lock.org_lock(self.settings.state, history.org) as set_holder:
            set_holder(f"a retry of run {path.stem}")
            newest, *earlier = history.lineage(path.stem)
            with Journal.open(newest) as before:
                self._need_its_place(before.info)
                if newest != path and not is_closed(before):
                    set_holder(f"run {newest.stem}", newest.stem)
                    return await self._go_on(newest, credentials)
                new = self._make_retry(history, before, earlier, refused=refused)
            if new is None:
                return None
            set_holder(f"run {new.stem}", new.stem)
            with Journal.open(new) as journal:
                async with self._connect(credentials) as connection:
                    return await self._send(journal, connection)

    def start_retry(self, run_id: str, *, refused: bool = True) -> str | None:
        """Make the run that `retry` makes, for `resume` to send; return its id.

        Raises AlreadyRunning when rows are left in the other run and it may be at work.
        """
        history, path = self._find(run_id)
        newest, *earlier = history.lineage(path.stem)
        with Journal.open(newest) as before, ExitStack() as stack:
            self._need_its_place(before.info)
            if newest != path and not is_closed(before):
                return newest.stem
            if before.remaining():
                stack.enter_context(org_lock.org_lock(self.settings.state, history.org))
            new = self._make_retry(history, before, earlier, refused=refused)
            return None if new is None else new.stem

    def _make_retry(
        self, history: History, before: Journal, earlier: Sequence[Path], *, refused: bool
    ) -> Path | None:
        """Make the journal of a retry, and hand the rows over to it; None when there are none."""
        if refused:
            excludes_refused = False
        else:
            excludes_refused = bool(earlier) or before.to_retry() > before.to_retry(refused=False)
            earlier = ()
        if not before.to_retry(refused=refused) and not earlier:
            return None
        now, about = datetime.now(UTC), before.info
        about = replace(
            about,
            run_id=new_run_id(now),
            kind="retry",
            identity=f"retry {about.run_id}",
            retry_of=about.run_id,
            excludes_refused=excludes_refused,
            started_at=now,
            version=__version__,
            output=self._output(),
            settings=_told(self.settings, about.org),
        )
        self._probe(self._target(about))
        path = history.path(about.run_id)
        copy_unsettled_rows(before, path, about, refused=refused, earlier=earlier)
        close_if_unfinished(before, f"What was left went on as run {about.run_id}.")
        return path

    def report(self, run_id: str) -> RunResult:
        """Write the results of a run again, as far as it has come."""
        _, path = self._find(run_id)
        with Journal.open(path) as journal, journal.snapshot():
            about = journal.info
            if self.options.output is not None:
                about = replace(about, output=self._output())
            summary = summary_of(journal, about, how_it_ended(journal), self._command(about))
            return RunResult(summary=summary, output=self._write(journal, about, summary))

    def show(self, run_id: str) -> tuple[Summary, str | None]:
        """Return what became of a run so far, and where its results are."""
        _, path = self._find(run_id)
        with Journal.open(path) as journal, journal.snapshot():
            about, end = journal.info, journal.end
            summary = summary_of(journal, about, how_it_ended(journal), self._command(about))
            return summary, end.output if end else None

    def runs(self) -> list[RunListing]:
        """Return the runs of this org, then the rehearsals, newest first each."""
        listings = []
        for history in self._histories():
            for run in history.all():
                about, end = run.info, run.end
                with Journal.open(run.path) as journal:
                    rows, settled = sum(journal.counts().values()), journal.settled()
                listings.append(
                    RunListing(
                        run_id=about.run_id,
                        kind=about.kind,
                        state="finished" if run.closed else "unfinished",
                        exit_code=end.exit_code if end else None,
                        rows=rows,
                        settled=settled,
                        org=about.org,
                        environment=about.environment,
                        file=about.file,
                        started_at=about.started_at,
                        output=end.output if end else None,
                    )
                )
        return listings

    # -- the steps -----------------------------------------------------------------------

    async def _plan(self, file: Path, path: Path, about: RunInfo) -> None:
        given = self.settings.input
        request = Request(
            file=file,
            journal=path,
            about=about,
            columns={field.value: titles for field, titles in given.columns.items()},
            explicit_columns=self.options.columns,
            encoding=given.encoding,
            delimiter=given.delimiter,
            sheet=self.options.sheet,
            custom_modules=given.custom_modules,
            lookup_lock_ids=given.lookup_lock_ids,
        )
        self.observer.on_message(f"Reading {file.name}.")
        bounds = Bounds(seconds=given.max_seconds, memory=given.max_memory)
        await plan(request, bounds, cancel_token=self.cancel_token, child=self.reader)

    async def _go_on(self, path: Path, credentials: Credentials) -> RunResult:
        with Journal.open(path) as journal:
            about = journal.info
            self._need_its_place(about)
            if about.retry_of is not None:  # it may have been killed before it did
                with suppress(BatchlockError), Journal.open(path.with_stem(about.retry_of)) as it:
                    close_if_unfinished(it, f"What was left went on as run {about.run_id}.")
            self.observer.on_message(
                f"Resuming run {about.run_id} of {about.started_at:%Y-%m-%d %H:%M} UTC: "
                f"{journal.remaining():,} of {sum(journal.counts().values()):,} rows are left."
            )
            if self.options.output is not None:
                about = replace(about, output=self._output())
            self._probe(self._target(about))
            journal.set_info(about)
            async with self._connect(credentials) as connection:
                return await self._send(journal, connection)

    async def _send(self, journal: Journal, connection: Connection) -> RunResult:
        """Deliver what is pending and report, whatever ended the delivery."""
        if not journal.remaining():
            return self._report(journal)
        is_strict = journal.info.strict or self.settings.input.strict
        if is_strict and (refusal := refusal_of(journal)) is not None:
            return self._report(journal, refusal)
        journal.clear_end()
        self.observer.on_sending(rows=sum(journal.counts().values()), remaining=journal.remaining())
        limiter = self._limiter(journal)
        known = limiter.ceiling
        overdue = self._overdue(limiter)
        try:
            with self.cancel_token.callbacks_while(lambda: self.observer.on_message(_ENDING)):
                await _until_braked(self._ready(connection, limiter), self.cancel_token)
                await deliver(
                    journal,
                    connection.client,
                    limiter,
                    retry=self.settings.retry,
                    stop=self.settings.stop,
                    cancel_token=self.cancel_token,
                    observer=self.observer,
                )
        except BatchlockError as ended:
            if ended.exit_code == BatchlockError.exit_code:
                raise
            if isinstance(ended, Stopped) and not journal.remaining():  # it ended nothing early
                return self._report(journal)
            return self._report(journal, StopReason(by=str(ended), code=ended.exit_code))
        finally:
            if overdue is not None:
                overdue.cancel()
            if limiter.ceiling is not known:
                save_ceiling(self._pace(journal.info.org), limiter.ceiling)
        return self._report(journal)

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

    async def _ready(self, connection: Connection, limiter: CallLimiter) -> None:
        """Return once there is a token, and it is one of the right org."""
        await connection.first_token()
        if connection.org_id is not None:
            attempts = self.settings.retry.attempts
            await check_org(connection.client, connection.org_id, limiter, attempts=attempts)

    def _limiter(self, journal: Journal) -> CallLimiter:
        stop, pace = self.settings.stop, self._pace(journal.info.org)
        return CallLimiter(
            self.settings.limits,
            self.settings.retry,
            ceiling=load_ceiling(pace, datetime.now(UTC)),
            credits_used=journal.totals.credits_used,
            deadline_monotonic=deadline(stop, started_monotonic=self.began, started_at=self.today),
        )

    def _overdue(self, limiter: CallLimiter) -> asyncio.TimerHandle | None:
        """Have the brake pulled when the time for the run is over, whatever is waited for then."""
        if limiter.deadline_monotonic is None:
            return None
        why = Stopped("Stopped: the time for this run is over.")
        left = max(0.0, limiter.deadline_monotonic - limiter.clock.monotonic())
        return asyncio.get_running_loop().call_later(left, self.cancel_token.cancel, why)

    def _pace(self, org: str) -> Path:
        return self.settings.state / "pace" / f"{org}.json"

    def _report(self, journal: Journal, how: StopReason = COMPLETED) -> RunResult:
        """Write the results and how the run ended."""
        about = journal.info
        if how.for_good:  # which the lines say, too
            close(journal, how.by)
        summary = summary_of(journal, about, how, self._command(about))
        output = self._write(journal, about, summary)
        journal.set_end(
            SessionEnd(
                exit_code=summary.exit_code,
                ended_by=how.by,
                finished_at=summary.finished_at,
                output=str(output),
                closed=how.for_good or not journal.remaining(),
            )
        )
        return RunResult(summary=summary, output=output)

    def _write(self, journal: Journal, about: RunInfo, summary: Summary) -> Path:
        fallback = self.settings.state / "results"
        return results.write_results(
            self._target(about), fallback, about.titles, journal.result_rows, summary
        )

    # -- below ---------------------------------------------------------------------------

    @property
    def _org(self) -> str:
        return SIMULATOR if self.options.simulate else self.settings.org

    def _about(self, file: Path, org: str) -> RunInfo:
        environment, api_url = address(self.settings.zoho, org)
        now = datetime.now(UTC)
        columns = {one.value: titles for one, titles in self.settings.input.columns.items()}
        sha256 = sha256_of(file)
        same = (org, environment, api_url, sha256, self.options.sheet, columns,
                dict(self.options.columns))  # fmt: skip
        return RunInfo(
            run_id=new_run_id(now),
            kind="run",
            org=org,
            environment=environment,
            api_url=api_url,
            file=str(file.absolute()),
            sha256=sha256,
            identity=hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest(),
            started_at=now,
            version=__version__,
            output=self._output(),
            settings=_told(self.settings, org),
            strict=self.settings.input.strict,
        )

    def _output(self) -> str | None:
        output = self.options.output
        if output is not None and output.suffix.lower() not in (".xlsx", ".csv"):
            raise UsageError(f"The results are written as .xlsx or .csv, not as {output.name}.")
        return None if output is None else str(output.absolute())

    def _target(self, about: RunInfo) -> Path:
        """Return where the results belong."""
        file = Path(about.file)
        if about.output is not None:
            target = Path(about.output)
            if target.resolve() == file.resolve():
                raise UsageError(f"The results would overwrite the input {file}. Name another.")
            return target
        given = self.settings.results
        folder = file.parent if given.directory is None else given.directory.expanduser().absolute()
        return folder / f"{file.stem}-results-{about.run_id}.{given.format}"

    def _probe(self, target: Path) -> None:
        """Find out before the first call whether the results can be written."""
        place = results.probe(target, self.settings.state / "results")
        if place != target:
            self.observer.on_message(f"{target} cannot be written; the results will be {place}.")

    def _histories(self) -> list[History]:
        """Return the histories that a run may be in: this org's, then that of rehearsals.

        Raises UsageError where there can be none, which is not the same as none.
        """
        make_state_folder(self.settings.state)
        orgs = [self.settings.org, SIMULATOR]
        if self.options.simulate:
            orgs.reverse()
        return [History(self.settings.state, org) for org in orgs]

    def _need_its_place(self, about: RunInfo) -> None:
        """Raise UsageError unless the settings lead to where a run belongs."""
        here = address(self.settings.zoho, about.org)
        if (about.environment, about.api_url) != here:
            raise UsageError(
                f"Run {about.run_id} belongs to {about.environment} at {about.api_url}, but the "
                f"configuration says {here[0]} at {here[1]}. Use the configuration it was started "
                "with."
            )

    def _find(self, run_id: str) -> tuple[History, Path]:
        """Return the one run whose id begins with `run_id`; UsageError without one."""
        found = [
            (one, run_id_) for one in self._histories() for run_id_ in one.ids_starting_with(run_id)
        ]
        if len(found) == 1:
            history, run_id_ = found[0]
            return history, history.path(run_id_)
        if found:
            ids = ", ".join(run_id_ for _, run_id_ in found[:5])
            raise UsageError(f"Several runs begin with {run_id}: {ids}. Name one in full.")
        raise UsageError(
            f"There is no run {run_id} of {self.settings.org}. `batchlock runs` lists those there "
            "are."
        )

    def _command(self, about: RunInfo) -> str:
        """Return the command that goes on with a run."""
        config = [] if self.options.config is None else ["--config", str(self.options.config)]
        return shlex.join(["batchlock", "resume", *config, about.run_id])


async def _until_braked(work: Coroutine[Any, Any, None], cancel_token: CancelToken) -> None:
    """Do what may take long, unless the brake is pulled; then raise why."""
    task = asyncio.ensure_future(work)
    try:
        with cancel_token.callbacks_while(task.cancel):
            await task
    except asyncio.CancelledError:
        if cancel_token.reason is None:
            raise
        raise cancel_token.reason from None


def _day(end: SessionEnd) -> str:
    return f"{end.finished_at:%Y-%m-%d at %H:%M} UTC"


def _told(settings: Settings, org: str) -> dict[str, str]:
    """Return the settings that shape a run, in words."""
    limits, given = settings.limits, settings.input
    environment, api_url = address(settings.zoho, org)
    pace = str(limits.in_flight)
    if limits.per_second is not None:
        pace += f", at most {limits.per_second:g} calls a second"
    return {
        "org": org,
        "environment": environment,
        "API": f"{api_url}, {settings.zoho.api_version}",
        "in flight": pace,
        "lock ids looked up": "yes" if given.lookup_lock_ids else "no",
        "strict": "yes" if given.strict else "no",
    }
