"""Start a run: make its record in the store, for the journal of a plan or of a retry.

plan ─▶ journal of the run ─▶ record; older runs of the same content end
rows of a run that were not updated ─▶ journal of a retry ─▶ record; that run ends
"""

from dataclasses import dataclass, replace
from pathlib import Path

from batchlock.config import Settings
from batchlock.core.observer import RunObserver
from batchlock.core.runs import Run, RunFigures, RunInfo, RunState, superseded_by
from batchlock.plan import run_info
from batchlock.plan.finished import note_finished_run
from batchlock.report.destination import displayable_name, run_id_in_name
from batchlock.report.reporter import Reporter
from batchlock.store.earlier import compare_with_earlier_runs, last_finished, needs_comparison
from batchlock.store.journal import Journal, copy_plan, copy_unsettled_rows
from batchlock.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """Starts runs, with the settings and options of one command."""

    settings: Settings
    store: Store
    reporter: Reporter
    observer: RunObserver
    fresh: bool
    """Whether the rows are sent again that an earlier run of the same content has done."""

    def start(self, plan_path: Path) -> Run:
        """Make a run of a plan, which stays as it is.

        Raises AlreadyRunning when a run of the same content, which this one replaces, is being
        sent.
        """
        with Journal.open(plan_path) as source:
            run_info.check_address(source.info, self.settings)
            for run in self.store.runs.same_content(source.info):
                if run.state is RunState.RUNNING and not run.is_alive:
                    self.store.settle_killed(run)
            info = run_info.new_info_like(source.info, self.settings)
            info = replace(info, kind="run", strict=self.settings.input.strict)
            info = self.reporter.with_output(info)
            self.store.make_runs_folder(info.org)
            path = self.store.journal_path(info)
            copy_plan(source, path, info, sends_done_rows=self.fresh)
        with Journal.open(path) as journal:
            note_finished(journal, self.store, is_fresh=self.fresh)
        return self._add_from(path)

    def start_retry(self, run: Run, *, refused: bool) -> Run | None:
        """Make the retry of a run, or return its unfinished one; None when no row is to be sent.

        Without `refused`, the rows that Zoho refused are not sent.
        """
        newest, *earlier = self.store.runs.lineage(run)
        run_info.check_address(newest.info, self.settings)
        if newest.run_id != run.run_id and not newest.is_closed:
            return newest
        with self.store.open_journal(newest) as source:
            if needs_comparison(source):
                compare_with_earlier_runs(source, self.store)
            info = run_info.retry_info(
                source, self.settings, has_earlier=bool(earlier), refused=refused
            )
            if info is None:
                return None
            info = self.reporter.with_output(info)
            self.reporter.check_writable(info, self.observer)
            path = self.store.journal_path(info)
            paths = [self.store.journal_path(each.info) for each in earlier] if refused else []
            copy_unsettled_rows(source, path, info, refused=refused, earlier=paths)
        return self._add_from(path)

    def add(self, info: RunInfo, figures: RunFigures) -> Run:
        """Add a run to the store; the older runs whose place it takes end."""
        original_id = info.retry_of or run_id_in_name(Path(info.file))
        original = None if original_id is None else self.store.runs.get(original_id)
        relatives = self.store.runs.same_content(info) if original is None else [original]
        return self.store.runs.add(
            Run(
                info=info,
                parent=relatives[0].parent if relatives else info.run_id,
                figures=figures,
                file_name=displayable_name(info.file),
            ),
            superseded=superseded_by(info),
        )

    def _add_from(self, path: Path) -> Run:
        """Add the run of a new journal; remove the journal when another run takes its place."""
        added = None
        try:
            with Journal.open(path) as journal:
                added = self.add(journal.info, journal.figures())
        finally:
            if added is None or self.store.journal_path(added.info) != path:
                path.unlink(missing_ok=True)
        return added


def note_finished(journal: Journal, store: Store, *, is_fresh: bool) -> None:
    """Store in a plan when its content was last finished, with a note about it."""
    finished_at = last_finished(store.runs.same_content(journal.info))
    note_finished_run(journal, finished_at, is_fresh=is_fresh)
