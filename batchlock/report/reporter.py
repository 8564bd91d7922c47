"""Report a run: its summary and its results file."""

from dataclasses import dataclass, replace

from batchlock.config import Settings
from batchlock.core.errors import BatchlockError
from batchlock.core.observer import RunObserver
from batchlock.core.options import RunOptions
from batchlock.core.records import FIND_KIND
from batchlock.core.reply import sentences
from batchlock.core.results import RunResult, Summary
from batchlock.core.runs import RunInfo
from batchlock.core.stop import StopReason
from batchlock.report import summaries
from batchlock.report.destination import fallback_folder, requested_output, target_path
from batchlock.report.locks import summary_of_locks, write_locks
from batchlock.report.publish import Place, writable_place
from batchlock.report.results import write_results
from batchlock.store.journal import Journal


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
        if output is None and self.options.pins_results and info.output is None:
            output = str(target_path(info, self.settings))
        return info if output is None else replace(info, output=output)

    def check_writable(self, info: RunInfo, observer: RunObserver) -> None:
        """Tell the observer when the results cannot be written at their place.

        Raises UsageError when they would replace the input or a file of somebody else, and
        BatchlockError when they cannot be written anywhere.
        """
        target = target_path(info, self.settings)
        overwrite = self.options.overwrite
        place = writable_place(target, fallback_folder(self.settings), overwrite=overwrite)
        if place.why:
            observer.on_message(f"{place.path} will have the results, because {place.why}.")

    def summary(self, journal: Journal, info: RunInfo, stop_reason: StopReason) -> Summary:
        """Return the summary of a run so far."""
        command = self.options.command("resume", info.run_id)
        summary = summaries.summary_of(journal, info, stop_reason, command)
        return summary_of_locks(journal, summary) if info.kind == FIND_KIND else summary

    def write(self, journal: Journal, info: RunInfo, stop_reason: StopReason) -> RunResult:
        """Write the results. Raises BatchlockError when they cannot be written anywhere."""
        summary = self.summary(journal, info, stop_reason)
        target, fallback = target_path(info, self.settings), fallback_folder(self.settings)
        if info.kind == FIND_KIND:
            overwrite = self.options.overwrite
            place = write_locks(
                target, fallback, journal, summary, overwrite=overwrite, options=self.options
            )
            return RunResult(summary=_with_place(summary, place), output=place.path)
        reason = summaries.closed_because(stop_reason)
        place = write_results(
            target,
            fallback,
            info.titles,
            lambda: journal.result_rows(closed_because=reason),
            summary,
            overwrite=self.options.overwrite,
            options=self.options,
        )
        return RunResult(summary=_with_place(summary, place), output=place.path)

    def finish(self, journal: Journal, info: RunInfo, stop_reason: StopReason) -> RunResult:
        """Write the results at the end of a session.

        The result is true also when they cannot be written; then it says so, and its exit code is
        that of the error.
        """
        try:
            return self.write(journal, info, stop_reason)
        except BatchlockError as error:
            summary = self.summary(journal, info, stop_reason)
            return RunResult(summary=with_error(summary, error), output=None)


def _with_place(summary: Summary, place: Place) -> Summary:
    if not place.why:
        return summary
    return replace(summary, elsewhere=f"The results are in {place.path}, because {place.why}.")


def with_error(summary: Summary, error: BatchlockError) -> Summary:
    """Return a summary that also says what could not be recorded, with the exit code of that."""
    return replace(
        summary,
        ended_by=sentences(summary.ended_by, str(error)),
        ended_code=summary.ended_code or error.exit_code,
    )
