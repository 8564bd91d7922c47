"""Plan a file: spreadsheet → journal, with the names that the org has given to its modules.

file ─ read, with the labels that an earlier run has stored ─▶ journal
       └─ the file needs labels, and the org names others now: read again ─▶ journal
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batchlock.config import Settings
from batchlock.core.cancel import CancelToken, until_cancelled
from batchlock.core.errors import BatchlockError, DiskFull, UnreadableFile, UsageError
from batchlock.core.observer import RunObserver
from batchlock.core.options import RunOptions
from batchlock.core.org import OrgFacts, OrgModule
from batchlock.core.reading import Origin
from batchlock.core.rows import Field
from batchlock.core.runs import RunInfo
from batchlock.plan import run_info
from batchlock.plan.child import ReaderProcess, ReadLimits, plan
from batchlock.results_input import (
    recognise_results,
    refuse_results_of_undo,
    send_rows_done_elsewhere,
)
from batchlock.start import note_finished
from batchlock.store.journal import Journal

if TYPE_CHECKING:
    import asyncio

    from batchlock.send.org_enquiry import OrgEnquiry
    from batchlock.store.store import Store


@dataclass(slots=True, kw_only=True)
class Planner:
    """Plans one file into a journal at `path`, with the settings and options of one command."""

    settings: Settings
    options: RunOptions
    cancel_token: CancelToken
    observer: RunObserver
    store: "Store | None"
    """None when there is none that can be used, since a check needs none."""
    file: Path
    path: Path
    info: RunInfo
    reader: ReaderProcess | None = None
    """A process that was started early."""

    async def plan(self, enquiry_of_run: "asyncio.Future[OrgEnquiry] | None" = None) -> None:
        """Plan the file. Raises as `batchlock.plan.child.plan` does.

        A run passes the future that gets its enquiry. A file that needs no labels does not wait for
        it, and neither does a check, which uses no network.
        """
        try:
            await self._plan(enquiry_of_run)
        except UsageError as error:
            error.is_about_file = not isinstance(error, DiskFull)
            raise

    async def _plan(self, enquiry_of_run: "asyncio.Future[OrgEnquiry] | None") -> None:
        if self.store is not None and "action" not in self.options.constants:
            refuse_results_of_undo(self.info, self.store, self.options)
        stored = self._stored_facts()
        modules = (stored and stored.modules) or ()
        error: BatchlockError | None = None
        try:
            await self._read(modules)
        except (UsageError, UnreadableFile) as refusal:
            # The module for all rows, or the name of the file, may be a label of the org.
            if isinstance(refusal, UnreadableFile) and not refusal.columns:
                raise  # no table was found, whatever the modules are called
            error = refusal
        if enquiry_of_run is not None and (error is not None or self._may_need_labels()):
            work = self._modules_of_org(enquiry_of_run)
            now = await until_cancelled(work, self.cancel_token)
            if now and now != modules:
                error = None
                self.observer.on_message(
                    f"Reading {self.file.name} again, with the names of the org's modules."
                )
                await self._read(now)
        if error is not None:
            raise error
        with Journal.open(self.path) as journal:
            journal.set_previous_reason(self.settings.results.previous_reason)
            if self.options.change_reason:
                journal.set_changes_reasons()
        self._compare_with_earlier_runs(stored)

    async def _read(self, modules: tuple[OrgModule, ...]) -> None:
        request = run_info.plan_request(
            self.file, self.path, self.info, self.settings, self.options, modules
        )
        settings = self.settings.input
        limits = ReadLimits(timeout_seconds=settings.max_seconds, memory_bytes=settings.max_memory)
        reader, self.reader = self.reader, None  # it reads one file only
        await plan(request, limits, cancel_token=self.cancel_token, reader=reader)

    def _may_need_labels(self) -> bool:
        """Tell whether other names of modules could lead to another plan."""
        with Journal.open(self.path) as journal:
            # A module that is known from the file alone may have the label of another one.
            sources = journal.reading.fields
            is_from_file = any(
                source.field is Field.MODULE and source.origin is Origin.FILE for source in sources
            )
            return is_from_file or bool(journal.examples("unknown_module", 1))

    async def _modules_of_org(
        self, enquiry_of_run: "asyncio.Future[OrgEnquiry]"
    ) -> tuple[OrgModule, ...]:
        facts = await (await enquiry_of_run).facts()
        return (facts and facts.modules) or ()

    def _stored_facts(self) -> OrgFacts | None:
        """Return what is known about the org; in a rehearsal the labels of the real one count."""
        if self.store is None:
            return None
        orgs = self.store.orgs
        return orgs.facts(self.settings.org) or orgs.facts(self.info.org)

    def _compare_with_earlier_runs(self, stored: OrgFacts | None) -> None:
        if self.store is None:
            return
        with Journal.open(self.path) as journal:
            if stored is not None and stored.day_credits is not None:
                journal.set_day_credits(stored.day_credits)
            recognise_results(journal, self.store)
            send_rows_done_elsewhere(journal, self.store)
            note_finished(journal, self.store, is_fresh=self.options.fresh)
