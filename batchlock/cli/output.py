"""What a command prints on standard output: sentences, or one JSON object."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from batchlock.cli.context import Context
from batchlock.cli.streams import echo
from batchlock.core.results import Result, Summary
from batchlock.report.results import json_of
from batchlock.run import CheckResult, RunResult

_EMPTY: dict[str, dict[str, Any]] = {
    "run": {
        "run_id": None,
        "output": None,
        "rows": 0,
        "counts": dict.fromkeys((result.value for result in Result), 0),
        "causes": [],
        "requests": 0,
        "credits_used": 0,
        "in_flight_peak": 0,
        "seconds": 0.0,
        "resume": None,
    },
    "check": {
        "rows": 0,
        "valid": 0,
        "invalid": 0,
        "duplicate": 0,
        "problems": [],
        "encoding": None,
        "delimiter": None,
    },
    "runs": {"runs": []},
}
"""What `--json` prints beside file, exit code and message when a command came to nothing."""


def empty_result(command: str, file: str | None, *, code: int, message: str) -> dict[str, Any]:
    """Return what `--json` prints when a command came to nothing."""
    about = {"file": file, "sheet": None, "exit_code": code, "message": message}
    return {**_EMPTY.get(command, _EMPTY["run"]), **about}


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
            print_json(empty_result("run", None, code=code, message=nothing))
        else:
            echo(nothing)
        return code
    summary = finished.summary
    if context.as_json:
        told = json_of(summary, output=finished.output, message=summary.sentence)
        print_json({**told, "exit_code": code})
        return code
    echo(digest(summary))
    echo(f"Results: {finished.output}")
    if summary.resume is not None:
        echo(f"Go on with: {summary.resume}")
    return code


def print_check(context: Context, found: CheckResult) -> int:
    """Print what a check found; return its exit code."""
    counts = found.counts
    rows = sum(counts.values())
    invalid, duplicate = counts[Result.INVALID], counts[Result.DUPLICATE]
    code = context.exit_code(3 if invalid else 0)
    valid = rows - invalid - duplicate
    message = (
        f"{rows:,} row{'' if rows == 1 else 's'}: {valid:,} can be sent, "
        f"{invalid:,} have problems, {duplicate:,} are the same as an earlier row."
    )
    if context.as_json:
        print_json(
            {
                "file": found.about.file,
                "sheet": found.about.sheet,
                "rows": rows,
                "valid": valid,
                "invalid": invalid,
                "duplicate": duplicate,
                "problems": [
                    {"row": one.row, "column": one.column, "code": one.code, "message": one.message}
                    for one in found.problems
                ],
                "encoding": found.about.encoding,
                "delimiter": found.about.delimiter,
                "exit_code": code,
                "message": message,
            }
        )
        return code
    for one in found.problems:
        echo(f"row {one.row}, {one.column}: {one.message} ({one.code})")
    echo(message)
    return code


def print_run(summary: Summary, output: str | None, *, as_json: bool) -> None:
    """Print what became of a run so far."""
    if as_json:
        where = None if output is None else Path(output)
        print_json(json_of(summary, output=where, message=summary.sentence))
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


def print_runs(found: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print the runs there are."""
    if as_json:
        print_json({"runs": found, "exit_code": 0, "message": f"{len(found)} runs"})
        return
    for one in found:
        echo(
            f"{one['run_id']}  {one['state']:<10}  {one['settled']:>9,} of {one['rows']:>9,} rows"
            f" done  {one['org']}  {one['file']}"
        )
    if not found:
        echo("There are no runs yet.")


def print_json(told: Mapping[str, Any]) -> None:
    """Print the one object of `--json`."""
    echo(json.dumps(told, ensure_ascii=False))
