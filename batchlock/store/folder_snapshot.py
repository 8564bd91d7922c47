"""Read the store of a state folder without changing anything in the folder.

The databases are copied to a temporary folder, and opened there: to open a SQLite file may write to
it, and one of an older version is brought to this one.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from batchlock.core.errors import AlreadyRunning, BatchlockError, Stopped, UsageError
from batchlock.core.runs import Run, RunState
from batchlock.store.carry_over import is_carried_over
from batchlock.store.copied_file import copy_database
from batchlock.store.database import NAME, open_database, refuse_newer
from batchlock.store.journal.database import SqliteDatabase
from batchlock.store.journals import JournalFiles
from batchlock.store.store import Store
from batchlock.store.upload_files import UploadFiles

# A process that shows the page takes the lock of an org for a moment to see whether it is free.
_LOCK_WAIT_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class FolderSnapshot:
    """The store of a state folder, as it was at one moment."""

    folder: Path
    """The state folder itself, which is only read."""
    store: Store
    """A copy of its store, without the journals."""
    upload_files: UploadFiles
    """The files of uploads in the folder."""
    _journals: JournalFiles
    """Those of the folder."""
    _copies: JournalFiles
    """Those of the copy, which are there one at a time."""

    def runs(self) -> list[Run]:
        """Return the runs of all orgs, the oldest first."""
        return sorted(self.store.runs.all(), key=lambda run: run.run_id)

    @contextmanager
    def journal(self, run: Run) -> Iterator[SqliteDatabase]:
        """Yield a copy of the journal of a run.

        What becomes of a run whose process was killed is recorded in the copy of the store. Raises
        BatchlockError when the journal is missing or damaged.
        """
        source, target = self._journals.path(run.info), self._copies.path(run.info)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if not source.exists():
                raise BatchlockError(f"Run {run.run_id} has no journal: {source} is missing.")
            copy_database(source, target)
            with self._copies.open(run.info) as journal:
                _ = journal.info  # an empty file can be opened
            database = SqliteDatabase.open(target)
            try:
                yield database
            finally:
                database.close()
        finally:
            if run.state is RunState.RUNNING:  # by its record; its lock is free
                self.store.settle_killed(run)
            self._copies.remove(run.info)

    @contextmanager
    def plan(self, upload_id: str) -> Iterator[Path | None]:
        """Yield a copy of the plan of an upload; None when there is none that can be read."""
        source, target = self.upload_files.plan(upload_id), self.store.state / "plan.journal"
        if not source.exists():
            yield None
            return
        try:
            copy_database(source, target)
            try:
                SqliteDatabase.open(target).close()  # so that nothing of it is in its log
            except Stopped:
                raise
            except BatchlockError:  # the page makes a new one
                yield None
            else:
                yield target
        finally:
            target.unlink(missing_ok=True)


@contextmanager
def snapshot_of(folder: Path) -> Iterator[FolderSnapshot]:
    """Yield the store of a state folder, and keep others from sending its runs meanwhile.

    Raises AlreadyRunning while a run of the folder is sent or its page is open, and UsageError when
    there is no store of this version or an older one in it.
    """
    if not (folder / NAME).is_file():
        raise UsageError(
            f"{folder} is no state folder of this version: it has no {NAME}. Name the folder of "
            "the setting `state_directory`. One of version 0.1.0 is brought to this version by "
            "`batchlock runs`, without the setting `database`."
        )
    refuse_newer(folder / NAME)
    with _locks(folder), tempfile.TemporaryDirectory(prefix="batchlock-") as temporary:
        state = Path(temporary)
        copy_database(folder / NAME, state / NAME)
        engine = open_database(state)
        try:
            is_complete = is_carried_over(engine)
        finally:
            engine.dispose()
        if not is_complete:
            raise UsageError(
                f"{folder} has runs of version 0.1.0 that are not in its store yet. Run `batchlock "
                "runs` once without the setting `database`, then migrate the folder."
            )
        with Store(state) as store:
            yield FolderSnapshot(
                folder,
                store,
                UploadFiles(folder / "web" / "files"),
                JournalFiles(folder / "runs"),
                JournalFiles(state / "runs"),
            )


@contextmanager
def _locks(folder: Path) -> Iterator[None]:
    """Hold the locks of all orgs of a state folder, and those of its page."""
    with ExitStack() as stack:
        for path in sorted((*folder.glob("locks/*.lock"), *folder.glob("web/*.lock"))):
            lock = FileLock(path, mode=0o600)
            try:
                stack.enter_context(lock.acquire(timeout=_LOCK_WAIT_SECONDS))
            except Timeout:
                user = "the page" if path.parent.name == "web" else "a run"
                raise AlreadyRunning(
                    f"The folder {folder} is used by {user} of {path.stem}, and what happens there "
                    "now would be lost. Stop it, then migrate the folder again."
                ) from None
            except OSError as error:
                raise UsageError(
                    f"The lock {path} cannot be used: {error.strerror}. Run this command as the "
                    "user who owns the folder."
                ) from None
        yield
