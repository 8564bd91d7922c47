"""The journals of all runs in PostgreSQL."""

import hashlib
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from batchlock.core.errors import BatchlockError
from batchlock.core.runs import RunInfo
from batchlock.store.journal import (
    Journal,
    copy_undone_rows,
    copy_unsettled_rows,
    count_unsettled_rows,
    forget_undone_results,
    leave_done_rows,
    send_done_rows,
    undoable_rows,
)
from batchlock.store.journal.database import SqliteDatabase
from batchlock.store.journal.loading import delete_journal, export_for_comparison, load_plan
from batchlock.store.journal.postgres import PostgresDatabase, pooled
from batchlock.store.journal.sql import Place
from batchlock.store.journals import Journals
from batchlock.store.leases import Lease

# A process that makes a run has its rows in the database before its record, and a person may be
# asked in between. A journal that has no record for a week belongs to a killed process.
_RECORD_MISSING_FOR = timedelta(days=7)


class JournalTables(Journals):
    """Journals that are rows of tables which all runs share."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use the connections of the store."""
        self._connections = pooled(engine)

    def prepare(self, org: str) -> None:  # noqa: ARG002  the journals of all orgs are together
        """Delete the journals of runs that were never recorded, because a process was killed."""
        newest = f"{datetime.now(UTC) - _RECORD_MISSING_FOR:%Y%m%d-%H%M%S}"
        # The id of a run begins with the time of its plan.
        with PostgresDatabase(self._connections, "").reading() as sql:
            abandoned = sql.execute(
                "SELECT DISTINCT run FROM public.run_facts AS f WHERE run < ? AND NOT EXISTS"
                " (SELECT 1 FROM public.runs WHERE id = f.run)",
                (newest,),
            ).fetchall()
        for (run_id,) in abandoned:
            delete_journal(self._database(run_id))

    def open(self, info: RunInfo, lease: Lease | None = None) -> Journal:
        """Open the journal of a run. Raises BatchlockError when there is none."""
        if not self._exists(info.run_id):
            raise self._database(info.run_id).no_journal()
        return Journal(PostgresDatabase(self._connections, info.run_id, lease))

    def place(self, info: RunInfo) -> Place:
        """Return the id of a run."""
        return info.run_id

    def remove(self, info: RunInfo) -> None:
        """Remove the journal of a run, if there is one."""
        delete_journal(self._database(info.run_id))

    def version(self, info: RunInfo) -> str:
        """Return a text that changes with each commit: each writes the totals."""
        with self._database(info.run_id).reading() as sql:
            facts = sql.execute(
                "SELECT name, value, xmin::text FROM public.run_facts WHERE run = ? ORDER BY name",
                (info.run_id,),
            ).fetchall()
        return f"{info.run_id} {hashlib.sha256(repr(facts).encode()).hexdigest()}"

    @contextmanager
    def plan_path(self, info: RunInfo) -> Iterator[Path]:
        """Yield a path in a temporary folder."""
        with tempfile.TemporaryDirectory(prefix="batchlock-") as folder:
            yield Path(folder) / f"{info.run_id}.journal"

    def open_planned(self, path: Path) -> Journal:
        """Copy the plan into the tables; its file is removed."""
        with Journal.open(path) as plan:
            info = plan.info
        self.add_plan(path, info)
        path.unlink()
        return self._journal(info.run_id)

    def add_plan(self, plan: Path, info: RunInfo, *, sends_done_rows: bool = False) -> None:
        """Copy a plan into the tables, in one transaction."""
        database = self._new_database(info)
        source = SqliteDatabase.open(plan)
        try:
            with database.session():
                load_plan(source, database)
                journal = Journal(database)
                journal.set_info(info)
                if sends_done_rows:
                    send_done_rows(journal)
        finally:
            source.close()

    def add_unsettled_rows(
        self,
        newest: Journal,
        info: RunInfo,
        *,
        refused: bool = True,
        except_remedies: Collection[str] = (),
        earlier: Sequence[RunInfo] = (),
    ) -> None:
        """Copy the rows that are not as the file asks."""
        run_ids = [each.run_id for each in earlier]
        with self._complete(info):
            copy_unsettled_rows(
                newest,
                info.run_id,
                info,
                refused=refused,
                except_remedies=except_remedies,
                earlier=run_ids,
            )

    def count_unsettled_rows(
        self,
        newest: Journal,
        *,
        refused: bool = True,
        except_remedies: Collection[str] = (),
        earlier: Sequence[RunInfo] = (),
    ) -> int:
        """Count the rows for which such a run would make calls."""
        run_ids = [each.run_id for each in earlier]
        return count_unsettled_rows(
            newest, refused=refused, except_remedies=except_remedies, earlier=run_ids
        )

    def add_undone_rows(self, source: Journal, info: RunInfo) -> int:
        """Copy the rows that can be put back, with the opposite changes."""
        if rows := undoable_rows(source):
            with self._complete(info):
                copy_undone_rows(source, info.run_id, info)
        return rows

    def leave_done_rows(self, journal: Journal, earlier: Sequence[RunInfo]) -> None:
        """Mark the pending rows that one of the earlier runs shows as done."""
        if isinstance(journal.database, PostgresDatabase):
            leave_done_rows(journal, [each.run_id for each in earlier])
            return
        with self._exported(earlier) as paths:
            leave_done_rows(journal, paths)

    def forget_undone_results(self, plan: Journal, undos: Sequence[RunInfo]) -> bool:
        """Make the rows of a plan pending that were put back."""
        with self._exported(undos) as paths:
            return forget_undone_results(plan, paths)

    def _database(self, run_id: str) -> PostgresDatabase:
        return PostgresDatabase(self._connections, run_id)

    def _journal(self, run_id: str) -> Journal:
        return Journal(self._database(run_id))

    def _exists(self, run_id: str) -> bool:
        return self._database(run_id).count("run WHERE name = 'about'") > 0

    def _new_database(self, info: RunInfo) -> PostgresDatabase:
        if self._exists(info.run_id):
            raise BatchlockError(f"The journal of run {info.run_id} is there already.")
        return self._database(info.run_id)

    @contextmanager
    def _complete(self, info: RunInfo) -> Iterator[None]:
        """Remove the journal that the block makes when it fails. A kill is left to `prepare`."""
        database = self._new_database(info)
        try:
            yield
        except BaseException:
            delete_journal(database)
            raise

    @contextmanager
    def _exported(self, infos: Sequence[RunInfo]) -> Iterator[list[Path]]:
        """Yield SQLite journals of runs, with which the plan of a file can be compared."""
        with tempfile.TemporaryDirectory(prefix="batchlock-") as folder:
            paths = []
            for info in infos:
                path = Path(folder) / f"{info.run_id}.journal"
                export_for_comparison(self._database(info.run_id), path)
                paths.append(path)
            yield paths
