"""A view of the store that changes nothing of it: for commands that only look.

To open the store of a state folder makes the folder, the file and its tables, takes rights away,
and brings an older store to this version. So its file is copied to a temporary folder, and the
copy is opened there. A store in PostgreSQL is opened as it is, since only `batchlock db upgrade`
changes its tables.
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from batchlock.core.errors import BatchlockError, UsageError
from batchlock.core.runs import Run
from batchlock.store.carry_over import is_carried_over
from batchlock.store.copied_file import copy_database
from batchlock.store.database import NAME, newer_version, open_database
from batchlock.store.journal import Journal
from batchlock.store.journals import JournalFiles
from batchlock.store.migrations import HEAD
from batchlock.store.store import Store


@dataclass(frozen=True, slots=True)
class StoreView:
    """A store that is only looked at."""

    store: Store
    """Its state folder is the real one, and its journals are those of the copy: see `journal`."""
    revision: str
    """That of the tables, before those of the copy were brought to this version."""
    has_old_state: bool
    """Whether the state folder has runs of 0.1.0 that are not in the store yet."""

    @property
    def is_older(self) -> bool:
        """Whether the next command brings the tables to this version."""
        return self.revision != HEAD

    @contextmanager
    def journal(self, run: Run, *, max_bytes: int) -> Iterator[Journal]:
        """Yield the journal of a run, or a copy of its file.

        Raises BatchlockError when it is missing, damaged, or larger than `max_bytes`.
        """
        journals = self.store.journals
        if not isinstance(journals, JournalFiles):
            with self.store.open_journal(run) as journal:
                yield journal
            return
        source = JournalFiles(self.store.state / "runs").path(run.info)
        if not source.exists():
            raise BatchlockError(f"Run {run.run_id} has no journal: {source} is missing.")
        if (size := source.stat().st_size) > max_bytes:
            raise BatchlockError(
                f"The journal of run {run.run_id} has {size:,} bytes, too many to be copied."
            )
        target = journals.path(run.info)
        target.parent.mkdir(parents=True, exist_ok=True)
        copy_database(source, target)
        try:
            with self.store.open_journal(run) as journal:
                yield journal
        finally:
            journals.remove(run.info)


@contextmanager
def store_view(state: Path, database_url: str | None) -> Iterator[StoreView | None]:
    """Yield a view of the store; None when the state folder has none yet.

    Raises UsageError when it cannot be used, is damaged or has a newer schema.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="batchlock-")))
        if database_url is not None:
            store = stack.enter_context(Store(folder, database_url))
            store.state = state
            yield StoreView(store, HEAD, has_old_state=False)
            return
        if not (state / NAME).exists():
            yield None
            return
        copy_database(state / NAME, folder / NAME)
        revision = _check_copy(folder / NAME, original=state / NAME)
        if revision > HEAD:
            raise newer_version(state)
        engine = open_database(folder)
        try:
            has_old_state = not is_carried_over(engine)
        finally:
            engine.dispose()
        store = stack.enter_context(Store(folder))
        # The key of the secrets, and the journals, are looked for there.
        store.state = state
        yield StoreView(store, revision, has_old_state=has_old_state)


def _check_copy(path: Path, *, original: Path) -> str:
    """Return the revision of a copied store; empty for one that was never completed.

    Raises UsageError when the file is damaged.
    """
    damaged = (
        f"The list of runs, {original}, is damaged. Move it away: the next start makes a new one "
        "from the journals of the runs."
    )
    try:
        with closing(sqlite3.connect(path)) as connection:
            if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise UsageError(damaged)
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            if "alembic_version" not in names:
                return ""
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error:
        raise UsageError(damaged) from None
    return "" if row is None else str(row[0])
