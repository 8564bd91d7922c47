"""Find the runs of an org in the state folder, which holds one journal for each run.

<state>/runs/<org>/<run id>.journal
"""

import logging
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from batchlock.core.errors import BatchlockError, UsageError
from batchlock.core.paths import refuse_missing_home
from batchlock.core.results import RunListing
from batchlock.store.journal import Journal, RunInfo, SessionEnd

_SUFFIX = ".journal"
# A plan writes its draft all the time, and is stopped after 15 minutes unless the settings allow
# more. A draft that nobody has written to for an hour is left from a killed process.
_DRAFT_LIFETIME_SECONDS = 3600.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run in the history."""

    path: Path
    """The journal of the run."""
    info: RunInfo
    end: SessionEnd | None
    """How the last session ended; None while a session runs or after it was killed."""

    @property
    def closed(self) -> bool:
        """Whether the run cannot be resumed."""
        return self.end is not None and self.end.closed


def new_run_id(now: datetime) -> str:
    """Return an id that sorts by time and can be typed: `20260314-020304-1f3a`.

    The first two of the last four digits are the 256th part of the second, and the last two are
    random. So two runs that start in the same second still sort by time.
    """
    part = now.microsecond * 256 // 1_000_000
    return f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{part:02x}{secrets.token_hex(1)}"


def make_state_folder(folder: Path) -> None:
    """Make a folder that only this user can read. Raises UsageError when that fails."""
    refuse_missing_home(folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"The state folder {folder} cannot be made: {error.strerror}. "
            "Set state_directory to a folder that can be written."
        ) from None


class History:
    """The runs of one org, newest first."""

    def __init__(self, state: Path, org: str) -> None:
        self.org = org
        self.folder = state / "runs" / org

    def path(self, run_id: str) -> Path:
        """Return the path of a run's journal, whether it exists or not."""
        return self.folder / f"{run_id}{_SUFFIX}"

    def make_folder(self) -> None:
        """Make the folder of the journals. Raises UsageError when that fails."""
        make_state_folder(self.folder)

    def clear_drafts(self) -> None:
        """Delete the drafts of plans that were killed."""
        for draft in self.folder.glob("*.partial"):
            with suppress(OSError):
                if time.time() - draft.stat().st_mtime <= _DRAFT_LIFETIME_SECONDS:
                    continue
                if draft.is_dir():  # the table of an archive
                    shutil.rmtree(draft)
                else:
                    draft.unlink()

    def ids(self) -> list[str]:
        """Return the ids of all runs, newest first. Raises UsageError for an unreadable folder."""
        try:
            names = [path.name for path in self.folder.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UsageError(
                f"The state folder {self.folder} cannot be read: {error.strerror}. "
                "Set state_directory to a folder that can be."
            ) from None
        ids = (name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))
        return sorted(ids, reverse=True)

    def ids_starting_with(self, prefix: str) -> list[str]:
        """Return the ids that begin with `prefix`, or the id alone that equals `prefix`.

        An empty prefix fits no id: it comes from an empty argument and not from a choice.
        """
        ids = [run_id for run_id in self.ids() if prefix and run_id.startswith(prefix)]
        return [prefix] if prefix in ids else ids

    def all(self) -> Iterator[StoredRun]:
        """Yield every run whose journal can be read, newest first, and log the others."""
        for run_id in self.ids():
            path = self.path(run_id)
            try:
                with Journal.open(path) as journal:
                    run = StoredRun(path, journal.info, journal.end)
            except BatchlockError as error:
                _log.warning("%s Its run cannot be resumed.", error)
                continue
            yield run

    def unfinished(
        self, identity: str | None = None, *, runs: Iterable[StoredRun] | None = None
    ) -> Path | None:
        """Return the newest run that can be resumed; with `identity`, only a run of that identity.

        A run cannot be resumed when it is closed, when a retry took its rows over, or when a
        newer run has the same identity. `runs` are all runs, if they are known already.
        """
        superseded: set[str | None] = set()  # run ids and identities
        for run in self.all() if runs is None else runs:
            is_requested = identity is None or run.info.identity == identity
            is_superseded = run.info.run_id in superseded or run.info.identity in superseded
            if is_requested and not is_superseded and not run.closed:
                return run.path
            superseded |= {run.info.retry_of, run.info.identity}
        return None

    def lineage(self, run_id: str) -> list[Path]:
        """Return the journals that hold the remaining rows of a run, newest first.

        The first is the newest retry of the run, or the run itself. If that retry left out the
        refused rows, the run before it follows, because these rows still belong to that run;
        and so on.
        """
        info_by_id = {run.info.run_id: run.info for run in self.all()}
        for info in reversed(info_by_id.values()):  # oldest first, to follow a chain of retries
            if info.retry_of == run_id:
                run_id = info.run_id
        ids = [run_id]
        while (newest := info_by_id.get(ids[-1])) and newest.retry_of and newest.excludes_refused:
            ids.append(newest.retry_of)
        return [self.path(each) for each in ids]

    def listings(self) -> Iterator[RunListing]:
        """Yield one line for each run that can be read, newest first."""
        for run in self.all():
            info, end = run.info, run.end
            with Journal.open(run.path) as journal:
                rows, settled = sum(journal.counts().values()), journal.settled()
            yield RunListing(
                run_id=info.run_id,
                kind=info.kind,
                state="finished" if run.closed else "unfinished",
                exit_code=end.exit_code if end else None,
                rows=rows,
                settled=settled,
                org=info.org,
                environment=info.environment,
                file=info.file,
                started_at=info.started_at,
                output=end.output if end else None,
            )


def open_histories(state: Path, orgs: Iterable[str]) -> list[History]:
    """Return the histories of some orgs, in the order of `orgs`.

    Raises UsageError when the state folder cannot be made: no run can be listed then, which is not
    the same as an empty list.
    """
    make_state_folder(state)
    return [History(state, org) for org in orgs]


def find_run(histories: Sequence[History], run_id: str, *, org: str) -> tuple[History, Path]:
    """Return the one run whose id begins with `run_id`, and its history.

    Raises UsageError, which names `org`, when there is none, or several.
    """
    matches = [
        (history, match) for history in histories for match in history.ids_starting_with(run_id)
    ]
    if len(matches) == 1:
        history, match = matches[0]
        return history, history.path(match)
    if matches:
        # Five ids show what the prefix matches; the list of all can be as long as the history.
        ids = ", ".join(match for _, match in matches[:5])
        raise UsageError(f"Several runs begin with {run_id}: {ids}. Name one in full.")
    raise UsageError(
        f'No run of the org {org} has an id that begins with "{run_id}". `batchlock runs` lists '
        "the ids; the beginning of one is enough."
    )


def not_resumable_because(history: History, path: Path) -> str:
    """Return why a run cannot be resumed, in a sentence; empty when it can be."""
    newest = history.lineage(path.stem)[0]
    if newest != path:
        return f"The remaining rows were moved to run {newest.stem}."
    with Journal.open(path) as journal:
        end = journal.end
    return (end.ended_by or "It has ended.") if end and end.closed else ""


def close_if_unfinished(journal: Journal, reason: str) -> None:
    """Close a run that has remaining rows, so that only the run that took them over sends them."""
    if journal.remaining():
        close(journal, reason)


def close_retried_run(path: Path, info: RunInfo) -> None:
    """Close the run whose rows the retry at `path` took over; no-op for any other run.

    A retry closes it when it begins, but a kill can come in between.
    """
    if info.retry_of is not None:
        with suppress(BatchlockError), Journal.open(path.with_stem(info.retry_of)) as other:
            close_if_unfinished(other, f"What was left went on as run {info.run_id}.")


def close(journal: Journal, reason: str) -> None:
    """Mark a run as not resumable; `reason` is a sentence."""
    end = journal.end
    journal.set_end(
        SessionEnd(
            exit_code=end.exit_code if end else 0,
            ended_by=reason,
            finished_at=datetime.now(UTC),
            output=end.output if end else None,
            closed=True,
        )
    )
