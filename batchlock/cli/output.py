"""Print the result of a command on standard output: sentences, or one JSON object."""

import json
from collections.abc import Sequence
from pathlib import Path

from batchlock.cli.context import Context
from batchlock.cli.streams import echo
from batchlock.core.results import CheckResult, RunListing, RunResult, Summary
from batchlock.report.json import AnyJson, check_json, empty_json, run_json, runs_json


def print_failure(context: Context, *, code: int, message: str) -> None:
    """Print the JSON object of a command that ended with an error."""
    _print_json(empty_json(context.command, context.file, exit_code=code, message=message))


def print_result(context: Context, result: RunResult | None, *, nothing: str = "") -> int:
    """Print the result of a run, or the sentence `nothing` without one; return the exit code."""
    code = context.exit_code(0 if result is None else result.summary.exit_code)
    if result is None:
        if context.as_json:
            _print_json(empty_json("run", None, exit_code=code, message=nothing))
        else:
            echo(nothing)
        return code
    summary = result.summary
    if context.as_json:
        _print_json(run_json(summary, result.output, exit_code=code))
        return code
    echo(_digest(summary))
    _print_where(summary, str(result.output))
    return code


def print_check(context: Context, check: CheckResult) -> int:
    """Print the problems of a file; return the exit code."""
    code = context.exit_code(check.exit_code)
    if context.as_json:
        _print_json(check_json(check, exit_code=code))
        return code
    for problem in check.problems:
        echo(f"row {problem.row}, {problem.column}: {problem.message} ({problem.code})")
    echo(check.sentence)
    return code


def print_run(summary: Summary, output: str | None, *, as_json: bool) -> None:
    """Print the result of a run so far; `output` is where its results were written."""
    if as_json:
        _print_json(run_json(summary, None if output is None else Path(output)))
        return
    echo(f"Run {summary.run_id} of {summary.file}\n{_digest(summary)}")
    echo(
        f"{summary.requests:,} calls, {summary.credits_used:,} credits, "
        f"{summary.in_flight_peak} in flight at most, {summary.seconds:,.0f} seconds."
    )
    _print_where(summary, output)


def print_runs(runs: Sequence[RunListing], *, as_json: bool) -> None:
    """Print the list of runs, one a line."""
    if as_json:
        _print_json(runs_json(runs))
        return
    for run in runs:
        # The widths fit a million rows, so that the columns stay aligned.
        echo(
            f"{run.run_id}  {run.state:<10}  {run.settled:>9,} of {run.rows:>9,} rows"
            f" done  {run.org}  {run.file}"
        )
    if not runs:
        echo("There are no runs yet.")


def _digest(summary: Summary) -> str:
    """Return the sentence of the summary, then a paragraph per cause."""
    parts = [summary.sentence]
    for cause in summary.causes:
        rows = f"{cause.rows:,} row{'' if cause.rows == 1 else 's'}"
        code = f" ({cause.code})" if cause.code else ""
        parts.append(
            f"\n{cause.result.words}, {rows}{code}: {cause.message}\n"
            f"  {'row' if cause.rows == 1 else 'rows'} {cause.ranges}"
        )
        if cause.remedy:
            parts.append(f"  {cause.remedy}")
    return "\n".join(parts)


def _print_where(summary: Summary, output: str | None) -> None:
    if output is not None:
        echo(f"Results: {output}")
    if summary.resume is not None:
        echo(f"Resume it with: {summary.resume}")


def _print_json(value: AnyJson) -> None:
    # Names of files and reasons stay readable in a log of JSON lines.
    echo(json.dumps(value, ensure_ascii=False))
