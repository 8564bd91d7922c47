"""The journals of all runs: where they are kept, and how a new one is made.

plan ─▶ journal of a run
rows of a run that were not updated ─▶ journal of a retry
rows that a run has changed ─▶ journal of an undo

Only this package knows where the journal of a run is. The plan of an upload or of a check belongs
to no run yet: it is a SQLite file at a path that the caller knows.
"""

import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from batchlock.core.errors import BatchlockError
from batchlock.core.runs import RunInfo
from batchlock.store.database import make_state_folder
from batchlock.store.journal import (
    Journal,
    LatestStatuses,
    StoryRun,
    atomic_journal,
    copy_plan,
    copy_undone_rows,
    copy_unsettled_rows,
    count_unsettled_rows,
    forget_undone_results,
    latest_statuses,
    leave_done_rows,
    undoable_rows,
)
from batchlock.store.journal.sql import Place
from batchlock.store.leases import Lease

# A plan writes its draft all the time, and is stopped after 15 minutes unless the settings allow
# more. A draft that nobody has written to for an hour is left from a killed process.
_DRAFT_LIFETIME_SECONDS = 3600.0


class Journals(ABC):
    """The journals of all runs. Every method raises BatchlockError as `Journal.open` does."""

    @abstractmethod
    def prepare(self, org: str) -> None:
        """Prepare for a new run of an org, and delete what killed processes have left.

        Raises UsageError when that fails.
        """

    @abstractmethod
    def open(self, info: RunInfo, lease: Lease | None = None) -> Journal:
        """Open the journal of a run; only a server has leases.

        With a `lease`, every change is refused with LeaseLost once another process has the org.
        """

    @abstractmethod
    def place(self, info: RunInfo) -> Place:
        """Return where the journal of a run is, for another journal of the same store."""

    def latest_statuses(self, infos: Sequence[RunInfo]) -> LatestStatuses:
        """Return the latest status of each row of some runs; see the function.

        The runs are in the order of time. One whose journal cannot be read is passed over.
        """
        runs = [StoryRun(info=info, place=self.place(info)) for info in infos]
        for info in infos:
            with suppress(BatchlockError), self.open(info) as journal:
                return latest_statuses(journal, runs)
        return LatestStatuses(unreadable=[info.run_id for info in infos])

    @abstractmethod
    def remove(self, info: RunInfo) -> None:
        """Remove the journal of a run, if there is one. Raises OSError when a file stays."""

    @abstractmethod
    def version(self, info: RunInfo) -> str:
        """Return a text that changes with a journal, also while another process writes it.

        Raises OSError when the file of the journal cannot be found.
        """

    @abstractmethod
    def plan_path(self, info: RunInfo) -> AbstractContextManager[Path]:
        """Yield where the plan of a new run is to be written, for `open_planned`."""

    @abstractmethod
    def open_planned(self, path: Path) -> Journal:
        """Open the journal of a new run, whose plan was written at a path of `plan_path`."""

    @abstractmethod
    def add_plan(self, plan: Path, info: RunInfo, *, sends_done_rows: bool = False) -> None:
        """Make the journal of a run from the plan at `plan`, which stays as it is.

        With `sends_done_rows`, rows that an earlier run has done go out again.
        """

    @abstractmethod
    def add_unsettled_rows(
        self,
        newest: Journal,
        info: RunInfo,
        *,
        refused: bool = True,
        except_remedies: Collection[str] = (),
        earlier: Sequence[RunInfo] = (),
    ) -> None:
        """Make the journal of a run from the rows that are not as the file asks.

        As `copy_unsettled_rows`; `newest` is the journal of another run. Raises BatchlockError
        when the run has a journal already.
        """

    @abstractmethod
    def count_unsettled_rows(
        self,
        newest: Journal,
        *,
        refused: bool = True,
        except_remedies: Collection[str] = (),
        earlier: Sequence[RunInfo] = (),
    ) -> int:
        """Count the rows for which a run that `add_unsettled_rows` makes would make calls."""

    @abstractmethod
    def add_undone_rows(self, source: Journal, info: RunInfo) -> int:
        """Make the journal of the undo of another run; return how many rows can be put back.

        As `copy_undone_rows`. Without a row that can be put back, no journal is made. Raises
        BatchlockError when the run has a journal already.
        """

    @abstractmethod
    def leave_done_rows(self, journal: Journal, earlier: Sequence[RunInfo]) -> None:
        """Mark the pending rows that one of the earlier runs shows as done; see the function."""

    @abstractmethod
    def forget_undone_results(self, plan: Journal, undos: Sequence[RunInfo]) -> bool:
        """Make the rows of a plan pending that its file reports as done, and that were put back.

        Return whether there were such rows.
        """


class JournalFiles(Journals):
    """Journals that are SQLite files: `<state>/runs/<org>/<run id>.journal`."""

    def __init__(self, folder: Path) -> None:
        """Use `folder` as the parent of the folders of all orgs."""
        self._folder = folder

    def folder(self, org: str) -> Path:
        """Return the folder of the journals of an org."""
        return self._folder / org

    def path(self, info: RunInfo) -> Path:
        """Return the path of the journal of a run, whether it exists or not."""
        return self.folder(info.org) / f"{info.run_id}.journal"

    def prepare(self, org: str) -> None:
        """Make the folder of the journals, and delete the drafts of killed plans there."""
        folder = self.folder(org)
        make_state_folder(folder)
        remove_drafts(folder, min_age_seconds=_DRAFT_LIFETIME_SECONDS)

    def open(self, info: RunInfo, lease: Lease | None = None) -> Journal:  # noqa: ARG002
        """Open the journal of a run."""
        return Journal.open(self.path(info))

    def place(self, info: RunInfo) -> Place:
        """Return the path of the journal of a run."""
        return self.path(info)

    def remove(self, info: RunInfo) -> None:
        """Remove the journal of a run; a killed process may have left two files beside it."""
        path = self.path(info)
        for suffix in ("", "-wal", "-shm"):
            path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)

    def version(self, info: RunInfo) -> str:
        """Return a text that changes with the file of a journal."""
        return version_of(self.path(info))

    @contextmanager
    def plan_path(self, info: RunInfo) -> Iterator[Path]:
        """Yield the path of the journal itself."""
        yield self.path(info)

    def open_planned(self, path: Path) -> Journal:
        """Open the journal, which is there already."""
        return Journal.open(path)

    def add_plan(self, plan: Path, info: RunInfo, *, sends_done_rows: bool = False) -> None:
        """Copy a plan."""
        copy_plan(plan, self.path(info), info, sends_done_rows=sends_done_rows)

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
        paths = [self.path(each) for each in earlier]
        with self._draft(info) as draft:
            copy_unsettled_rows(
                newest, draft, info, refused=refused, except_remedies=except_remedies, earlier=paths
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
        paths = [self.path(each) for each in earlier]
        return count_unsettled_rows(
            newest, refused=refused, except_remedies=except_remedies, earlier=paths
        )

    def add_undone_rows(self, source: Journal, info: RunInfo) -> int:
        """Copy the rows that can be put back, with the opposite changes."""
        if rows := undoable_rows(source):
            with self._draft(info) as draft:
                copy_undone_rows(source, draft, info)
        return rows

    def leave_done_rows(self, journal: Journal, earlier: Sequence[RunInfo]) -> None:
        """Mark the pending rows that one of the earlier runs shows as done."""
        leave_done_rows(journal, [self.path(each) for each in earlier])

    def forget_undone_results(self, plan: Journal, undos: Sequence[RunInfo]) -> bool:
        """Make the rows of a plan pending that were put back."""
        return forget_undone_results(plan, [self.path(each) for each in undos])

    @contextmanager
    def _draft(self, info: RunInfo) -> Iterator[Path]:
        path = self.path(info)
        if path.exists():
            raise BatchlockError(f"{path} is there already.")
        with atomic_journal(path) as draft:
            yield draft


def version_of(path: Path) -> str:
    """Return a text that changes with a SQLite file, also while another process writes it."""
    times = [path.stat().st_mtime_ns]
    with suppress(OSError):  # it exists only while a process has the journal open
        times.append(path.with_name(f"{path.name}-wal").stat().st_mtime_ns)
    return f"{path.name} {times}"


def remove_drafts(folder: Path, *, min_age_seconds: float = 0.0) -> None:
    """Delete the drafts of plans in a folder that were last written some time ago."""
    for draft in folder.glob("*.partial"):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime < min_age_seconds:
                continue
            if draft.is_dir():  # the table of an archive
                shutil.rmtree(draft)
            else:
                draft.unlink()
