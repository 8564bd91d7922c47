"""The object that `batchlock inbox --json` prints."""

from typing import TypedDict

from batchlock.core.night import FileOutcome, NightCause, NightDigest
from batchlock.core.results import Result
from batchlock.report.json import RunJson, run_json


class NightFileJson(TypedDict):
    """One file: where it is, and its guard or its run."""

    name: str
    status: str
    exit_code: int
    message: str
    guard: str | None
    needs_person: bool
    is_resumed_next: bool
    file: str | None
    output: str | None
    run: RunJson | None


class NightCauseJson(TypedDict):
    """Rows of several files that have the same result for the same reason."""

    result: str
    code: str
    what_to_do: str
    rows: int
    files: list[dict[str, str]]


class NightJson(TypedDict):
    """A night: `inbox`, also when it ended with an error."""

    folder: str | None
    org: str | None
    environment: str | None
    started_at: str | None
    finished_at: str | None
    exit_code: int
    message: str
    files: list[NightFileJson]
    files_done: int
    files_need_person: int
    files_left: int
    rows: int
    counts: dict[str, int]
    causes: list[NightCauseJson]
    credits_used: int


def night_json(digest: NightDigest, *, exit_code: int | None = None) -> NightJson:
    """Return the object for a night; `exit_code` replaces that of the digest, after a signal."""
    return {
        "folder": str(digest.folder),
        "org": digest.org,
        "environment": digest.environment,
        "started_at": digest.started_at.isoformat(timespec="seconds"),
        "finished_at": digest.finished_at.isoformat(timespec="seconds"),
        "exit_code": digest.exit_code if exit_code is None else exit_code,
        "message": " ".join(filter(None, (digest.title, digest.ended_by))),
        "files": [_file_json(file) for file in digest.files],
        "files_done": len(digest.done),
        "files_need_person": len(digest.need_person),
        "files_left": len(digest.left),
        "rows": digest.rows,
        "counts": {result.value: count for result, count in digest.counts.items()},
        "causes": [_cause_json(cause) for cause in digest.causes],
        "credits_used": digest.credits_used,
    }


def empty_night_json(folder: str | None, *, exit_code: int, message: str) -> NightJson:
    """Return the object of an inbox that took no file because of an error."""
    return {
        "folder": folder,
        "org": None,
        "environment": None,
        "started_at": None,
        "finished_at": None,
        "exit_code": exit_code,
        "message": message,
        "files": [],
        "files_done": 0,
        "files_need_person": 0,
        "files_left": 0,
        "rows": 0,
        "counts": {result.value: 0 for result in Result},
        "causes": [],
        "credits_used": 0,
    }


def _file_json(file: FileOutcome) -> NightFileJson:
    run = None
    if file.summary is not None:
        run = run_json(file.summary, file.results)
    return {
        "name": file.name,
        "status": file.status.value,
        "exit_code": file.exit_code,
        "message": file.why,
        "guard": file.guard or None,
        "needs_person": file.needs_person,
        "is_resumed_next": file.is_resumed_next,
        "file": None if file.file is None else str(file.file),
        "output": None if file.results is None else str(file.results),
        "run": run,
    }


def _cause_json(cause: NightCause) -> NightCauseJson:
    return {
        "result": cause.result.value,
        "code": cause.code,
        "what_to_do": cause.remedy,
        "rows": cause.rows,
        "files": [{"name": name, "rows": ranges} for name, ranges in cause.files],
    }
