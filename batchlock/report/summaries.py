"""The summary of a run, computed from its journal."""

import shlex
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from batchlock.core.reading import row_ranges
from batchlock.core.results import COMPLETED, Cause, CheckResult, Result, StopReason, Summary
from batchlock.store.journal import Journal, RunInfo


def summary_of(
    journal: Journal, info: RunInfo, stop_reason: StopReason, resume_command: str
) -> Summary:
    """Return the summary of a run; `resume_command` is part of it while rows are left to send."""
    counts = journal.counts()
    totals = journal.totals
    return Summary(
        run_id=info.run_id,
        file=info.file,
        sheet=info.sheet,
        sha256=info.sha256,
        version=info.version,
        settings=info.settings,
        rows=sum(counts.values()),
        settled=journal.settled(),
        counts=counts,
        causes=causes_of(journal),
        started_at=info.started_at,
        finished_at=datetime.now(UTC),
        seconds=totals.seconds,
        requests=totals.requests,
        credits_used=totals.credits_used,
        in_flight_peak=totals.in_flight_peak,
        ended_by=stop_reason.sentence,
        ended_code=stop_reason.exit_code,
        resume=None if stop_reason.is_final or not journal.remaining() else resume_command,
    )


def check_result_of(journal: Journal) -> CheckResult:
    """Return what a check found, from the journal of its plan."""
    info = journal.info
    return CheckResult(
        file=info.file,
        sheet=info.sheet,
        encoding=info.encoding,
        delimiter=info.delimiter,
        counts=journal.counts(),
        problems=list(journal.problems()),
    )


def causes_of(journal: Journal, *, exclude: Collection[Result] = ()) -> tuple[Cause, ...]:
    """Return why rows were not updated, without the results in `exclude`."""
    return tuple(
        Cause(
            result=group.result,
            code=group.code,
            message=group.message,
            remedy=group.remedy,
            rows=group.count,
            ranges=row_ranges(group.rows),
        )
        for group in journal.groups()
        if group.result not in exclude
    )


def stop_reason_of(journal: Journal) -> StopReason:
    """Return why the last session of a run ended; a run without one may be running now."""
    end = journal.end
    if end is None:
        if journal.remaining():
            return StopReason(sentence="It has not ended yet.")
        return COMPLETED
    ended_early = bool(end.ended_by)
    return StopReason(
        sentence=end.ended_by,
        # A closed run is reported by its rows: the refusal of a strict run ends with 3.
        exit_code=end.exit_code if ended_early and not end.closed else 0,
        is_final=ended_early and end.closed,
    )


def refusal_of(journal: Journal) -> StopReason | None:
    """Return why a strict run sends nothing; None when no row has a problem."""
    counts = journal.counts()
    invalid = counts[Result.INVALID]
    if not invalid:
        return None
    rows = "1 row has" if invalid == 1 else f"{invalid:,} rows have"
    # A run that was started without --strict can be resumed with it.
    has_sent = bool(journal.totals.requests or counts[Result.UNKNOWN])
    nothing = "Nothing more" if has_sent else "Nothing"
    sentence = f"{nothing} was sent, because {rows} problems."
    if has_sent:
        return StopReason(sentence=sentence)
    return StopReason(sentence=f"{sentence} Correct the file, then run it again.", is_final=True)


def resume_command(run_id: str, config: Path | None) -> str:
    """Return the command that resumes a run, quoted for a shell."""
    options = [] if config is None else ["--config", str(config)]
    return shlex.join(["batchlock", "resume", *options, run_id])
