"""The summary of a run, computed from its journal."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from batchlock.core.cell_text import display_text
from batchlock.core.reading import Note, row_ranges
from batchlock.core.results import Cause, CheckResult, Example, Result, Summary
from batchlock.core.runs import Run, RunInfo, RunState
from batchlock.core.stop import COMPLETED, KILLED, StopCode, StopReason
from batchlock.report.preview import preview_of
from batchlock.store.journal import Journal

# Examples of each cause in a check: they show a pattern, and a screen holds several causes.
_EXAMPLES = 3


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
        causes=causes_of(journal, closed_because=closed_because(stop_reason)),
        started_at=info.started_at,
        finished_at=datetime.now(UTC),
        seconds=totals.seconds,
        requests=totals.requests,
        credits_used=totals.credits_used,
        in_flight_peak=totals.in_flight_peak,
        ended_by=stop_reason.sentence,
        ended_code=stop_reason.exit_code,
        preview=preview_of(journal),
        resume=None if stop_reason.is_final or not journal.remaining() else resume_command,
    )


def check_result_of(journal: Journal, output: Path | None = None) -> CheckResult:
    """Return what a check found, from the journal of its plan; `output` is the file it wrote."""
    info = journal.info
    return CheckResult(
        file=info.file,
        sheet=info.sheet,
        encoding=info.encoding,
        delimiter=info.delimiter,
        counts=journal.counts(),
        problems=list(journal.problems()),
        causes=tuple(
            replace(cause, examples=_examples_of(journal, cause.code, info.titles))
            for cause in causes_of(journal)
            if cause.result is Result.INVALID
        ),
        preview=preview_of(journal),
        output=output,
    )


def _examples_of(journal: Journal, code: str, titles: Sequence[str]) -> tuple[Example, ...]:
    position = {title: number for number, title in reversed(list(enumerate(titles)))}
    return tuple(
        Example(
            problem.row,
            problem.column,
            display_text(cells[position[problem.column]]) if problem.column in position else None,
            problem.message,
        )
        for problem, cells in journal.examples(code, _EXAMPLES)
    )


def causes_of(
    journal: Journal, *, exclude: Collection[Result] = (), closed_because: str = ""
) -> tuple[Cause, ...]:
    """Return why rows were not done, without the results in `exclude`.

    `closed_because` says why the run cannot be resumed; it is empty while the run can be.
    """
    return tuple(
        Cause(
            result=group.result,
            code=group.code,
            message=group.message,
            remedy=group.remedy,
            rows=group.count,
            ranges=row_ranges(group.rows),
        )
        for group in journal.groups(closed_because=closed_because)
        if group.result not in exclude
    )


def stop_reason_of(run: Run, *, remaining: int) -> StopReason:
    """Return why the last session of a run ended; a run without a reason may be running now."""
    reason = run.reason
    if run.state is RunState.RUNNING and not run.is_alive:
        return KILLED
    if reason is None:
        return StopReason(sentence="It has not ended yet.") if remaining else COMPLETED
    # A closed run is reported by its rows: the refusal of a strict run ends with 3.
    ended_early = bool(reason.sentence) and not run.is_closed
    return replace(reason, exit_code=run.exit_code or 0 if ended_early else 0)


def left_alone(journal: Journal, *, fresh: bool) -> str | None:
    """Return in a sentence what an earlier run leaves for this one to do; None without one."""
    finished_at, done = journal.finished_before, journal.counts()[Result.UNCHANGED]
    if fresh and finished_at is not None:
        day = f"{finished_at:%Y-%m-%d at %H:%M} UTC"
        return (
            f"The same file was finished before, on {day}; with --fresh every row goes out again."
        )
    if fresh or not done:
        return None
    alone = "1 row that an earlier run did is" if done == 1 else f"{done:,} rows that are done are"
    remaining = journal.remaining()
    goes = "1 row goes" if remaining == 1 else f"{remaining:,} rows go"
    return f"{alone} left alone; {goes} out."


def closed_because(stop_reason: StopReason) -> str:
    """Return why the remaining rows of a run cannot be sent; empty when they can be."""
    return stop_reason.sentence if stop_reason.is_final else ""


def refusal_of(journal: Journal, *, on_page: bool = False) -> StopReason | None:
    """Return why a strict run sends nothing; None when there is no problem and no note.

    `on_page`: for readers of the web page, who have no options of the command line.
    """
    counts = journal.counts()
    causes = _strict_causes(counts[Result.INVALID], journal.reading.notes)
    if not causes:
        return None
    # A run that was started without --strict can be resumed with it.
    has_sent = bool(journal.totals.requests or counts[Result.UNKNOWN])
    nothing = "Nothing more" if has_sent else "Nothing"
    sentence = f"{nothing} was sent, because {causes}."
    if has_sent:
        return StopReason(code=StopCode.SETUP, sentence=sentence)
    notes = journal.reading.notes
    if not on_page:
        advice = _strict_advice(counts[Result.INVALID], notes)
    elif notes:
        advice = (
            "Correct the file, then upload it again; if the notes are as they are meant, ask for "
            "input.strict to be switched off"
        )
    else:
        advice = "Correct the file, then upload it again"
    return StopReason(code=StopCode.STRICT, sentence=f"{sentence} {advice}.")


# How a note ends that is not about the content of the file.
_WAYS_ON = {
    "finished_before": "to send every row again, add --fresh",
    "guessed_encoding": "to confirm the encoding, name it with --encoding",
}


def _strict_advice(invalid: int, notes: Sequence[Note]) -> str:
    """Return what to do after a strict refusal, in one sentence without its full stop."""
    advice = []
    if invalid or any(note.code not in _WAYS_ON for note in notes):
        advice.append("correct the file, then run it again")
    advice += [_WAYS_ON[note.code] for note in notes if note.code in _WAYS_ON]
    if notes:
        advice.append("if the notes are as they are meant, run it without --strict")
    text = "; ".join(advice)
    return text[0].upper() + text[1:]


def _strict_causes(invalid: int, notes: Sequence[Note]) -> str:
    """Return why a strict run is refused, as it stands after `because`; empty for no reason."""
    causes = []
    if invalid:
        causes.append(f"{'1 row has' if invalid == 1 else f'{invalid:,} rows have'} problems")
    if notes:
        count = "there is a note" if len(notes) == 1 else f"there are {len(notes)} notes"
        named = ", ".join(note.code.replace("_", " ") for note in notes)
        causes.append(f"{count} ({named})")
    return " and ".join(causes)
