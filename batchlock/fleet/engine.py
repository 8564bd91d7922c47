"""The product where many machines share the store: plan and start here, and let a worker send.

    run      plan ─▶ start ─▶ queue ─▶ follow ─▶ report
    resume                    queue ─▶ follow ─▶ report

A worker sends the run; this process follows it by its record in the store, and writes the results
where the person who started it expects them. `detach` ends after the queue.
"""

import asyncio
import getpass
import socket
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from batchlock.core.errors import (
    DATABASE_ERRORS,
    AlreadyRunning,
    BatchlockError,
    DatabaseUnavailable,
    Stopped,
    UsageError,
)
from batchlock.core.log_context import set_log_context
from batchlock.core.observer import RunObserver
from batchlock.core.records import FindRequest
from batchlock.core.results import RunResult
from batchlock.core.runs import Run, RunState, state_after
from batchlock.core.stop import StopCode, StopReason
from batchlock.engine import Engine
from batchlock.fleet.queue import notify_workers, wake
from batchlock.org_settings import not_in_the_store
from batchlock.plan import run_info
from batchlock.report import summaries
from batchlock.send.stop_rules import STOP_UNTIL, with_stop_at
from batchlock.start import refuse_undo_of_rehearsal
from batchlock.store.journal import send_done_rows
from batchlock.store.recorder import is_sending_begins

_LIVE = (RunState.QUEUED, RunState.RUNNING)
_POLL_SECONDS = 0.5
# A worker takes a run within a few seconds. After this time a person asks why nothing happens.
_PATIENCE_SECONDS = 5.0


class SharedEngine(Engine):
    """Plans, starts and follows runs that workers send."""

    async def run(self, file: Path) -> RunResult:
        """Plan and start a file, or take an unfinished run of it; follow what a worker sends.

        Raises as `Engine.run` does.
        """
        info = self._new_run_info(file, self._org)
        self.check_sign_in()
        self._refuse_other_source(info)
        unfinished = self.store.newest_unfinished(info.org, info.identity)
        if unfinished is not None and not self.options.fresh:
            with self.store.open_journal(unfinished) as journal:
                self._refuse_other_rows(journal)
            self.observer.on_message(
                "A run of the same file was not finished. (Use --fresh to start a new run.)"
            )
            return await self._follow(unfinished)
        self._reporter.check_writable(info, self.observer)
        facts = self.store.orgs.facts(info.org)
        if facts is None or facts.modules is None:
            self.observer.on_message(
                f"The org {info.org} was not asked for its modules yet, so those that only it has "
                f"are not known here. `batchlock orgs test {info.org}` asks for them."
            )
        journals = self.store.journals
        journals.prepare(info.org)
        with journals.plan_path(info) as path:
            await self._plan(file, path, info)
            with journals.open_planned(path) as journal:
                try:
                    self._refuse_other_rows(journal)
                    await asyncio.to_thread(self._review, journal)
                    if self.options.fresh:
                        send_done_rows(journal)
                    self._starter.confirm(journal)
                    self._preview.show(journal)
                except BaseException:  # a signal at the question, too
                    journals.remove(info)
                    raise
                run = self._starter.add(journal.info, journal.figures())
        return await self._follow(run)

    async def locks(self, request: FindRequest) -> RunResult:
        """Start a search for locked records, or take its unfinished run; follow it."""
        return await self._follow(await self.start_locks(request))

    async def resume(self, run_id: str | None, *, only_queued: bool = False) -> RunResult | None:
        """Follow a run that has rows left, and put it into the queue if it does not wait there."""
        del only_queued  # only the worker of a page on one machine asks for that
        if run_id is None:
            run = self.store.newest_unfinished(self.orgs[0])
            if run is None:
                return None
        else:
            run = self._find(run_id)
        if reason := self.store.not_resumable_because(run):
            self.observer.on_message(f"Run {run.run_id} cannot be resumed. {reason}")
            return None
        return await self._follow(run)

    async def retry(self, run_id: str, *, refused: bool = True) -> RunResult | None:
        """Start the rows of a run that were not updated as a new run, and follow it."""
        retry = self.start_retry(run_id, refused=refused)
        return None if retry is None else await self._follow(retry)

    async def undo(self, run_id: str) -> RunResult | None:
        """Start the run that puts back what a run has changed, and follow it."""
        refuse_undo_of_rehearsal(self._find(run_id))
        undo = self.start_undo(run_id)
        return None if undo is None else await self._follow(undo)

    def check_sign_in(self) -> None:
        """Raise UsageError when the org is not in the store, since no worker could send to it."""
        if self.store.orgs.get(self._org) is None:
            raise UsageError(not_in_the_store(self._org))

    async def _follow(self, run: Run) -> RunResult:
        """Queue a run, wait for its end, and write its results."""
        set_log_context(org=run.info.org, run_id=run.run_id)
        if self.store.orgs.get(run.info.org) is None:
            raise UsageError(not_in_the_store(run.info.org))
        run_info.check_address(run.info, self.settings)
        info = self._reporter.with_output(run.info)
        if info != run.info:
            self.store.runs.set_output(run.run_id, info.output)
        self._queue(run)
        if self.options.detach:
            return await asyncio.to_thread(self._detached, run)
        run = await self._wait(run.run_id)
        try:
            return await asyncio.to_thread(self._finish, replace(run, info=info))
        except DatabaseUnavailable as error:
            command = self.options.command("report", run.run_id)
            # Its exit code would say that nothing was sent.
            raise Stopped(f"{error} The run has ended; `{command}` writes its results.") from error

    def _queue(self, run: Run) -> None:
        if run.state not in _LIVE:
            requested_by = f"{_user()}@{socket.gethostname()}"
            options, until = self.options.typed, self.settings.stop.until
            if STOP_UNTIL in options and until is not None:
                options = with_stop_at(options, until, datetime.now(UTC))
            is_queued = self.store.runs.enqueue(
                run.run_id, requested_by=requested_by, options=options
            )
            now = None if is_queued else self.store.runs.get(run.run_id)
            if not is_queued and (now is None or now.state not in _LIVE):
                raise BatchlockError(
                    f"Run {run.run_id} was closed meanwhile, by somebody else. Run the file again "
                    "to send what is left."
                )
        try:
            wake(self.store, run.info.org)
        except DatabaseUnavailable as error:  # a worker finds the run by itself
            self.observer.on_message(str(error))

    async def _wait(self, run_id: str) -> Run:
        """Show how far a run has come until it has ended.

        When the token is cancelled, the worker is asked to end it.
        """
        loop = asyncio.get_running_loop()
        begun, is_explained, has_asked, is_away = loop.time(), False, False, False
        progress = _ShownRun(self.observer)
        while True:
            try:
                run = await asyncio.to_thread(self.store.runs.get, run_id)
                if run is None:
                    raise BatchlockError(f"Run {run_id} was removed meanwhile, by somebody else.")
                if run.state not in _LIVE:
                    return run
                if self.cancel_token.reason is not None and not has_asked:
                    await asyncio.to_thread(self._request_stop, run)
                    has_asked = True
                    self.observer.on_message("Asked the worker to end the run; waiting for that.")
                if run.state is RunState.RUNNING:
                    progress.show(run)
                elif not is_explained and loop.time() - begun > _PATIENCE_SECONDS:
                    is_explained = True
                    self.observer.on_message(await asyncio.to_thread(self._why_waiting, run))
                is_away = False
            except DATABASE_ERRORS as error:
                # The run goes on without this process, so an end here would say nothing true.
                if not is_away:
                    self.observer.on_message(f"{error} Waiting until it can be used again.")
                is_away = True
            await asyncio.sleep(_POLL_SECONDS)

    def _why_waiting(self, run: Run) -> str:
        if not any(worker.is_alive for worker in self.store.workers.all()):
            return (
                f"Run {run.run_id} waits, because no worker is running. Start one with `batchlock "
                "worker`."
            )
        queue = enumerate(self.store.runs.queue(run.info.org))
        before = next((number for number, one in queue if one.run_id == run.run_id), 0)
        running = len(self.store.runs.in_state(run.info.org, RunState.RUNNING))
        if before + running:
            runs = "1 run" if before + running == 1 else f"{before + running} runs"
            return f"Run {run.run_id} waits for its turn: {runs} of {run.info.org} come first."
        return f"Run {run.run_id} waits for a worker that is free."

    def _request_stop(self, run: Run) -> None:
        reason = StopReason(
            code=StopCode.STOPPED, sentence=f"Stopped by {_user()}@{socket.gethostname()}."
        )
        self.store.runs.request_stop(run.run_id, reason)
        notify_workers(self.store, run.run_id)
        if run.state is RunState.RUNNING and self.store.leases.holder(run.info.org) is None:
            # Its worker was killed, and there may be no other one: the lock carries requests out.
            with suppress(AlreadyRunning), self.store.lock(run.info.org):
                pass
        if run.state is RunState.QUEUED:  # no worker may ever take it
            figures = self.store.figures(run)
            state = state_after(reason, remaining=figures.remaining)
            self.store.runs.end_waiting(run.run_id, reason, state)

    def _finish(self, run: Run) -> RunResult:
        with self.store.open_journal(run) as journal, journal.snapshot():
            reason = summaries.stop_reason_of(run, remaining=journal.remaining())
            result = self._reporter.finish(journal, run.info, reason)
        if result.output is not None:
            with suppress(BatchlockError):  # only the history uses it
                self.store.runs.set_results(run.run_id, str(result.output))
        return result

    def _detached(self, run: Run) -> RunResult:
        with self.store.open_journal(run) as journal, journal.snapshot():
            summary = self._reporter.summary(journal, run.info, StopReason())
        follow = summary.resume or ""
        report = follow.replace(" resume ", " report ", 1)
        summary = replace(
            summary,
            ended_by=f"Run {run.run_id} waits for a worker. `{follow}` follows it, and once it has "
            f"ended, `{report}` writes its results.",
        )
        return RunResult(summary=summary, output=None, is_detached=True)


@dataclass(slots=True)
class _ShownRun:
    """What was shown of a run that a worker sends."""

    observer: RunObserver
    message: str = ""
    is_sending: bool = False

    def show(self, run: Run) -> None:
        """Show what is new in the record of the run."""
        if run.snapshot is not None:
            if not self.is_sending:
                self.is_sending = True
                rows, remaining = run.figures.rows, run.figures.remaining
                self.observer.on_sending(rows=rows, remaining=remaining)
            self.observer.on_figures(run.figures)
            self.observer.on_progress(run.snapshot)
        # The observer itself says that the sending begins.
        is_news = run.message not in ("", self.message) and not is_sending_begins(run.message)
        if is_news:
            self.message = run.message
            self.observer.on_message(run.message)


def _user() -> str:
    try:
        return getpass.getuser()
    except OSError:  # a container without names of users
        return "somebody"
