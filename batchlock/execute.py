"""Execute a run: send the rows that it has left, then write its results, whatever ended it.

journal ─ rows left ─▶ send ─▶ StopReason ─▶ report ─▶ results
observers: the terminal or nobody, and the record of the run in the store
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from batchlock.config import Settings
from batchlock.confirming import PlanPreview
from batchlock.core.cancel import CancelToken, until_cancelled
from batchlock.core.errors import DATABASE_ERRORS, BatchlockError, LeaseLost
from batchlock.core.log_context import set_log_context
from batchlock.core.observer import RunObserver, RunObservers
from batchlock.core.records import FIND_KIND
from batchlock.core.results import RunResult
from batchlock.core.runs import Run, RunFigures, RunInfo, RunState, state_after
from batchlock.core.stop import COMPLETED, Cancelled, StopCode, StopReason
from batchlock.org_settings import sealing_keys
from batchlock.report import summaries
from batchlock.report.reporter import Reporter, with_error
from batchlock.send.journal_writer import JournalWriter, ThreadWriter
from batchlock.send.org_check import check_org
from batchlock.send.org_enquiry import OrgEnquiry, org_enquiry
from batchlock.send.org_memory import JsonFile, OrgMemory
from batchlock.send.session import record_costs, send
from batchlock.store.audit_log import SERVER
from batchlock.store.earlier import compare_with_earlier_runs, needs_comparison
from batchlock.store.journal import Journal
from batchlock.store.recorder import RunRecorder
from batchlock.zoho.connect import Connection, connect
from batchlock.zoho.credentials import Credentials
from batchlock.zoho.settings import SIMULATOR

if TYPE_CHECKING:
    from batchlock.store.shared_tokens import SharedTokens
    from batchlock.store.store import Store
    from batchlock.zoho.client import CallGuard
    from batchlock.zoho.token_file import TokenFile

_log = logging.getLogger(__name__)

# The org is asked while the file is read, so its answer mostly is there. A slow sign-in delays the
# preview no longer than this; the sending waits for it anyway.
_PREVIEW_WAIT_SECONDS = 3.0

UNEXPECTED_ERROR = StopReason(
    code=StopCode.ERROR, sentence="It ended with an unexpected error.", exit_code=1
)
"""Why a run ended that met a bug."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """Executes runs, with the settings and options of one command."""

    settings: Settings
    store: "Store"
    reporter: Reporter
    cancel_token: CancelToken
    observer: RunObserver
    preview: PlanPreview
    deadline_monotonic: float | None
    fresh: bool
    """Whether the rows are sent again that an earlier run of the same content has done."""
    writer: JournalWriter | None = None
    """None: a thread writes to the journal."""

    async def check_before_question(
        self,
        journal: Journal,
        connection: Connection,
        enquiry: OrgEnquiry,
        *,
        always: bool = False,
    ) -> None:
        """Check the org of a plan that unlocks records, before a person is asked about them.

        `always`: that of any other plan, too, before its run is stored. An org that does not answer
        soon is checked when the rows are sent. Raises WrongOrg when it is another one than the
        settings say.
        """
        if not always and not journal.to_unlock():
            return
        await self._tell_about_org(journal, enquiry, self.observer)
        facts = await enquiry.facts(max_wait=0)
        if facts is not None:
            check_org(facts, org_id=connection.org_id, environment=connection.environment)

    async def execute(
        self, run: Run, journal: Journal, connection: Connection, enquiry: OrgEnquiry
    ) -> RunResult:
        """Send the rows that are left, then report, whatever ended the sending.

        The caller holds the lock of the org. Raises BatchlockError when the run is closed, and an
        unexpected error as it is; the record of the run says so then.
        """
        set_log_context(org=run.info.org, run_id=run.run_id)
        recorder = self.new_recorder(run, await asyncio.to_thread(journal.figures))
        if not await asyncio.to_thread(self.start_session, run):
            raise BatchlockError(
                f"Run {run.run_id} was stopped or closed meanwhile, by somebody else. Run the file "
                "again to send what is left."
            )
        observers = RunObservers(self.observer, recorder)
        try:
            # A rule, or a person on the page, ends this run, and not the other files of an inbox.
            with self.cancel_token.child() as cancel_token:
                async with recorder.beating(cancel_token):
                    if await self._leave_done_rows(journal):
                        recorder.set_figures(await asyncio.to_thread(journal.figures))
                    reason = await self._send(
                        run, journal, connection, enquiry, observers, cancel_token
                    )
                    await enquiry.close()
                    await record_costs(enquiry, self.writer or ThreadWriter(journal))
                    recorder.on_message("Writing the results.")
                    # In a thread, so that heartbeats go on: a million rows take 20 seconds.
                    result = await asyncio.to_thread(self.finish, journal, run.info, reason)
        except (LeaseLost, *DATABASE_ERRORS):
            raise  # another process sends the run now, or will
        except Exception as error:
            reason = UNEXPECTED_ERROR
            if isinstance(error, BatchlockError):
                reason = StopReason.of(error)
            with suppress(BatchlockError):  # it must not hide the first error
                await asyncio.to_thread(self.record_end, run, reason, reason.exit_code, None)
            raise
        self.log_result(run, result)
        output = None if result.output is None else str(result.output)
        code = result.summary.exit_code
        try:
            await asyncio.to_thread(self.record_end, run, reason, code, output)
        except BatchlockError as error:
            return replace(result, summary=with_error(result.summary, error))
        return result

    def new_recorder(self, run: Run, figures: RunFigures) -> RunRecorder:
        """Return the observer that keeps the record of a run up to date while it is sent."""
        return RunRecorder(self.store.runs, run.run_id, figures)

    def start_session(self, run: Run) -> bool:
        """Record that this process sends a run now; return False if it is closed."""
        return self.store.runs.start_session(run)

    def finish(self, journal: Journal, info: RunInfo, reason: StopReason) -> RunResult:
        """Write the results at the end of a session."""
        return self.reporter.finish(journal, info, reason)

    def record_end(self, run: Run, reason: StopReason, exit_code: int, results: str | None) -> None:
        """Record how a session ended."""
        figures = self.store.figures(run)  # as recorded if the journal cannot be read any more
        state = state_after(reason, remaining=figures.remaining)
        # Before the record: who reads there that the run has ended may take the lock of the org.
        self.log_end(run, state, figures)
        self.store.runs.end_session(
            run.run_id, state, reason, exit_code=exit_code, results=results, figures=figures
        )

    def log_result(self, run: Run, result: RunResult) -> None:
        """Log how a session ended, for the file only: the command prints the same."""
        self._log_result(run, result, file_only=True)

    def _log_result(self, run: Run, result: RunResult, **extra: Any) -> None:
        sentence, code = result.summary.sentence, result.exit_code
        extra |= {"event": "run.ended", "exit_code": code}
        _log.info("Run %s of %s: %s", run.run_id, run.info.org, sentence, extra=extra)

    def log_end(self, run: Run, state: RunState, figures: RunFigures) -> None:
        """Record in the audit log of the page how a session ended."""
        counts = ", ".join(
            f"{count:,} {result.words}" for result, count in figures.counts.items() if count
        )
        subject = f"{run.file_name} ({state}): {counts or 'no rows'}"
        log = self.store.audit_log
        with suppress(BatchlockError):  # the record must be written all the same
            log.add(run.info.org, SERVER, "ended", subject, run=run.run_id)

    async def _send(
        self,
        run: Run,
        journal: Journal,
        connection: Connection,
        enquiry: OrgEnquiry,
        observer: RunObserver,
        cancel_token: CancelToken,
    ) -> StopReason:
        """Send the rows that are left, unless `strict` forbids it; return why it ended."""
        # Also when all rows are done: the notes say when that was.
        is_new = not (await asyncio.to_thread(lambda: journal.totals)).requests
        if is_new and run.info.kind != FIND_KIND:
            await self._tell_about_org(journal, enquiry, observer)
            await asyncio.to_thread(self.preview.show, journal)
        if not await asyncio.to_thread(journal.remaining):
            return COMPLETED
        if run.info.strict or self.settings.input.strict:
            refusal = await asyncio.to_thread(summaries.refusal_of, journal)
            if refusal is not None:
                return refusal
        return await send(
            journal,
            connection,
            enquiry,
            self.settings,
            memory=org_memory(self.settings, self.store, run.info.org),
            deadline_monotonic=self.deadline_monotonic,
            cancel_token=cancel_token,
            observer=observer,
            writer=self.writer,
        )

    async def _tell_about_org(
        self, journal: Journal, enquiry: OrgEnquiry, observer: RunObserver
    ) -> None:
        """Tell what is not known about the org, and store the credits of its day in the journal."""
        with suppress(Cancelled):  # the sending ends at once then, and says why
            work = enquiry.facts(max_wait=_PREVIEW_WAIT_SECONDS)
            facts = await until_cancelled(work, self.cancel_token)
            if facts is not None and facts.day_credits is not None:
                await asyncio.to_thread(journal.set_day_credits, facts.day_credits)
            if sentence := enquiry.take_sentence():
                observer.on_message(sentence)

    async def _leave_done_rows(self, journal: Journal) -> bool:
        """Mark the rows that an earlier run of the same content has done, and tell about it.

        Return False when that was done before.
        """
        if not await asyncio.to_thread(needs_comparison, journal):
            return False
        # In a thread, since a million rows take seconds, and the first token comes meanwhile.
        await asyncio.to_thread(compare_with_earlier_runs, journal, self.store, fresh=self.fresh)
        sentence = await asyncio.to_thread(summaries.left_alone, journal, fresh=self.fresh)
        if sentence is not None:
            self.observer.on_message(sentence)
        return True


def org_memory(settings: Settings, store: "Store", org: str) -> OrgMemory:
    """Return where the runs of an org leave what they find: in files, or in a shared store."""
    save_credits = partial(store.orgs.save_credits, org)
    pace, composite = "pace", "composite"
    if store.database_url is not None:
        return OrgMemory(
            store.orgs.column(org, pace), store.orgs.column(org, composite), save_credits
        )
    folder, name = settings.state, f"{org}.json"
    return OrgMemory(
        JsonFile(folder / pace / name), JsonFile(folder / composite / name), save_credits
    )


def token_cache(settings: Settings, store: "Store | None", org: str) -> "TokenFile | SharedTokens":
    """Return where the processes that send to an org keep its access token."""
    from batchlock.zoho.token_file import TokenFile

    shared = _shared_tokens(settings, store, org)
    return shared or TokenFile(settings.state / "tokens" / f"{org}.json")


def _shared_tokens(settings: Settings, store: "Store | None", org: str) -> "SharedTokens | None":
    """Return where many machines keep the token of an org; None: it is kept on this machine.

    That is so without a key to seal it, and in a rehearsal.
    """
    if store is None or store.database_url is None or org == SIMULATOR:
        return None
    keys = sealing_keys(settings, store)
    return None if keys is None else store.shared_tokens(org, keys)


def connection_to(
    settings: Settings,
    credentials: Credentials,
    store: "Store | None" = None,
    *,
    guard: "CallGuard | None" = None,
) -> AbstractAsyncContextManager[Connection]:
    """Return the connection to the org of the credentials; see `connect`.

    The workers of an org share its access token in a store that is shared. Without a key to seal
    it, and in a rehearsal, it is kept on this machine.
    """
    return connect(
        settings.zoho,
        settings.network,
        credentials,
        call_timeout=settings.retry.timeout,
        max_wait=settings.retry.give_up_after,
        token_folder=settings.state / "tokens",
        token_cache=_shared_tokens(settings, store, credentials.org),
        guard=guard,
    )


@asynccontextmanager
async def connected(
    settings: Settings,
    store: "Store",
    credentials: Credentials,
    *,
    needs_modules: bool = False,
    guard: "CallGuard | None" = None,
) -> AsyncIterator[tuple[Connection, OrgEnquiry]]:
    """Connect to the org of the credentials, and ask what is not known about it.

    With `needs_modules` its modules are asked for in any case. `guard`: see `connect`.
    """
    async with (
        connection_to(settings, credentials, store, guard=guard) as connection,
        org_enquiry(
            connection,
            store.orgs,
            credentials.org,
            settings.limits,
            needs_modules=needs_modules,
        ) as enquiry,
    ):
        yield connection, enquiry
