"""Start a run: make its record in the store, for the journal of a plan or of a retry.

plan ─▶ journal of the run ─▶ record; older runs of the same content end
rows of a run that were not updated ─▶ journal of a retry ─▶ record; that run ends
rows that a run has changed ─▶ journal of an undo ─▶ record; that run ends
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from batchlock.config import Settings
from batchlock.confirming import ConfirmUnlocks, PlanPreview, unlocks_left
from batchlock.core.errors import AlreadyRunning, UsageError
from batchlock.core.observer import RunObserver
from batchlock.core.records import FIND_KIND
from batchlock.core.results import Result
from batchlock.core.rows import Action
from batchlock.core.runs import Run, RunFigures, RunInfo, RunState, superseded_by
from batchlock.core.schedules import Firing
from batchlock.plan import run_info
from batchlock.plan.finished import note_finished_run
from batchlock.report import summaries
from batchlock.report.destination import beside_results, displayable_name, target_path
from batchlock.report.reporter import Reporter
from batchlock.results_input import is_same_org, original_of
from batchlock.store.earlier import (
    compare_with_earlier_runs,
    last_finished,
    needs_comparison,
)
from batchlock.store.journal import Journal
from batchlock.zoho.error_codes import FINAL_REMEDIES
from batchlock.zoho.settings import SIMULATOR

if TYPE_CHECKING:
    from batchlock.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """Starts runs, with the settings and options of one command."""

    settings: Settings
    store: "Store"
    reporter: Reporter
    observer: RunObserver
    fresh: bool
    """Whether the rows are sent again that an earlier run of the same content has done."""
    confirm_unlocks: ConfirmUnlocks
    preview: PlanPreview

    def start(self, plan_path: Path, *, firing: Firing | None = None) -> Run:
        """Make a run of a plan, which stays as it is; with `firing`, as `add` does.

        Raises AlreadyRunning when a run of the same content, which this one replaces, is being
        sent.
        """
        with Journal.open(plan_path) as source:
            run_info.check_address(source.info, self.settings)
            for run in self.store.runs.same_content(source.info):
                # Machines that share the store leave that to the holder of the lease.
                is_gone = run.state is RunState.RUNNING and not run.is_alive
                if is_gone and not self.store.is_shared:
                    self.store.settle_killed(run)
            info = run_info.new_info_like(source.info, self.settings)
            info = replace(info, kind="run", strict=self.settings.input.strict)
            info = self.reporter.with_output(info)
            self.store.journals.prepare(info.org)
        self.store.journals.add_plan(plan_path, info, sends_done_rows=self.fresh)
        with self.store.journals.open(info) as journal:
            note_finished(journal, self.store, is_fresh=self.fresh)
        return self._add_from(info, firing)

    def start_retry(self, run: Run, *, refused: bool, final: bool = True) -> Run | None:
        """Make the retry of a run, or return its unfinished one; None when no row is to be sent.

        Without `refused`, the rows that Zoho refused are not sent; without `final`, those that it
        would refuse again, because only another row can help.
        """
        if run.info.kind == FIND_KIND:
            command = self.command("locks")
            raise UsageError(
                f"Run {run.run_id} finds locked records, so it has no rows to send again. Run "
                f"`{command}` with the same modules again."
            )
        newest, *earlier = self.store.runs.lineage(run)
        run_info.check_address(newest.info, self.settings)
        if newest.run_id != run.run_id and not newest.is_closed:
            return newest
        self._refuse_outdated(newest)
        except_remedies = frozenset[str]() if final else FINAL_REMEDIES
        with self.store.open_journal(newest) as source:
            if needs_comparison(source):
                compare_with_earlier_runs(source, self.store)
            info = run_info.retry_info(
                source,
                self.settings,
                has_earlier=bool(earlier),
                refused=refused,
                except_remedies=except_remedies,
            )
            if info is None:
                return None
            info = self.reporter.with_output(beside_results(info, newest, self.settings))
            self.reporter.check_writable(info, self.observer)
            infos = [each.info for each in earlier] if refused else []
            self.store.journals.add_unsettled_rows(
                source, info, refused=refused, except_remedies=except_remedies, earlier=infos
            )
        return self._add_from(info)

    def start_undo(self, run: Run) -> Run | None:
        """Make the undo of a run, or return its unfinished one; None when nothing can be put back.

        Raises AlreadyRunning when the run is being sent, and UsageError when it is not known what
        it has changed. The caller holds the lock of the org.
        """
        if run.info.kind == FIND_KIND:
            command = self.command("runs")
            raise UsageError(
                f"Run {run.run_id} finds locked records and has changed nothing, so there is "
                "nothing to undo. Name a run that has changed locks; "
                f"`{command}` lists them."
            )
        run_info.check_address(run.info, self.settings)
        if run.is_alive:
            raise AlreadyRunning(
                f"Run {run.run_id} is being sent. Wait for its end, or stop it first."
            )
        for relative in self.store.runs.family(run):
            is_undo = relative.info.undo_of == run.run_id and relative.info.retry_of is None
            if is_undo and not relative.is_closed:
                return relative
        with self.store.open_journal(run) as source:
            if in_doubt := source.counts()[Result.UNKNOWN]:
                command = self.command("resume", run.run_id)
                raise UsageError(
                    f"It is not known yet what became of {in_doubt:,} rows of run {run.run_id}. "
                    f"Resume it first: {command}",
                    page_message=f"It is not known yet what became of {in_doubt:,} rows of this "
                    "run. Resume it first.",
                )
            info = beside_results(run_info.undo_info(run.info, self.settings), run, self.settings)
            info = self.reporter.with_output(info)
            self.reporter.check_writable(info, self.observer)
            if not self.store.journals.add_undone_rows(source, info):
                return None
        undo = self._add_from(info)
        if not run.is_closed:
            self.observer.on_message(
                f"Run {run.run_id} was not finished. It is closed now: run its file again to send "
                "every row of it."
            )
        if undo.info.action in (Action.LOCK, "mixed"):
            self.observer.on_message(
                "Locks that the run has removed are made anew: their time and person are new."
            )
        return undo

    def confirm(self, journal: Journal) -> None:
        """Show the plan and ask, if the rows that are left unlock any record.

        Raises UsageError when the answer is no, or when nobody can be asked.
        """
        if not journal.to_unlock():
            return
        # Here, and not when the run is sent, so that the person is asked for the right number.
        if needs_comparison(journal):
            compare_with_earlier_runs(journal, self.store, fresh=self.fresh)
            if (sentence := summaries.left_alone(journal, fresh=self.fresh)) is not None:
                self.observer.on_message(sentence)
        unlocks = unlocks_left(journal)
        if not unlocks.count:
            return
        self.preview.show(journal)
        if not self.confirm_unlocks(unlocks):
            raise UsageError("Nothing was sent, because the number was not typed.")

    def command(self, name: str, *arguments: str) -> str:
        """Return a command that meets the same org, as messages name it."""
        return self.reporter.options.command(name, *arguments)

    def _refuse_outdated(self, run: Run) -> None:
        """Raise UsageError when a newer run of the same file decides what becomes of its rows.

        A retry would write the reasons of the older run over those of the newer one.
        """
        for newer in self.store.runs.same_content(run.info):
            is_newer = newer.run_id > run.run_id and newer.info.retry_of is None
            if is_newer and newer.state is not RunState.REFUSED:
                command = self.command("retry", newer.run_id)
                raise UsageError(
                    f"Run {newer.run_id} of the same file is newer than run {run.run_id}. Retry "
                    f"that one with `{command}`, or run the file again.",
                    page_message=f"Run {newer.run_id} of the same file is newer. Open that one in "
                    "the history and retry it, or upload the file again.",
                )

    def add(self, info: RunInfo, figures: RunFigures, *, firing: Firing | None = None) -> Run:
        """Add a run to the store; the older runs whose place it takes end.

        With `firing`, the due time of a schedule makes the run. It waits for a worker then, its
        results have their place already, and a run that the due time has made of the same content
        before is returned instead.
        """
        original = original_of(info, self.store)
        if original is not None and not is_same_org(original.info, info):
            original = None
        relatives = self.store.runs.same_content(info) if original is None else [original]
        if info.kind == FIND_KIND:  # the locks of another day are no correction of these
            relatives = []
        run = Run(
            info=info,
            parent=relatives[0].parent if relatives else info.run_id,
            figures=figures,
            file_name=displayable_name(info.file),
        )
        if firing is not None:
            run = replace(
                run,
                # Another worker, with other settings, may write them.
                info=replace(info, output=str(target_path(info, self.settings))),
                # At once: nobody would queue it after a kill.
                state=RunState.QUEUED,
                queued_at=datetime.now(UTC),
                requested_by=f"the schedule {firing.schedule.schedule_id}",
                schedule=firing.schedule.schedule_id,
                due=firing.due,
            )
        return self.store.runs.add(run, superseded=superseded_by(info), firing=firing)

    def _add_from(self, info: RunInfo, firing: Firing | None = None) -> Run:
        """Add the run of a new journal; remove the journal when another run takes its place."""
        added = None
        try:
            with self.store.journals.open(info) as journal:
                self.confirm(journal)
                added = self.add(journal.info, journal.figures(), firing=firing)
        finally:
            if added is None or added.run_id != info.run_id:
                self.store.journals.remove(info)
        return added


def rows_of_retry(run: Run, store: "Store", *, refused: bool = True, final: bool = True) -> int:
    """Count the rows for which a retry of a run makes calls; arguments as in `start_retry`.

    Of an unfinished retry that exists already, these are the rows that it has left.
    """
    newest, *earlier = store.runs.lineage(run)
    with store.open_journal(newest) as source:
        if newest.run_id != run.run_id and not newest.is_closed:
            return source.remaining()
        return store.journals.count_unsettled_rows(
            source,
            refused=refused,
            except_remedies=frozenset[str]() if final else FINAL_REMEDIES,
            earlier=[each.info for each in earlier] if refused else [],
        )


def refuse_undo_of_rehearsal(run: Run) -> None:
    """Raise UsageError for a run whose stand-in for Zoho has ended with it."""
    if run.info.org == SIMULATOR:
        raise UsageError(
            f"Run {run.run_id} is a rehearsal. The stand-in for Zoho that it has changed ended "
            "with it, so there is nothing to undo."
        )


def note_finished(journal: Journal, store: "Store", *, is_fresh: bool) -> None:
    """Store in a plan when its content was last finished, with a note about it."""
    finished_at = last_finished(store.runs.same_content(journal.info), journal.info)
    note_finished_run(journal, finished_at, is_fresh=is_fresh)
