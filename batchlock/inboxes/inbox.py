"""Take the files of a folder: what `batchlock inbox` does in one night.

lock of the folder ─▶ runs of an earlier night ─▶ each file: guards ─▶ run ─▶ done/ or attention/

A file stays in the folder until its run has ended. So nothing has to be undone after a kill: the
next night resumes the run, moves the file if only that is left, or takes it anew. The lock, and the
lock of the org, keep a second inbox from the same file.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from batchlock.core.cancel import until_cancelled
from batchlock.core.errors import (
    AlreadyRunning,
    BatchlockError,
    GuardRefusal,
    SignInRefused,
    Stopped,
    UnreadableFile,
    UsageError,
    WrongOrg,
)
from batchlock.core.night import FileOutcome, FileStatus, NightDigest
from batchlock.core.results import RunResult
from batchlock.core.runs import Run
from batchlock.core.stop import TIME_IS_OVER, Cancelled, StopCode
from batchlock.engine import Engine
from batchlock.inboxes.ended_runs import EndedRuns, is_refused_as_a_whole
from batchlock.inboxes.filing import put_aside
from batchlock.inboxes.folder_lock import folder_lock
from batchlock.inboxes.guards import Guards
from batchlock.inboxes.listing import (
    ATTENTION,
    MAX_POLLS,
    POLL_SECONDS,
    FileSource,
    FolderPoller,
    Listing,
    Version,
    make_folders,
    version_of,
)
from batchlock.inboxes.progress import Night, NightObserver, left, unexpected
from batchlock.zoho.connect import address

_log = logging.getLogger(__name__)

# After these errors no other file of the night would do better.
_FATAL_ERRORS = (AlreadyRunning, Cancelled, SignInRefused, Stopped, UsageError)
# So many files in a row that a rule has stopped: an outage or used-up credits, and no fault of one
# file. Runs of an earlier night do not count: one that cannot succeed must not keep others waiting.
_MOST_STOPPED_IN_A_ROW = 2

Wait = Callable[[float], Awaitable[object]]


class Inbox:
    """Takes the files of one folder for the org of an engine."""

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        *,
        again: bool = False,
        may_unlock: bool = False,
        observer: NightObserver | None = None,
        wait: Wait = asyncio.sleep,
    ) -> None:
        """Take files of `folder` with the settings and options of `engine`, whose plans it reviews.

        The engine must write results to `folder/done`, and pin them there. `again`: send a file
        whose content was finished before. `wait` passes the time until files are complete.

        Raises UsageError when the settings are incomplete, or files cannot be moved.
        """
        self.folder = folder.absolute()
        self._engine = engine
        self._org = engine.orgs[0]
        self._observer = observer or NightObserver()
        self._wait = wait
        self._source = FileSource(self.folder)
        if folder.resolve() == engine.settings.state.resolve():
            raise UsageError(
                f"{folder} is the state folder, whose own files are not to be taken. Name another "
                "folder, or set state_directory."
            )
        FolderPoller(self._source).poll()  # a missing folder has a sentence of its own
        engine.check_sign_in()
        self._ahead_seconds = make_folders(self.folder)
        self._guards = Guards(
            settings=engine.settings.inbox, store=engine.store, again=again, may_unlock=may_unlock
        )
        self._ended_runs = EndedRuns(engine, self.folder)
        engine.review = self._guards.check_plan

    def poller(self) -> FolderPoller:
        """Return a poller of the folder, by the clock of its file server."""
        return FolderPoller(self._source, now=self._now)

    async def take(self, batch: Listing | None = None) -> NightDigest:
        """Take every file that is complete, or only those of `batch`; return what became of them.

        While another inbox is at work on the folder, nothing is taken. What goes wrong with one
        file, or ends the night, is in the digest.
        """
        night = Night(started_at=datetime.now(UTC))
        has_begun = False
        try:
            with folder_lock(self.folder, self._engine.store.state):
                if batch is None or batch.complete:
                    has_begun = True
                    self._observer.on_start(self._digest(night))
                await self._finish_earlier_night(night)
                if batch is None:
                    await self._take_all(night)
                else:
                    await self._take_batch(night, batch)
        except AlreadyRunning as error:  # the other inbox tells how it ends
            if await self._has_files(batch):
                night.end(str(error), error.exit_code)
        except BatchlockError as error:  # the folder or the store cannot be used any more
            night.end(str(error), error.exit_code)
            has_begun = True
        digest = self._digest(night)
        if has_begun or night.files:
            self._observer.on_end(digest)
        return digest

    @property
    def is_over(self) -> bool:
        """Whether a signal, or the time of the settings, ends the work."""
        deadline = self._engine.deadline_monotonic
        is_late = deadline is not None and time.monotonic() >= deadline
        return is_late or self._engine.cancel_token.reason is not None

    async def _has_files(self, batch: Listing | None) -> bool:
        listing = batch
        if listing is None:
            listing = await asyncio.to_thread(self.poller().poll)
        return bool(listing.complete or listing.growing)

    async def _finish_earlier_night(self, night: Night) -> None:
        """Move the files of runs that have ended, and resume the others."""
        for outcome in await asyncio.to_thread(self._ended_runs.file_all):
            if outcome.status is FileStatus.LEFT and outcome.file is not None:
                # It cannot be moved, and is not to be sent once more because of that.
                night.handled[outcome.file] = version_of(outcome.file)
            self._add(night, outcome)
        for outcome in await asyncio.to_thread(self._ended_runs.unusable):
            self._add(night, outcome)
        for run in await asyncio.to_thread(self._ended_runs.unfinished):
            if self._ends_here(night):
                return
            self._say(f"Run {run.run_id} of {run.info.file_name} was not finished.")
            file, name = Path(run.info.file), run.info.file_name
            try:
                result = await self._engine.resume(run.run_id)
            except _FATAL_ERRORS as error:
                is_of_run = type(error) is UsageError  # such as other settings than at its start
                self._add(night, left(file, error.exit_code, str(error)))
                if not is_of_run:
                    night.end(str(error), error.exit_code)
                    return
                continue
            except BatchlockError as error:
                self._add(night, left(file, error.exit_code, str(error)))
                continue
            except Exception as error:
                _log.exception("Run %s cannot be resumed.", run.run_id)
                self._add(night, left(file, 1, unexpected(name, error)))
                continue
            if result is not None:
                await self._file(night, result, None)

    async def _take_all(self, night: Night) -> None:
        """Take files until none is there that is complete; the others may become so meanwhile."""
        poller, waits = self.poller(), 0
        while True:
            listing = await asyncio.to_thread(poller.poll)
            files = tuple(file for file in listing.complete if not night.is_handled(file))
            await self._take_batch(night, Listing(files))
            if night.ended_by:
                return
            if files:
                waits = 0
                continue
            if not listing.growing or waits == MAX_POLLS:
                for file in listing.growing:
                    why = f"{file.name} is still being written, and is taken the next time."
                    self._add(night, left(file, 0, why))
                return
            waits += 1
            try:
                await until_cancelled(_awaited(self._wait(POLL_SECONDS)), self._engine.cancel_token)
            except Cancelled as error:
                night.end(str(error), error.exit_code)

    async def _take_batch(self, night: Night, listing: Listing) -> None:
        for file in listing.complete:
            if night.is_handled(file):
                continue  # a file of an earlier night that cannot be moved
            if self._ends_here(night):
                why = f"{file.name} was not begun. {night.ended_by}"
                self._add(night, left(file, 0, why))
            else:
                await self._take(night, file)

    def _ends_here(self, night: Night) -> bool:
        """Return whether no further file is taken, and note why."""
        reason = self._engine.cancel_token.reason
        if reason is not None:
            night.end(reason.sentence, reason.exit_code)
        elif self.is_over:
            night.end(TIME_IS_OVER.sentence, TIME_IS_OVER.exit_code)
        return bool(night.ended_by)

    async def _take(self, night: Night, file: Path) -> None:
        """Send one file, or put it aside."""
        version = version_of(file)
        if version is None:
            return  # another inbox, or a person, has moved it since the poll
        self._say(f"Taking {file.name}.")
        try:
            self._guards.check_age(file.name, self._now() - version.modified_ns / 1e9)
            await asyncio.to_thread(self._guards.check_runs, self._org, file)
            result = await self._engine.run(file)
        except (GuardRefusal, WrongOrg) as error:
            await self._put_aside(night, file, version, error, error.guard)
            if isinstance(error, WrongOrg):
                night.end(str(error), error.exit_code)
        except BatchlockError as error:
            await self._refused(night, file, version, error)
        except Exception as error:
            _log.exception("%s cannot be sent.", file)
            night.handled[file] = version
            # Its run, if it has one, is resumed or moved the next time.
            self._add(night, left(file, 1, unexpected(file.name, error)))
        else:
            await self._file(night, result, file)

    async def _refused(
        self, night: Night, file: Path, version: Version, error: BatchlockError
    ) -> None:
        """Record that a file led to no run."""
        now = version_of(file)
        if now is None:
            gone = f"{file.name} was removed before it was read."
            self._add(
                night, FileOutcome(name=file.name, status=FileStatus.GONE, exit_code=0, why=gone)
            )
        elif isinstance(error, UnreadableFile) and now != version:
            why = f"{file.name} was changed while it was read, and is taken again."
            self._say(why)  # the next poll takes it
        elif error.is_about_file:
            await self._put_aside(night, file, version, error, "")
        else:
            night.handled[file] = version
            self._add(night, left(file, error.exit_code, str(error)))
            if isinstance(error, _FATAL_ERRORS):
                night.end(str(error), error.exit_code)

    async def _put_aside(
        self, night: Night, file: Path, version: Version, error: BatchlockError, guard: str
    ) -> None:
        """Move a file that is not sent to attention/."""
        moment = datetime.fromtimestamp(version.modified_ns / 1e9, UTC)
        try:
            moved = await asyncio.to_thread(put_aside, file, moment, str(error))
        except OSError as failure:
            night.handled[file] = version
            why = f"{error} It cannot be moved to {ATTENTION}/: {failure.strerror}."
            self._add(night, left(file, error.exit_code, why, guard))
            return
        outcome = FileOutcome(
            name=file.name,
            status=FileStatus.ATTENTION,
            exit_code=error.exit_code,
            why=str(error),
            guard=guard,
            file=moved,
        )
        self._add(night, outcome)

    async def _file(self, night: Night, result: RunResult, file: Path | None) -> None:
        """Move the file of a run that has ended; `file` is None for one of an earlier night."""
        run = self._engine.store.runs.get(result.summary.run_id)
        if run is None:  # somebody has removed it meanwhile
            return
        where = file or Path(run.info.file)
        outcome = await asyncio.to_thread(self._ended_runs.file, run, result, where)
        if outcome.status is FileStatus.LEFT:
            night.handled[where] = version_of(where)
        self._add(night, outcome)
        self._end_after(night, run, result, is_new=file is not None)

    def _end_after(self, night: Night, run: Run, result: RunResult, *, is_new: bool) -> None:
        """End the night when no other file would do better than this one."""
        code, why = result.summary.ended_code, result.summary.ended_by
        is_stopped = code == Stopped.exit_code
        if is_new and not is_refused_as_a_whole(run):
            night.stopped_in_a_row = night.stopped_in_a_row + 1 if is_stopped else 0
        is_deadline = run.reason is not None and run.reason.code is StopCode.DEADLINE
        if (
            code == SignInRefused.exit_code
            or code > 128
            or (is_stopped and is_deadline)
            or night.stopped_in_a_row == _MOST_STOPPED_IN_A_ROW
        ):
            night.end(why, code)

    def _add(self, night: Night, outcome: FileOutcome) -> None:
        night.files.append(outcome)
        self._observer.on_file(outcome)

    def _say(self, sentence: str) -> None:
        self._engine.observer.on_message(sentence)

    def _now(self) -> float:
        return time.time() + self._ahead_seconds

    def _digest(self, night: Night) -> NightDigest:
        environment, _ = address(self._engine.settings.zoho, self._org)
        return NightDigest(
            folder=self.folder,
            org=self._org,
            environment=environment,
            started_at=night.started_at,
            finished_at=datetime.now(UTC),
            files=tuple(night.files),
            ended_by=night.ended_by,
            ended_code=night.ended_code,
        )


async def _awaited(work: Awaitable[object]) -> None:
    await work
