"""Report a run: its summary, its results file, and how its session ended."""

from dataclasses import dataclass, replace

from batchlock.config import Settings
from batchlock.core.errors import BatchlockError
from batchlock.core.options import RunOptions
from batchlock.core.reply import sentences
from batchlock.core.results import RunResult, StopReason, Summary
from batchlock.report import summaries
from batchlock.report.destination import fallback_folder, requested_output, target_path
from batchlock.report.publish import Place, writable_place
from batchlock.report.results import write_results
from batchlock.store.history import close
from batchlock.store.journal import Journal, RunInfo, SessionEnd


@dataclass(frozen=True, slots=True)
class Reporter:
    """Reports the runs of one command."""

    settings: Settings
    options: RunOptions

    def with_output(self, info: RunInfo) -> RunInfo:
        """Return the info with the output that this command asks for, if it does.

        Raises UsageError when no results can have that name.
        """
        output = requested_output(self.options.output)
        return info if output is None else replace(info, output=output)

    def elsewhere(self, info: RunInfo) -> str | None:
        """Return in a sentence where the results go when they cannot go to their target.

        Raises UsageError when they would replace the input or a file of somebody else, and
        BatchlockError when they cannot be written anywhere.
        """
        target = target_path(info, self.settings)
        overwrite = self.options.overwrite
        place = writable_place(target, fallback_folder(self.settings), overwrite=overwrite)
        return f"{place.path} will have the results, because {place.why}." if place.why else None

    def summary(self, journal: Journal, info: RunInfo, stop_reason: StopReason) -> Summary:
        """Return the summary of a run so far."""
        command = summaries.resume_command(info.run_id, self.options.config)
        return summaries.summary_of(journal, info, stop_reason, command)

    def write(self, journal: Journal, info: RunInfo, summary: Summary) -> RunResult:
        """Write the results. Raises BatchlockError when they cannot be written anywhere."""
        place = write_results(
            target_path(info, self.settings),
            fallback_folder(self.settings),
            info.titles,
            journal.result_rows,
            summary,
            overwrite=self.options.overwrite,
        )
        return RunResult(summary=_with_place(summary, place), output=place.path)

    def finish(self, journal: Journal, stop_reason: StopReason) -> RunResult:
        """Write the results, and how the session ended into the journal.

        The result is true also when one of the two cannot be written; then it says so, and its
        exit code is that of the error.
        """
        if stop_reason.is_final:
            # First, because the result rows quote the sentence of a closed run.
            close(journal, stop_reason.sentence)
        info = journal.info
        summary = self.summary(journal, info, stop_reason)
        try:
            result = self.write(journal, info, summary)
        except BatchlockError as error:
            result = RunResult(summary=_with_error(summary, error), output=None)
        end = SessionEnd(
            exit_code=result.summary.exit_code,
            ended_by=stop_reason.sentence,
            finished_at=summary.finished_at,
            output=None if result.output is None else str(result.output),
            closed=stop_reason.is_final or not journal.remaining(),
        )
        try:
            journal.set_end(end)
        except BatchlockError as error:
            return replace(result, summary=_with_error(result.summary, error))
        return result


def _with_place(summary: Summary, place: Place) -> Summary:
    if not place.why:
        return summary
    return replace(summary, elsewhere=f"The results are in {place.path}, because {place.why}.")


def _with_error(summary: Summary, error: BatchlockError) -> Summary:
    return replace(
        summary,
        ended_by=sentences(summary.ended_by, str(error)),
        ended_code=summary.ended_code or error.exit_code,
    )
