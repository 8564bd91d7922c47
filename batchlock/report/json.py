"""The objects that `--json` prints: the contract of section 4.1 of the design, with their types.

People's scripts read these keys, so a key is added when an issue asks for it and never renamed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from batchlock.core.results import Cause, CheckResult, Result, Summary
from batchlock.core.runs import Run
from batchlock.report.json_preview import NO_PREVIEW, PreviewJson, encoding_json, preview_json
from batchlock.report.story import Story, story_of


class CauseJson(TypedDict):
    """Rows that have the same result for the same reason."""

    result: str
    code: str
    message: str
    what_to_do: str
    rows: int
    ranges: str


class ExampleJson(TypedDict):
    """A cell with a problem."""

    row: int
    column: str
    value: str | None
    message: str


class CheckCauseJson(CauseJson):
    """Rows of a check that have the same problem."""

    examples: list[ExampleJson]


class RunJson(PreviewJson):
    """A run: `run`, `resume`, `retry`, `report` and `show`, and an error of any other command."""

    run_id: str | None
    file: str | None
    sheet: str | None
    output: str | None
    exit_code: int
    message: str
    rows: int
    counts: dict[str, int]
    causes: list[CauseJson]
    requests: int
    credits_used: int
    in_flight_peak: int
    seconds: float
    resume: str | None


class ShowJson(RunJson):
    """A run with the runs that belong to it: `show`."""

    family: list["RunListingJson"]
    story: "StoryJson"


class StoryJson(TypedDict):
    """The total of a family of runs; each row of the file counts once, by its latest status."""

    runs: int
    rows: int
    settled: int
    requests: int
    credits_used: int
    counts: dict[str, int]
    undone: int


class ProblemJson(TypedDict):
    """Why a row cannot be sent."""

    row: int
    column: str
    code: str
    message: str


class CheckJson(PreviewJson):
    """A check of a file."""

    file: str | None
    sheet: str | None
    rows: int
    valid: int
    invalid: int
    duplicate: int
    problems: list[ProblemJson]
    causes: list[CheckCauseJson]
    output: str | None
    plan: str | None
    encoding: str | None
    delimiter: str | None
    exit_code: int
    message: str


class RunListingJson(TypedDict):
    """One run in the list of runs."""

    run_id: str
    kind: str
    state: str
    exit_code: int | None
    rows: int
    settled: int
    org: str
    environment: str
    file: str
    started_at: str
    output: str | None


class RunsJson(TypedDict):
    """The list of runs."""

    runs: list[RunListingJson]
    exit_code: int
    message: str


class NoRunsJson(RunsJson):
    """An error of `runs`, which has the keys of every other error too."""

    file: str | None
    sheet: str | None


AnyJson = RunJson | ShowJson | CheckJson | RunsJson


def run_json(summary: Summary, output: Path | None, *, exit_code: int | None = None) -> RunJson:
    """Return the object for a run; `exit_code` replaces that of the summary, after a signal."""
    return {
        "run_id": summary.run_id,
        **preview_json(summary.preview),
        "file": summary.file,
        "sheet": summary.sheet,
        "output": None if output is None else str(output),
        "exit_code": summary.exit_code if exit_code is None else exit_code,
        "message": summary.sentence,
        "rows": summary.rows,
        "counts": {result.value: summary.counts.get(result, 0) for result in Result},
        "causes": [_cause_json(cause) for cause in summary.causes],
        "requests": summary.requests,
        "credits_used": summary.credits_used,
        "in_flight_peak": summary.in_flight_peak,
        "seconds": round(summary.seconds, 3),
        "resume": summary.resume,
    }


def _cause_json(cause: Cause) -> CauseJson:
    return {
        "result": cause.result.value,
        "code": cause.code,
        "message": cause.message,
        "what_to_do": cause.remedy,
        "rows": cause.rows,
        "ranges": cause.ranges,
    }


def _check_cause_json(cause: Cause) -> CheckCauseJson:
    return {
        **_cause_json(cause),
        "examples": [
            {
                "row": example.row,
                "column": example.column,
                "value": example.value,
                "message": example.message,
            }
            for example in cause.examples
        ],
    }


def check_json(check: CheckResult, *, exit_code: int | None = None) -> CheckJson:
    """Return the object for a check; `exit_code` replaces that of the check, after a signal."""
    return {
        **preview_json(check.preview),
        "file": check.file,
        "sheet": check.sheet,
        "output": None if check.output is None else str(check.output),
        "plan": None if check.plan is None else str(check.plan),
        "rows": check.rows,
        "valid": check.valid,
        "invalid": check.counts[Result.INVALID],
        "duplicate": check.counts[Result.DUPLICATE],
        "causes": [_check_cause_json(cause) for cause in check.causes],
        "problems": [
            {
                "row": problem.row,
                "column": problem.column,
                "code": problem.code,
                "message": problem.message,
            }
            for problem in check.problems
        ],
        "encoding": encoding_json(check.encoding),
        "delimiter": check.delimiter,
        "exit_code": check.exit_code if exit_code is None else exit_code,
        "message": check.sentence,
    }


def runs_json(runs: Sequence[Run]) -> RunsJson:
    """Return the object for a list of runs."""
    return {
        "runs": [_listing_json(run) for run in runs],
        "exit_code": 0,
        "message": f"{len(runs)} runs",
    }


def _listing_json(run: Run) -> RunListingJson:
    return {
        "run_id": run.run_id,
        "kind": run.info.kind,
        "state": "finished" if run.is_closed else "unfinished",
        "exit_code": run.exit_code,
        "rows": run.figures.rows,
        "settled": run.figures.settled,
        "org": run.info.org,
        "environment": run.info.environment,
        "file": run.info.file,
        "started_at": run.info.started_at.isoformat(timespec="seconds"),
        "output": run.results,
    }


def show_json(
    summary: Summary, output: Path | None, family: Sequence[Run], story: Story
) -> ShowJson:
    """Return the object for a run and its family, oldest first."""
    return {
        **run_json(summary, output),
        "family": [_listing_json(run) for run in family],
        "story": _story_json(story),
    }


def _story_json(story: Story) -> StoryJson:
    return {
        "runs": story.runs,
        "rows": story.rows,
        "settled": story.settled,
        "requests": story.requests,
        "credits_used": story.credits_used,
        "counts": {result.value: story.counts.get(result, 0) for result in Result},
        "undone": story.undone,
    }


def empty_json(command: str, file: str | None, *, exit_code: int, message: str) -> AnyJson:
    """Return the object of a command that ended before it had anything to report.

    Each command keeps its own keys on every path, so that a script need not look at the exit code
    before it reads `counts`.
    """
    if command == "check":
        return CheckJson(
            **NO_PREVIEW,
            file=file,
            sheet=None,
            output=None,
            plan=None,
            rows=0,
            valid=0,
            invalid=0,
            duplicate=0,
            causes=[],
            problems=[],
            encoding=None,
            delimiter=None,
            exit_code=exit_code,
            message=message,
        )
    if command == "runs":
        return NoRunsJson(runs=[], file=file, sheet=None, exit_code=exit_code, message=message)
    run = RunJson(
        run_id=None,
        **(NO_PREVIEW | {"action": command if command in ("lock", "unlock") else "update"}),
        file=file,
        sheet=None,
        output=None,
        exit_code=exit_code,
        message=message,
        rows=0,
        counts={result.value: 0 for result in Result},
        causes=[],
        requests=0,
        credits_used=0,
        in_flight_peak=0,
        seconds=0.0,
        resume=None,
    )
    if command == "show":
        return ShowJson(**run, family=[], story=_story_json(story_of([])))
    return run
