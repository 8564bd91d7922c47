"""What a command prints on standard output: sentences, or one JSON object."""

import json
from pathlib import Path

from batchlock.cli.context import Context
from batchlock.cli.streams import echo
from batchlock.core.results import CheckResult, RunListing, RunResult, Summary
from batchlock.report.json import AnyJson, check_json, empty_json, run_json, runs_json


def digest(summary: Summary) -> str:
    """Return the summary as a person reads it: the sentence, then the causes."""
    parts = [summary.sentence]
    for cause in summary.causes:
        rows = f"{cause.rows:,} row{'' if cause.rows == 1 else 's'}"
        code = f" ({cause.code})" if cause.code else ""
        parts.append(
            f"\n{cause.result.value.replace('_', ' ')}, {rows}{code}: {cause.message}\n"
            f"  {'row' if cause.rows == 1 else 'rows'} {cause.ranges}"
        )
        if cause.remedy:
            parts.append(f"  {cause.remedy}")
    return "\n".join(parts)


def print_result(context: Context, finished: RunResult | None, *, nothing: str = "") -> int:
    """Print how a run ended, or that there was `nothing` to do; return its exit code."""
    code = context.exit_code(0 if finished is None else finished.summary.exit_code)
    if finished is None:
        if context.as_json:
            print_json(empty_json("run", None, exit_code=code, message=nothing))
        else:
            echo(nothing)
        return code
    summary = finished.summary
    if context.as_json:
        print_json(run_json(summary, finished.output, exit_code=code))
        return code
    echo(digest(summary))
    echo(f"Results: {finished.output}")
    if summary.resume is not None:
        echo(f"Go on with: {summary.resume}")
    return code


def print_check(context: Context, found: CheckResult) -> int:
    """Print what a check found; return its exit code."""
    code = context.exit_code(found.exit_code)
    if context.as_json:
        print_json(check_json(found, exit_code=code))
        return code
    for one in found.problems:
        echo(f"row {one.row}, {one.column}: {one.message} ({one.code})")
    echo(found.sentence)
    return code


def print_run(summary: Summary, output: str | None, *, as_json: bool) -> None:
    """Print what became of a run so far."""
    if as_json:
        where = None if output is None else Path(output)
        print_json(run_json(summary, where))
        return
    echo(f"Run {summary.run_id} of {summary.file}\n{digest(summary)}")
    echo(
        f"{summary.requests:,} calls, {summary.credits_used:,} credits, "
        f"{summary.in_flight_peak} in flight at most, {summary.seconds:,.0f} seconds."
    )
    if output is not None:
        echo(f"Results: {output}")
    if summary.resume is not None:
        echo(f"Go on with: {summary.resume}")


def print_runs(found: list[RunListing], *, as_json: bool) -> None:
    """Print the runs there are."""
    if as_json:
        print_json(runs_json(found))
        return
    for one in found:
        echo(
            f"{one.run_id}  {one.state:<10}  {one.settled:>9,} of {one.rows:>9,} rows"
            f" done  {one.org}  {one.file}"
        )
    if not found:
        echo("There are no runs yet.")


def print_json(value: AnyJson) -> None:
    """Print the one object of `--json`."""
    echo(json.dumps(value, ensure_ascii=False))
