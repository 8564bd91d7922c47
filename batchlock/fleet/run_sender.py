"""Send one run on a worker: its settings, its connection, and its executor."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from batchlock.config import Settings
from batchlock.confirming import PlanPreview
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import DATABASE_ERRORS, LeaseLost, UsageError
from batchlock.core.log_context import set_log_context
from batchlock.core.observer import RunObserver
from batchlock.core.options import RunOptions
from batchlock.core.results import RunResult
from batchlock.core.runs import Run
from batchlock.execute import connected
from batchlock.fleet.executor import SharedExecutor, SharedRecorder
from batchlock.fleet.lease_guard import LeaseGuard
from batchlock.fleet.metrics import RunMetrics
from batchlock.fleet.notices import SessionNotices
from batchlock.fleet.writer import RunWriter, SharedWriter
from batchlock.notify.notifier import Notifier
from batchlock.org_settings import not_in_the_store, settings_of_org, with_options
from batchlock.plan import run_info
from batchlock.report.reporter import Reporter
from batchlock.send.stop_rules import deadline
from batchlock.store.journal import Journal
from batchlock.store.store import Store
from batchlock.zoho.credentials import Credentials, load_credentials

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunSender:
    """Sends the runs of one worker."""

    settings: Settings
    store: Store
    writer: SharedWriter
    recorders: dict[str, SharedRecorder] = field(default_factory=dict)
    """Of the runs that are being sent, by their ids."""
    notifiers: list[Notifier] = field(default_factory=list)
    """Of the sessions whose notices may still be under way."""

    def _prepare(self, run: Run) -> tuple[Settings, Credentials]:
        # Not the org of this machine's configuration: another machine may give its name to another
        # org of Zoho.
        if self.store.orgs.get(run.info.org) is None:
            raise UsageError(not_in_the_store(run.info.org))
        settings = settings_of_org(self.settings, self.store, run.info.org)
        settings = with_options(settings, run)
        run_info.check_address(run.info, settings)
        return settings, load_credentials(settings.zoho, settings.network, run.info.org)

    async def send(self, run: Run, guard: LeaseGuard, cancel_token: CancelToken) -> None:
        """Send the rows that a run has left. Raises LeaseLost, DATABASE_ERRORS, and as `execute`.

        The settings are those of its org, and those that its person has chosen for it.
        """
        set_log_context(org=run.info.org, run_id=run.run_id)
        try:
            settings, credentials = await asyncio.to_thread(self._prepare, run)
        except UsageError as error:
            notices = SessionNotices(self.settings, run)
            notices.fail(error)
            self._wait_later(notices)
            raise
        notices = SessionNotices(settings, run)
        try:
            result = await self._send(run, guard, cancel_token, settings, credentials)
        except (LeaseLost, *DATABASE_ERRORS):
            raise  # another worker goes on with it
        except Exception as error:
            notices.fail(error)
            self._wait_later(notices)
            raise
        with suppress(*DATABASE_ERRORS):
            notices.end(result, await asyncio.to_thread(self.store.runs.get, run.run_id))
        self._wait_later(notices)

    async def _send(
        self,
        run: Run,
        guard: LeaseGuard,
        cancel_token: CancelToken,
        settings: Settings,
        credentials: Credentials,
    ) -> RunResult:
        store = self.store
        journal = await asyncio.to_thread(store.journals.open, run.info, guard.lease)
        executor = SharedExecutor(
            settings=settings,
            store=store,
            reporter=Reporter(settings, RunOptions(org=run.info.org)),
            cancel_token=cancel_token,
            observer=RunMetrics(self.writer.metrics),
            preview=PlanPreview(RunObserver(), {run.run_id}),
            deadline_monotonic=deadline(
                settings.stop,
                started_monotonic=asyncio.get_running_loop().time(),
                started_at=datetime.now(UTC),
                stop_at=run.stop_at,
            ),
            fresh=False,
            writer=await self._run_writer(run, journal, guard),
            lease=guard.lease,
            recorders=self.recorders,
            writes_results=run.schedule is not None,
        )
        with journal:
            connecting = connected(settings, store, credentials, guard=guard)
            async with connecting as (connection, enquiry):
                extra = {"event": "run.started"}
                _log.info("Run %s of %s begins.", run.run_id, run.info.org, extra=extra)
                return await executor.execute(run, journal, connection, enquiry)

    def close(self) -> None:
        """Wait for the notices that are under way, for a bounded time."""
        for notifier in self.notifiers:
            notifier.close()

    def _wait_later(self, notices: SessionNotices) -> None:
        self.notifiers[:] = [one for one in self.notifiers if one.is_busy]
        self.notifiers.append(notices.notifier)

    async def _run_writer(self, run: Run, journal: Journal, guard: LeaseGuard) -> RunWriter:
        totals = await asyncio.to_thread(lambda: journal.totals)
        in_doubt = await asyncio.to_thread(journal.in_doubt)
        rows = frozenset(update.row for update in in_doubt)
        return RunWriter(self.writer, guard, journal, run.run_id, totals, rows)
