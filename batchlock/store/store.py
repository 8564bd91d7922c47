"""The store: what batchlock keeps in its state folder, for command line, page, worker and Python.

<state>/store.sqlite                  runs, people, uploads, choices, audit log
<state>/runs/<org>/<run id>.journal   the rows of a run
<state>/web/files/<id>/               the file of an upload, and its plan

With the setting `database`, many machines share the store: everything is in that PostgreSQL
database then, and the files of uploads are copied to the state folder where they are needed.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from batchlock.core.errors import BatchlockError, Stopped
from batchlock.core.runs import Run, RunFigures, RunState, state_after
from batchlock.core.stop import KILLED
from batchlock.store.approvals import ApprovalTable
from batchlock.store.audit_log import AuditLog
from batchlock.store.carry_over import carry_over
from batchlock.store.choices import ChoiceTable
from batchlock.store.corrections import CorrectionTable
from batchlock.store.database import open_database
from batchlock.store.grants import GrantTable
from batchlock.store.inbox_runs import InboxRuns
from batchlock.store.journal import Journal
from batchlock.store.journals import JournalFiles, Journals
from batchlock.store.leases import LeaseTable, org_lease
from batchlock.store.oidc_people import OidcPeople
from batchlock.store.org_lock import org_lock
from batchlock.store.orgs import OrgTable
from batchlock.store.overview import Overview
from batchlock.store.pending_sign_ins import PendingSignIns
from batchlock.store.people import People
from batchlock.store.runs import RunTable
from batchlock.store.schedules import ScheduleTable
from batchlock.store.sealing import SealingKeys
from batchlock.store.sessions import Sessions
from batchlock.store.shared_runs import SharedRuns
from batchlock.store.shared_tokens import SharedTokens
from batchlock.store.state_folder import close_to_others
from batchlock.store.upload_files import SharedUploadFiles, UploadFiles
from batchlock.store.uploads import UploadTable
from batchlock.store.workers import WorkerTable

if TYPE_CHECKING:
    import sqlalchemy as sa

_log = logging.getLogger(__name__)

# A killed worker of the page (out of memory, for example) is started again, but not for ever.
_MAX_STARTS = 3


class Store:
    """The open store, with one attribute for each topic. Threads may share it."""

    def __init__(self, state: Path, database_url: str | None = None) -> None:
        """Open the store of a state folder, or the one in a PostgreSQL database.

        The one of a folder is created, and the state of 0.1.0 is carried over.

        Raises UsageError when the folder or database cannot be used, or when a newer version of
        batchlock has used it; then nothing is changed.
        """
        self.state = state
        self.database_url = database_url
        close_to_others(state)
        engine = open_database(state) if database_url is None else _open_postgres(database_url)
        try:
            if database_url is None:
                carry_over(engine, state)
        except BaseException:
            engine.dispose()
            raise
        self._engine = engine
        self.journals = _journals(engine, state)
        # These four only with a server.
        self._lease_engine = engine if database_url is None else _lease_engine(database_url)
        self.leases = LeaseTable(self._lease_engine)
        self.shared_runs = SharedRuns(engine)
        self.workers = WorkerTable(engine)
        self.schedules = ScheduleTable(engine)
        self.runs = RunTable(engine)
        self.inbox_runs = InboxRuns(engine)
        self.orgs = OrgTable(engine)
        self.pending_sign_ins = PendingSignIns(engine)
        self.people = People(engine)
        self.oidc_people = OidcPeople(engine)
        self.sessions = Sessions(engine)
        self.uploads = UploadTable(engine, state / "web" / "files")
        self.upload_files = _upload_files(engine, self.uploads.parent_folder)
        self.corrections = CorrectionTable(engine)
        self.choices = ChoiceTable(engine)
        self.audit_log = AuditLog(engine)
        self.grants = GrantTable(engine)
        self.approvals = ApprovalTable(engine)
        self.overview = Overview(engine)

    def shared_tokens(self, org: str, keys: SealingKeys) -> SharedTokens:
        """Return the place of the access token that all workers of an org share."""
        return SharedTokens(self._engine, org, keys)

    @property
    def is_shared(self) -> bool:
        """Whether many machines share the store, so that workers send the runs."""
        return self.database_url is not None

    def schema_problem(self) -> str:
        """Return why this version cannot use the tables of the server any more; else nothing."""
        from batchlock.store.postgres import schema_status

        return schema_status(self._engine).problem

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()
        self._lease_engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open_journal(self, run: Run) -> Journal:
        """Open the journal of a run. Raises BatchlockError as `Journal.open` does."""
        return self.journals.open(run.info)

    @contextmanager
    def lock(self, org: str) -> Iterator[Callable[[str], None]]:
        """Hold the lock of an org, and yield the function that says for what.

        With a server it is the lease of the org, for half a minute: enough to start a run, and not
        to send one, which is the work of `batchlock worker`.

        The runs that are recorded as running are not any more then: their processes were killed.
        Raises AlreadyRunning and UsageError as `org_lock` does.
        """
        with self._lock(org) as set_holder:
            for run in self.runs.in_state(org, RunState.RUNNING):
                self.settle_killed(run)
            yield set_holder

    def _lock(self, org: str) -> AbstractContextManager[Callable[[str], None]]:
        if self.database_url is None:
            return org_lock(self.state, org, self.orgs)
        return org_lease(self.leases, org)

    def settle_killed(self, run: Run) -> None:
        """Record what becomes of a run whose process is gone.

        A person's request to end it is carried out. A run of the page waits again at its place in
        the queue, but not for ever. Every other run is stopped; also one without rows left, whose
        results are not written yet.
        """
        figures, request = self.figures(run), run.stop_requested
        if request is not None:
            state = state_after(request, remaining=figures.remaining)
            self.runs.end_session(run.run_id, state, request, figures=figures)
        elif run.queued_at is not None and run.starts + 1 < _MAX_STARTS:
            self.runs.requeue(run.run_id, starts=run.starts + 1)
        else:
            self.runs.end_session(run.run_id, RunState.STOPPED, KILLED, figures=figures)

    def figures(self, run: Run) -> RunFigures:
        """Return how far a run has come, by its journal; as recorded if that cannot be read."""
        with suppress(BatchlockError), self.open_journal(run) as journal, journal.snapshot():
            return journal.figures()
        return run.figures

    def with_current_figures(self, run: Run) -> Run:
        """Return a run with the figures of its journal if its process runs, or was killed.

        Its record is as old as the last heartbeat then.
        """
        if run.state is not RunState.RUNNING:
            return run
        return replace(run, figures=self.figures(run))

    def newest_unfinished(self, org: str, identity: str | None = None) -> Run | None:
        """Return the newest run that can be resumed; those without a usable journal cannot be."""
        for run in self.runs.all_unfinished(org, identity):
            try:
                with self.open_journal(run) as journal:
                    journal.remaining()  # an empty file can be opened
                    return run
            except Stopped:  # the disk is full
                raise
            except BatchlockError as error:
                _log.warning("%s Its run cannot be resumed.", error)
        return None

    def not_resumable_because(self, run: Run) -> str:
        """Return why a run cannot be resumed, in a sentence; empty when it can be."""
        newest = self.runs.lineage(run)[0]
        if newest.run_id != run.run_id:
            return f"The remaining rows were moved to run {newest.run_id}."
        run = self.runs.get(run.run_id) or run
        if not run.is_closed:
            return ""
        return (run.reason and run.reason.sentence) or "It has ended."


def _journals(engine: "sa.Engine", state: Path) -> Journals:
    if engine.dialect.name == "sqlite":
        return JournalFiles(state / "runs")
    from batchlock.store.journal_tables import JournalTables

    return JournalTables(engine)


def _upload_files(engine: "sa.Engine", folder: Path) -> UploadFiles:
    is_shared = engine.dialect.name != "sqlite"
    return SharedUploadFiles(folder, engine) if is_shared else UploadFiles(folder)


def _lease_engine(url: str) -> "sa.Engine":
    from batchlock.store.postgres import postgres_engine

    return postgres_engine(url, for_leases=True)


def _open_postgres(url: str) -> "sa.Engine":
    from batchlock.store.postgres import open_postgres

    return open_postgres(url)
