"""The runs in the store, as one command sees them: start, find, list, show and report them.

Nothing here reads a spreadsheet or calls Zoho. `Engine` adds what does.
"""

from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from batchlock.config import Settings
from batchlock.confirming import ConfirmUnlocks, PlanPreview
from batchlock.core.errors import BatchlockError
from batchlock.core.observer import RunObserver
from batchlock.core.options import RunOptions
from batchlock.core.results import RunResult, Summary
from batchlock.core.run_filter import RunFilter
from batchlock.core.runs import Run, RunInfo
from batchlock.core.schedules import Firing
from batchlock.report import summaries
from batchlock.report.reporter import Reporter
from batchlock.report.story import Story, read_story
from batchlock.start import Starter
from batchlock.store.earlier import has_state
from batchlock.store.journal import Journal
from batchlock.store.pruning import OldRuns, old_runs, remove
from batchlock.zoho.credentials import load_credentials
from batchlock.zoho.settings import SIMULATOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchlock.plan_file import PlanFile
    from batchlock.send.org_enquiry import OrgEnquiry
    from batchlock.store.store import Store


class StoredRuns:
    """The runs of the orgs of one command, with its settings and options."""

    def __init__(
        self,
        settings: Settings,
        options: RunOptions,
        observer: RunObserver,
        store: "Store | None",
        confirm_unlocks: ConfirmUnlocks,
    ) -> None:
        """Use a store that is open already, or open the one of the settings when it is needed."""
        self.settings = settings
        self.options = options
        self.observer = observer
        self._store = store
        self._owns_store = store is None
        self._confirm_unlocks = confirm_unlocks
        self._preview = PlanPreview(observer)
        self._reporter = Reporter(settings, options)
        self.approved_plan: PlanFile | None = None
        """What a run must send; None: whatever its file says."""
        self.review: Callable[[Journal], None] | None = None
        """Looks at a new plan before its run is stored, and may raise GuardRefusal."""

    @property
    def store(self) -> "Store":
        """The store of the state folder; opened when it is first needed."""
        if self._store is None:
            # Here, since SQLAlchemy takes 0.2 s to load, and a check mostly needs no store.
            from batchlock.store.store import Store

            self._store = Store(self.settings.state, self.settings.database_url)
        return self._store

    def close(self) -> None:
        """Close the store, unless it was passed."""
        if self._store is not None and self._owns_store:
            self._store.close()
            self._store = None

    def start(self, plan_path: Path, *, firing: Firing | None = None) -> Run:
        """Make a run of a plan, for `resume` to send; with `firing`, for a worker.

        Raises AlreadyRunning when a run of the same content, which this one replaces, is being
        sent.
        """
        return self._starter.start(plan_path, firing=firing)

    def start_undo(self, run_id: str) -> Run | None:
        """Make the run that `undo` makes, for `resume` to send.

        Raises AlreadyRunning when the other run has rows left and may be running.
        """
        run = self._find(run_id)
        if run.is_closed:
            return self._starter.start_undo(run)
        with self.store.lock(run.info.org):
            return self._starter.start_undo(self._find(run_id))

    def start_retry(self, run_id: str, *, refused: bool = True, final: bool = True) -> Run | None:
        """Make the run that `retry` makes, for `resume` to send.

        Without `final`, the rows that Zoho would refuse again are not sent either.

        Raises AlreadyRunning when the other run has rows left and may be running.
        """
        run = self._find(run_id)
        if not self.store.runs.lineage(run)[0].figures.remaining:
            return self._starter.start_retry(run, refused=refused, final=final)
        with self.store.lock(run.info.org):
            return self._starter.start_retry(run, refused=refused, final=final)

    def report(self, run_id: str) -> RunResult:
        """Write the results of a run again; rows without an outcome are `not_sent` or `unknown`."""
        run = self._find(run_id)
        with self.store.open_journal(run) as journal, journal.snapshot():
            info = self._reporter.with_output(run.info)
            self._reporter.check_writable(info, self.observer)
            reason = summaries.stop_reason_of(run, remaining=journal.remaining())
            return self._reporter.write(journal, info, reason)

    def show(self, run_id: str) -> tuple[Summary, Run, list[Run], Story]:
        """Return the summary of a run so far, its record, its family (oldest first) and story."""
        run = self._find(run_id)
        with self.store.open_journal(run) as journal, journal.snapshot():
            reason = summaries.stop_reason_of(run, remaining=journal.remaining())
            summary = self._reporter.summary(journal, run.info, reason)
        family = [*map(self.store.with_current_figures, self.store.runs.family(run))]
        return summary, run, family, read_story(self.store, family)

    def runs(self, run_filter: RunFilter | None = None) -> list[Run]:
        """Return the runs of this org, then the rehearsals, newest first each.

        With a filter, those that match.
        """
        runs = self.store.runs.of_orgs(self.orgs)
        return (run_filter or RunFilter()).select(runs, self.store.with_current_figures)

    def old_runs(self, before: datetime) -> OldRuns:
        """Return the closed runs of this org and the rehearsals that ended before a moment."""
        of_orgs = [old_runs(self.store.runs.of_orgs([org]), before) for org in self.orgs]
        removable, needed = (list(chain.from_iterable(each)) for each in zip(*of_orgs, strict=True))
        return OldRuns(removable, needed)

    def prune(self, before: datetime) -> list[Run]:
        """Remove the runs that `old_runs` says can be removed, and return them.

        Raises AlreadyRunning while a run of one of the orgs is being sent.
        """
        removed: list[Run] = []
        for org in self.orgs:
            # A run that begins now may need them, so what can be removed is looked for again.
            with self.store.lock(org) as set_holder:
                set_holder("the removal of old runs")
                old = old_runs(self.store.runs.of_orgs([org]), before)
                removed += remove(self.store, old.removable)
        return removed

    def org_id(self, org: str) -> str:
        """Return the id of an org in Zoho, by setting or as a run has learnt it; empty for none."""
        store = self._existing_store
        facts = None if store is None else store.orgs.facts(org)
        known = facts.ids[0] if facts is not None and facts.ids else ""
        return self.settings.zoho.organization_id or known

    def _refuse_other_source(self, info: RunInfo) -> None:
        """Raise UsageError for another file or org than that of the approved plan, if any."""
        if self.approved_plan is not None:
            self.approved_plan.refuse_other_source(info, self.store.orgs.facts(info.org))

    def _refuse_other_rows(self, journal: Journal) -> None:
        """Raise UsageError for other updates than those of the approved plan, if any."""
        if self.approved_plan is not None:
            self.approved_plan.refuse_other_rows(journal)

    def check_sign_in(self) -> None:
        """Raise UsageError when nothing could be sent, because of the settings alone."""
        load_credentials(self.settings.zoho, self.settings.network, self._org)

    def _review(self, journal: Journal) -> None:
        """Refuse a plan as whoever started the command wants it."""
        if self.review is not None:
            self.review(journal)

    async def _refuse_other_plan(self, journal: Journal, enquiry: "OrgEnquiry") -> None:
        """Raise UsageError for other updates or another org, as Zoho says now which it is."""
        if self.approved_plan is not None:
            self._refuse_other_rows(journal)
            self.approved_plan.refuse_other_org(await enquiry.facts())

    @property
    def _existing_store(self) -> "Store | None":
        """The store; None when there is none that can be used, since a check needs no store."""
        if self._store is None and not has_state(self.settings.state):
            return None
        try:
            return self.store
        except BatchlockError:  # a run has opened the store before, and stopped there
            return None

    @property
    def _starter(self) -> Starter:
        return Starter(
            settings=self.settings,
            store=self.store,
            reporter=self._reporter,
            observer=self.observer,
            fresh=self.options.fresh,
            confirm_unlocks=self._confirm_unlocks,
            preview=self._preview,
        )

    def _find(self, run_id: str) -> Run:
        return self.store.runs.find(self.orgs, run_id)

    @property
    def _org(self) -> str:
        return SIMULATOR if self.options.simulate else self.settings.org

    @property
    def orgs(self) -> list[str]:
        """The orgs whose runs this command can name, its own first: a rehearsal is a run, too."""
        orgs = [self.settings.org, SIMULATOR]
        return orgs[::-1] if self.options.simulate else orgs
