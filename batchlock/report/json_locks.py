"""The object that `--json` prints for a run that finds locked records.

See `report/json.py`; the same rules hold for these keys.
"""

from pathlib import Path
from typing import TypedDict, cast

from batchlock.core.records import ModuleLocks, Way
from batchlock.core.results import Summary
from batchlock.core.rows import Action
from batchlock.report.json import RunJson, empty_json, run_json
from batchlock.report.json_preview import NO_PREVIEW


class ModuleLocksJson(TypedDict):
    """What was found in one module."""

    module: str
    way: str | None
    records: int
    locked: int
    automatic: int
    filtered: int
    not_locked: int
    not_looked_at: int
    complete: bool


class LocksJson(RunJson):
    """A run that finds locked records: `locks`, and `resume` and `report` of such a run."""

    ways: dict[str, str | None]
    modules: list[ModuleLocksJson]


def locks_json(summary: Summary, output: Path | None, *, exit_code: int | None = None) -> LocksJson:
    """Return the object for a run; `exit_code` replaces that of the summary, after a signal."""
    run = run_json(summary, output, exit_code=exit_code)
    return _with_modules(run, [_module_json(each) for each in summary.module_locks or ()])


def empty_locks_json(file: str | None, *, exit_code: int, message: str) -> LocksJson:
    """Return the object of a command that ended before it had anything to report."""
    run = empty_json("locks", file, exit_code=exit_code, message=message)
    return _with_modules(cast("RunJson", run), [])


def _with_modules(run: RunJson, modules: list[ModuleLocksJson]) -> LocksJson:
    values = {
        **run,
        **NO_PREVIEW,  # no file was read for rows to send
        "action": Action.FIND.value,
        "file": run["file"] if any(each["way"] == Way.FILE for each in modules) else None,
        "ways": {each["module"]: each["way"] for each in modules},
        "modules": modules,
    }
    return cast("LocksJson", values)


def _module_json(each: ModuleLocks) -> ModuleLocksJson:
    return {
        "module": each.module,
        "way": None if each.way is None else each.way.value,
        "records": each.records,
        "locked": each.locked,
        "automatic": each.automatic,
        "filtered": each.filtered,
        "not_locked": each.not_locked,
        "not_looked_at": each.not_looked_at,
        "complete": each.is_complete,
    }
