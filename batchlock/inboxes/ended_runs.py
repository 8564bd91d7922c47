"""The runs of a folder's files: those to resume, and the files to move when they have ended."""

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from batchlock.core.errors import BatchlockError, Stopped, UsageError
from batchlock.core.night import FileOutcome, FileStatus
from batchlock.core.reply import sentences
from batchlock.core.results import Result, RunResult, Summary
from batchlock.core.runs import Run, RunState
from batchlock.core.stop import StopCode
from batchlock.engine import Engine
from batchlock.inboxes.filing import has_ended, is_done, move_run, name_with
from batchlock.inboxes.listing import ATTENTION, DONE

_log = logging.getLogger(__name__)

# Each attempt of a run that the set-up of the org does not allow costs twenty calls, and an inbox
# may be called every five minutes.
_REFUSED_FOR = timedelta(hours=1)
# More causes are in the results.
_LISTED_CAUSES = 20


@dataclass(frozen=True, slots=True)
class EndedRuns:
    """The runs of the files of one folder, for the org of an engine."""

    engine: Engine
    folder: Path

    def unfinished(self) -> list[Run]:
        """Return the runs to resume, oldest first; those without a usable journal cannot be."""
        runs, _ = self._unfinished()
        return runs

    def unusable(self) -> list[FileOutcome]:
        """Return the files in attention/ that wait for a run whose journal cannot be used."""
        _, errors = self._unfinished()
        outcomes = []
        for run, error in errors:
            file = self.folder / ATTENTION / name_with(Path(run.info.file), run.run_id)
            if file.exists():
                why = (
                    f"{error} So run {run.run_id} cannot be resumed. Put {file.name} into the "
                    f"folder again: all of its rows are sent then."
                )
                code = UsageError.exit_code
                outcomes.append(
                    FileOutcome(
                        name=run.info.file_name,
                        status=FileStatus.LEFT,
                        exit_code=code,
                        why=why,
                        file=file,
                        is_blocked=True,
                    )
                )
        return outcomes

    def _unfinished(self) -> tuple[list[Run], list[tuple[Run, BatchlockError]]]:
        """Return the runs to resume, and those that cannot be, with the error of each."""
        runs, errors = [], []
        now = datetime.now(UTC)
        for run in self.engine.store.inbox_runs.unfinished(self._org, self.folder / DONE):
            is_recent = run.finished_at is not None and now - run.finished_at < _REFUSED_FOR
            if is_recent and is_refused_as_a_whole(run):
                continue
            try:
                with self.engine.store.open_journal(run) as journal:
                    journal.remaining()  # an empty file can be opened
                runs.append(run)
            except Stopped:  # the disk is full
                raise
            except BatchlockError as error:
                errors.append((run, error))
        return runs, errors

    def file_all(self) -> list[FileOutcome]:
        """Move the files of runs that ended, and whose process was killed before it moved them."""
        resumed = {run.run_id for run in self.unfinished()}
        outcomes = []
        for run in self.engine.store.inbox_runs.unfiled(self._org, self.folder / DONE):
            if run.run_id in resumed:
                continue  # it is moved at its end
            try:
                summary, *_ = self.engine.show(run.run_id)
            except BatchlockError as error:
                _log.warning("%s The file of run %s is not moved.", error, run.run_id)
                continue
            results = None if run.results is None else Path(run.results)
            result = RunResult(summary=summary, output=results)
            outcomes.append(self.file(run, result, Path(run.info.file)))
        return outcomes

    def file(self, run: Run, result: RunResult, file: Path) -> FileOutcome:
        """Move the file of a run that has ended, with its results and a text that says why."""
        summary, code = result.summary, result.exit_code
        is_resumed = _is_resumed_next(run)
        why = _why(run, summary, self.engine, is_resumed=is_resumed)
        if not has_ended(run):
            # Its end could not be recorded, since the disk is full: the next night finds it.
            return _outcome(file, FileStatus.LEFT, code, why, result, is_blocked=True)
        try:
            filed = move_run(run, file=file, why=_note_text(why, summary, result.output))
        except OSError as error:
            why = sentences(
                why,
                f"{file.name} cannot be moved: {error.strerror}. The next inbox "
                "tries again; nothing of it is sent twice.",
            )
            code = code or Stopped.exit_code
            return _outcome(file, FileStatus.LEFT, code, why, result, is_blocked=True)
        with suppress(BatchlockError):  # a full disk: the next night moves nothing, and records it
            results = None if filed.results is None else str(filed.results)
            self.engine.store.schedules.set_filed(run, results)
        if filed.file is None:
            why = sentences(why, f"{file.name} was changed or removed while it was sent.")
        status = FileStatus.DONE if is_done(run) else FileStatus.ATTENTION
        moved = RunResult(summary=summary, output=filed.results or result.output)
        return _outcome(
            file,
            status,
            code,
            why,
            moved,
            now=filed.file,
            is_resumed_next=is_resumed,
            is_refused=is_stopped_with_refusals(run),
        )

    @property
    def _org(self) -> str:
        return self.engine.orgs[0]


def is_refused_as_a_whole(run: Run) -> bool:
    """Return whether a stop rule has ended a run because Zoho refused all of its first rows."""
    return is_stopped_with_refusals(run) and not run.figures.settled


def is_stopped_with_refusals(run: Run) -> bool:
    """Return whether a stop rule has ended a run of which Zoho has refused rows."""
    is_stopped = run.reason is not None and run.reason.code is StopCode.RULE
    return is_stopped and run.figures.counts.get(Result.REJECTED, 0) > 0


def _outcome(
    file: Path,
    status: FileStatus,
    code: int,
    why: str,
    result: RunResult,
    *,
    now: Path | None = None,
    is_resumed_next: bool = False,
    is_refused: bool = False,
    is_blocked: bool = False,
) -> FileOutcome:
    return FileOutcome(
        name=file.name,
        status=status,
        exit_code=code,
        why=why,
        file=file if status is FileStatus.LEFT else now,
        results=result.output,
        summary=result.summary,
        is_resumed_next=is_resumed_next,
        is_refused=is_refused,
        is_blocked=is_blocked,
    )


def _is_resumed_next(run: Run) -> bool:
    """Return whether the next night resumes a run: it has rows left, and no person has ended it."""
    is_paused = run.state is RunState.PAUSED
    return not run.is_closed and not is_paused and not run.was_ended_by_person


def _why(run: Run, summary: Summary, engine: Engine, *, is_resumed: bool) -> str:
    """Return how a run has ended, and what follows, in sentences."""
    if is_done(run):
        return summary.sentence
    if is_resumed:
        return sentences(summary.sentence, "The next inbox goes on with it by itself.")
    command = "resume" if summary.resume is not None else "retry"
    if run.state is RunState.REFUSED or summary.settled == summary.rows:
        return summary.sentence
    typed = engine.options.command(command, run.run_id)
    return sentences(
        summary.sentence,
        f"`{typed}` sends the rows that were not done, or correct them in the results and put "
        "those into the folder.",
    )


def _note_text(why: str, summary: Summary, results: Path | None) -> str:
    """Return the text beside a file that needs attention: why, the causes, and the results."""
    lines = [why, f"Run {summary.run_id}."]
    for cause in summary.causes[:_LISTED_CAUSES]:
        lines += ["", f"{cause.heading}: {cause.message}", f"  {cause.row_numbers}"]
        if cause.remedy:
            lines.append(f"  {cause.remedy}")
    if len(summary.causes) > _LISTED_CAUSES:
        lines.append(f"and {len(summary.causes) - _LISTED_CAUSES} more causes")
    if results is not None:
        lines += ["", f"Results: {results.name}"]
    return "\n".join(lines)
