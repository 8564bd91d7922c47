"""The runs of an org, as the state folder holds them: one journal each.

<state>/runs/<org>/<run id>.journal
"""

import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from batchlock.core.errors import BatchlockError, UsageError
from batchlock.store.journal import Journal, RunInfo, SessionEnd

_SUFFIX = ".journal"
_LEFT_BEHIND = 3600.0
"""Seconds after which a draft is nobody's."""

_log = logging.getLogger(__name__)


def new_run_id(now: datetime) -> str:
    """Return an id that sorts by time and can be typed: `20260314-020304-1f3a`.

    Its end is the 256th of the second, and something by chance.
    """
    part = now.microsecond * 256 // 1_000_000
    return f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{part:02x}{secrets.token_hex(1)}"


def make_state_folder(folder: Path) -> None:
    """Make a folder for this user only; raises UsageError where it cannot be made."""
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
        """Return where the journal of a run is, or would be."""
        return self.folder / f"{run_id}{_SUFFIX}"

    def make_folder(self) -> None:
        """Make the folder, for this user only; raises UsageError where it cannot be made."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"The state folder {self.folder} cannot be made: {error.strerror}. "
                "Set state_directory to a folder that can be written."
            ) from None

    def clear_drafts(self) -> None:
        """Clear away what killed plans have left, which is what nobody has written to for long."""
        for left in self.folder.glob("*.partial"):
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > _LEFT_BEHIND:
                    left.unlink()

    def ids(self) -> list[str]:
        """Return the ids of all runs, newest first."""
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

    def matching(self, run_id: str) -> list[str]:
        """Return the ids that begin with `run_id`; the very id alone if it is one."""
        found = [one for one in self.ids() if run_id and one.startswith(run_id)]
        return [run_id] if run_id in found else found

    def unfinished(self, identity: str | None = None) -> Path | None:
        """Return the newest run that can be resumed, or the newest such run of one thing.

        A run whose rows went on in a retry cannot, nor one older than another of the same thing.
        """
        over: set[str | None] = set()
        for path, about, end in self.all():
            is_meant = identity is None or about.identity == identity
            is_over = about.run_id in over or about.identity in over or (end and end.closed)
            if is_meant and not is_over:
                return path
            over |= {about.retry_of, about.identity}
        return None

    def lineage(self, run_id: str) -> list[Path]:
        """Return the runs that have what is left of a run, newest first.

        The first is its newest retry, or the run itself. Others follow where that one left the
        refused rows out: they are the rows of those runs still.
        """
        runs = {about.run_id: about for _, about, _ in self.all()}
        for about in reversed(runs.values()):
            if about.retry_of == run_id:
                run_id = about.run_id
        found = [run_id]
        while (newer := runs.get(found[-1])) and newer.retry_of and newer.but_refused:
            found.append(newer.retry_of)
        return [self.path(one) for one in found]

    def finished(self, identity: str) -> SessionEnd | None:
        """Return how the same thing ended when it was finished last; None if it never was."""
        for _, about, end in self.all():
            if about.identity == identity and end and end.closed:
                return end
        return None

    def all(self) -> Iterator[tuple[Path, RunInfo, SessionEnd | None]]:
        """Yield every run that can be read, newest first: journal, what it is, how it ended."""
        for run_id in self.ids():
            path = self.path(run_id)
            try:
                with Journal.open(path) as journal:
                    told = path, journal.info, journal.end
            except BatchlockError as error:
                _log.warning("%s Its run cannot be resumed.", error)
                continue
            yield told


def not_resumable_because(history: History, path: Path) -> str:
    """Return why a run is not resumed, in a sentence; empty when it can be."""
    newest = history.lineage(path.stem)[0]
    if newest != path:
        return f"What was left went on as run {newest.stem}."
    with Journal.open(path) as journal:
        end = journal.end
    return (end.ended_by or "It has come to its end.") if end and end.closed else ""


def is_closed(journal: Journal) -> bool:
    """Tell whether there is nothing to resume."""
    end = journal.end
    return end is not None and end.closed


def supersede(history: History, about: RunInfo) -> None:
    """Close the older runs of the same thing, so that none sends its rows over newer ones."""
    for path, other, end in history.all():
        is_older = other.identity == about.identity and other.run_id != about.run_id
        if is_older and not (end and end.closed):
            with Journal.open(path) as journal:
                close_if_unfinished(journal, f"The file began anew as run {about.run_id}.")


def close_if_unfinished(journal: Journal, how: str) -> None:
    """Close a run whose rows have gone to another one, so that none is sent by both."""
    if journal.remaining():
        close(journal, how)


def close(journal: Journal, why: str) -> None:
    """Keep a run from ever going on."""
    end = journal.end
    journal.set_end(
        SessionEnd(
            exit_code=end.exit_code if end else 0,
            ended_by=why,
            finished_at=datetime.now(UTC),
            output=end.output if end else None,
            closed=True,
        )
    )
