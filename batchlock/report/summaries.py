"""What became of a run, drawn from its journal."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from batchlock.core.results import Cause, Result, Summary
from batchlock.report import results
from batchlock.store.journal import Journal, RunInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReason:
    """How the sending ended."""

    by: str = ""
    code: int = 0
    for_good: bool = False
    """Whether there is nothing to resume although rows are left."""


COMPLETED = StopReason()


def summary_of(journal: Journal, about: RunInfo, how: StopReason, command: str) -> Summary:
    """Return what became of a run; `command` goes on with it, if anything is left."""
    counts = journal.counts()
    totals = journal.totals
    return Summary(
        run_id=about.run_id,
        file=about.file,
        sheet=about.sheet,
        sha256=about.sha256,
        version=about.version,
        settings=about.settings,
        rows=sum(counts.values()),
        settled=journal.settled(),
        counts=counts,
        causes=causes_of(journal),
        started_at=about.started_at,
        finished_at=datetime.now(UTC),
        seconds=totals.seconds,
        requests=totals.requests,
        credits_used=totals.credits_used,
        in_flight_peak=totals.in_flight_peak,
        ended_by=how.by,
        ended_code=how.code,
        resume=None if how.for_good or not journal.remaining() else command,
    )


def causes_of(journal: Journal, *, but: Collection[Result] = ()) -> tuple[Cause, ...]:
    """Return why rows were not updated, `but` for some results, with each cause's rows in words."""
    return tuple(
        Cause(
            result=group.result,
            code=group.code,
            message=group.message,
            remedy=group.remedy,
            rows=group.count,
            ranges=results.ranges(group.rows),
        )
        for group in journal.groups()
        if group.result not in but
    )


def how_it_ended(journal: Journal) -> StopReason:
    """Return how the last session of a run ended, as far as it has come."""
    end = journal.end
    if end is None:
        return (
            StopReason(by="It has not come to its end yet.") if journal.remaining() else COMPLETED
        )
    early = bool(end.ended_by)
    return StopReason(
        by=end.ended_by,
        code=end.exit_code if early and not end.closed else 0,
        for_good=early and end.closed,
    )


def refusal_of(journal: Journal) -> StopReason | None:
    """Return why a strict run sends nothing; None when no row has a problem."""
    counts = journal.counts()
    if not (invalid := counts[Result.INVALID]):
        return None
    rows = "1 row has" if invalid == 1 else f"{invalid:,} rows have"
    has_sent = bool(journal.totals.requests or counts[Result.UNKNOWN])
    nothing = "Nothing more" if has_sent else "Nothing"
    by = f"{nothing} was sent, because {rows} problems."
    if has_sent:
        return StopReason(by=by)
    return StopReason(by=f"{by} Correct the file, then run it again.", for_good=True)
