"""Print the result of a command on standard output: sentences, or one JSON object."""

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from batchlock.cli.context import Context
from batchlock.cli.streams import echo
from batchlock.cli.wrapping import indented, labelled, on_one_line, short, width_of
from batchlock.core.options import RunOptions
from batchlock.core.results import Cause, CheckResult, Example, RunResult, Summary
from batchlock.core.runs import Run
from batchlock.core.words import counted
from batchlock.report.json import AnyJson, check_json, empty_json, run_json, runs_json, show_json
from batchlock.report.json_locks import empty_locks_json, locks_json
from batchlock.report.json_night import NightJson, empty_night_json
from batchlock.report.json_orgs import OrgsJson, orgs_json
from batchlock.report.preview import PreviewLine, preview_lines
from batchlock.report.story import Story


def print_failure(context: Context, *, code: int, message: str) -> None:
    """Print the JSON object of a command that ended with an error."""
    if context.command == "locks":
        _print_json(empty_locks_json(context.file, exit_code=code, message=message))
        return
    if context.command == "doctor":
        from batchlock.doctor.as_json import no_doctor_json

        echo(json.dumps(no_doctor_json(exit_code=code, message=message)))
        return
    if context.command == "inbox":
        _print_json(empty_night_json(context.file, exit_code=code, message=message))
        return
    if context.command == "login":
        from batchlock.cli.login_status import no_status_json

        echo(json.dumps(no_status_json(exit_code=code, message=message)))
        return
    if context.command == "orgs list":
        _print_json(orgs_json([], exit_code=code, message=message))
        return
    _print_json(empty_json(context.command, context.file, exit_code=code, message=message))


def print_result(context: Context, result: RunResult | None, *, nothing: str = "") -> int:
    """Print the result of a run, or the sentence `nothing` without one; return the exit code."""
    code = context.exit_code(0 if result is None else result.exit_code)
    if context.notices is not None:
        context.notices.result = result
        context.notices.message = nothing if result is None else result.summary.ended_by
    if result is None:
        if context.as_json:
            _print_json(empty_json("run", None, exit_code=code, message=nothing))
        else:
            echo(nothing)
        return code
    summary = result.summary
    if context.as_json:
        as_json = run_json if summary.module_locks is None else locks_json
        _print_json(as_json(summary, result.output, exit_code=code))
        return code
    if result.is_detached:
        echo(indented(summary.ended_by, width_of(sys.stdout), 0))
        return code
    echo(_digest(summary, width_of(sys.stdout)))
    _print_where(summary, None if result.output is None else str(result.output))
    return code


def print_check(context: Context, check: CheckResult, *, verbose: bool, quiet: bool) -> int:
    """Print what a file is read as and its problems; return the exit code.

    The sentence stands at the top and, after problems, at the bottom too: whichever end a person
    sees on the screen has it. With `verbose` every problem has its line, with `quiet` only the
    problems are printed.
    """
    code = context.exit_code(check.exit_code)
    if context.as_json:
        _print_json(check_json(check, exit_code=code))
        return code
    width = width_of(sys.stdout)
    echo(indented(check.sentence, width, 0))
    if not quiet:
        for line in preview_lines(check.preview):
            echo(preview_text(line, width))
    for cause in check.causes:
        echo(_check_cause(cause, width))
    if verbose and check.problems:
        echo("")
        for problem in check.problems:
            echo(f"row {problem.row}, {problem.column}: {problem.message} ({problem.code})")
    if check.plan is not None:
        echo(f"\nThe plan: {check.plan}. To send exactly that: {check.plan_command}")
    if check.output is not None:
        echo(f"\nThe file with each problem on its cell: {check.output}")
    elif check.causes and not quiet:
        advice = "-o FILE.xlsx writes the file with each problem on its cell; -v lists them all."
        echo("\n" + indented(f"{check.sentence} {advice}", width, 0))
    return code


def preview_text(line: PreviewLine, width: int | None) -> str:
    """Return a line of a preview as the terminal shows it."""
    return labelled(line.label, line.text, width, is_cut=line.is_cut)


def _check_cause(cause: Cause, width: int | None) -> str:
    """Return a cause of a check: which rows, the first problem, and more cells as examples."""
    parts = [f"\n{counted(cause.rows, 'row')} ({cause.code}): {cause.row_numbers}"]
    for first in cause.examples[:1]:
        problem = f"row {first.row}, {first.column}: {first.message}"
        parts.append("  " + indented(on_one_line(problem), width, 2))
    if others := cause.examples[1:]:
        cells = "; ".join(map(_example_cell, others))
        parts.append("  " + indented(f"also {cells}", width, 2))
    return "\n".join(parts)


def _example_cell(example: Example) -> str:
    where = f"row {example.row}, {example.column}"
    return where if example.value is None else f"{where}: {short(example.value)}"


def print_run(
    summary: Summary, run: Run, family: Sequence[Run], story: Story, *, as_json: bool
) -> None:
    """Print the result of a run so far, and the runs that belong to it."""
    if as_json:
        output = None if run.results is None else Path(run.results)
        _print_json(show_json(summary, output, family, story))
        return
    echo(f"Run {summary.run_id} of {summary.file}\n{_digest(summary, width_of(sys.stdout))}")
    echo(
        f"{summary.requests:,} calls, {summary.credits_used:,} credits, "
        f"{summary.in_flight_peak} in flight at most, {summary.seconds:,.0f} seconds."
    )
    _print_where(summary, run.results)
    if len(family) > 1:
        echo("\nRuns of the same file, its corrections and retries:")
        for one in family:
            echo(_listing(one, story))
        echo(story.sentence)


def print_runs(
    runs: Sequence[Run], options: RunOptions, *, as_json: bool, is_filtered: bool = False
) -> None:
    """Print the list of runs, one a line."""
    if as_json:
        _print_json(runs_json(runs))
        return
    for run in runs:
        echo(_listing(run))
    if not runs:
        echo("No run matches." if is_filtered else "There are no runs yet.")
    # "finished" and "0 of 1" leave open what became of the other rows.
    short = next(
        (run for run in runs if run.is_closed and run.figures.settled < run.figures.rows), None
    )
    if short is not None:
        echo(
            "Rows of a finished run that are not done have problems or were refused: "
            f"`{options.command('show', short.run_id)}` says why, and "
            f"`{options.command('retry', short.run_id)}` "
            "sends them again."
        )


def print_pruned(
    runs: Sequence[Run], *, needed: int, before: datetime, is_trial: bool, as_json: bool
) -> None:
    """Print which runs were removed; in a trial, which would be."""
    count = "1 run" if len(runs) == 1 else f"{len(runs):,} runs"
    done = ("would be" if is_trial else "was" if len(runs) == 1 else "were") + " removed"
    sentence = f"{count} that ended before {before:%Y-%m-%d %H:%M} UTC {done}."
    if needed:
        others = "1 other is" if needed == 1 else f"{needed:,} others are"
        sentence += f" {others} as old and stays, because newer runs need what it has done."
        if needed > 1:
            sentence = sentence.replace("and stays,", "and stay,").replace("it has", "they have")
    if as_json:
        _print_json(runs_json(runs) | {"message": sentence})
        return
    for run in runs:
        echo(_listing(run))
    echo(sentence)


def _listing(run: Run, story: Story | None = None) -> str:
    later = 0 if story is None else story.done_later(run.run_id)
    state = "finished" if run.is_closed else "unfinished"
    # The widths fit a million rows, so that the columns stay aligned.
    return (
        f"{run.run_id}  {state:<10}  rows done: {run.figures.settled:>9,} of "
        f"{run.figures.rows:>9,}  {run.info.org}  {run.info.file}"
        f"{f'  ({later:,} more done by later runs)' if later else ''}"
    )


def _digest(summary: Summary, width: int | None) -> str:
    """Return the sentence of the summary, then a paragraph per cause."""
    parts = [indented(summary.sentence, width, 0)]
    for cause in summary.causes:
        parts.append("\n" + indented(f"{cause.heading}: {cause.message}", width, 2))
        parts.append(f"  {cause.row_numbers}")
        if cause.remedy:
            parts.append("  " + indented(cause.remedy, width, 2))
    return "\n".join(parts)


def _print_where(summary: Summary, output: str | None) -> None:
    if output is not None:
        echo(f"Results: {output}")
    if summary.resume is not None:
        echo(f"Resume it with: {summary.resume}")


def _print_json(value: AnyJson | OrgsJson | NightJson) -> None:
    # ASCII, which every stream takes: an encoding error would change what the command ends with.
    echo(json.dumps(value))
