"""The functions of batchlock for Python: notebooks, schedulers and scripts.

They use the engine, the store and the settings of the command line. So a run that a kernel left
unfinished is resumed by the next call with the same table, and `batchlock runs` lists it.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from batchlock.api_call import Call, Table, run_in_thread
from batchlock.cli.locks import find_request
from batchlock.cli.options import FindOptions
from batchlock.core.errors import UsageError
from batchlock.core.night import NightDigest
from batchlock.core.options import RunOptions
from batchlock.core.records import LOCK_TITLES, FindRequest
from batchlock.core.results import CheckResult, RunResult
from batchlock.core.rows import Action, Field
from batchlock.core.stop import COMPLETED
from batchlock.engine import Engine
from batchlock.inboxes.inbox import Inbox
from batchlock.inboxes.listing import DONE
from batchlock.report.checked_file import checked_rows
from batchlock.report.frame import results_frame
from batchlock.report.json import check_json, run_json
from batchlock.report.json_locks import locks_json
from batchlock.report.locks import reported_locks
from batchlock.report.summaries import check_result_of, closed_because


def check(
    table: Table,
    *,
    config: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    org: str | None = None,
    sheet: str | None = None,
    columns: Mapping[str, str] | None = None,
    module: str | None = None,
    reason: str | None = None,
    visible_only: bool = False,
    simulate: bool = False,
    action: str | None = None,
) -> pd.DataFrame:
    """Find every problem of a table; nothing is sent, and no sign-in is needed.

    `config` is the configuration file, and `settings` are keys that replace those of the file, such
    as `{"input": {"encoding": "windows-1250"}}`. `org` is one of the orgs of `batchlock orgs`; its
    own settings are replaced by `settings`, too. `columns` names the title of a column by its field
    (`module`, `record_id`, `lock_id`, `reason`); `module` and `reason` are one value for all rows.
    `action` is `lock` or `unlock` for all rows; without it, each row updates the reason of its
    lock, or does what a column `Action` says.

    Returns the table with the columns of the results: `Result` is `not_sent` for a row that `run`
    would send, and `Message` has the problems and notes of a row. A frame keeps its index. The
    attribute `attrs["batchlock"]` is the object that `batchlock check --json` prints.

    Raises BatchlockError: UsageError for a wrong argument or setting, UnreadableFile for a file
    that is no table.
    """
    options = _options(
        sheet, columns, module, reason, action, visible_only=visible_only, simulate=simulate
    )
    with Call.opened(table, config, settings, options, org=org, to_send=False) as call:
        frame, result = call.await_(_check)
    frame.attrs["batchlock"] = _Attribute(check_json(result))
    return frame


def run(
    table: Table,
    *,
    config: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    org: str | None = None,
    sheet: str | None = None,
    columns: Mapping[str, str] | None = None,
    module: str | None = None,
    reason: str | None = None,
    visible_only: bool = False,
    simulate: bool = False,
    strict: bool = False,
    fresh: bool = False,
    action: str | None = None,
    change_reason: bool = False,
    yes: bool = False,
    output: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Send every row of a table to Zoho, and return the result of each.

    An unfinished run of the same table is resumed, and rows that an earlier run has done are left
    alone, unless `fresh`. With `strict` nothing is sent if there is any problem or note. `output`
    is the path of the results file (.xlsx or .csv); that of a frame is in the state folder when
    none is named. `progress` shows a bar at a terminal, and logs the first rows that are not
    updated. The other arguments are those of `check`.

    `change_reason` gives a record that is to be locked,
    and is locked already, the reason of its row. Rows that unlock are sent only with `yes`.

    Returns the table with the columns of the results. A frame keeps its index. The attribute
    `attrs["batchlock"]` is the object that `batchlock run --json` prints; its `exit_code` is 0 when
    every row is as the table asks.

    Raises BatchlockError for what ends the run before anything is sent: UsageError, UnreadableFile
    or AlreadyRunning. Ctrl-C ends the run as at a terminal: the results are written, the run can be
    resumed, and KeyboardInterrupt is raised then.
    """
    options = replace(
        _options(
            sheet, columns, module, reason, action, visible_only=visible_only, simulate=simulate
        ),
        fresh=fresh,
        change_reason=change_reason,
        output=None if output is None else Path(output),
    )
    if strict:
        settings = _with(settings, "input", strict=True)
    with Call.opened(table, config, settings, options, org=org, progress=progress, yes=yes) as call:
        frame, result = call.await_(_run)
    frame.attrs["batchlock"] = _Attribute(run_json(result.summary, result.output))
    return frame


def undo(
    run_id: str,
    *,
    config: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    org: str | None = None,
    simulate: bool = False,
    yes: bool = False,
    output: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> pd.DataFrame | None:
    """Put back what a run has changed, and return the result of each of its changed rows.

    `run_id` is the id of the run, or its beginning. Records that the run has locked are unlocked
    only with `yes`. The other arguments are those of `run`.

    Returns None when nothing can be put back. Raises as `run` does.
    """
    options = RunOptions(simulate=simulate, output=None if output is None else Path(output))
    with Call.opened("", config, settings, options, org=org, progress=progress, yes=yes) as call:
        undone = run_in_thread(_undo(call.engine, run_id), call.engine.cancel_token)
    if undone is None:
        return None
    frame, result = undone
    frame.attrs["batchlock"] = _Attribute(run_json(result.summary, result.output))
    return frame


def locks(
    modules: Sequence[str] = (),
    *,
    config: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    org: str | None = None,
    progress: bool = True,
    **filters: Any,
) -> pd.DataFrame:
    """Find the locked records of modules; nothing is changed.

    `filters` are those of `batchlock locks`, as text: `locked_by`, `since`, `until`,
    `reason_contains`, `view`; and `source` is a tuple of `manual`, `automatic` and `both`.
    `all_modules=True` stands for every module of the org that can be locked.

    Returns a line for each lock, with the columns of the workbook; the workbook itself is in the
    state folder. `attrs["batchlock"]` is the object that `batchlock locks --json` prints. An
    unfinished search of the last day is resumed.

    Raises BatchlockError as `run` does, and TypeError for a filter that does not exist.
    """
    request = find_request(modules, FindOptions(**filters))
    options = RunOptions()
    table = pd.DataFrame()
    with Call.opened(table, config, settings, options, org=org, progress=progress) as call:
        work = _locks(call.engine, request)
        frame, result = run_in_thread(work, call.engine.cancel_token)
    frame.attrs["batchlock"] = _Attribute(locks_json(result.summary, result.output))
    return frame


def inbox(
    folder: str | os.PathLike[str],
    *,
    config: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    org: str | None = None,
    sheet: str | None = None,
    columns: Mapping[str, str] | None = None,
    module: str | None = None,
    reason: str | None = None,
    visible_only: bool = False,
    simulate: bool = False,
    strict: bool = False,
    again: bool = False,
    action: str | None = None,
    change_reason: bool = False,
    yes: bool = False,
    progress: bool = False,
) -> NightDigest:
    """Send every file that is complete in a folder, as `batchlock inbox` does.

    Each file goes to `done/` or `attention/` in the folder. `again` sends a file whose content was
    finished before. The other arguments are those of `run`.

    Returns what became of each file: `files`, `need_person`, `counts`, `causes`, `exit_code`, and
    `text` for people. What goes wrong with one file, or ends the night, is in it.

    Raises UsageError when the settings are incomplete, or files of the folder cannot be moved.
    """
    path = Path(folder).absolute()
    options = replace(
        _options(
            sheet, columns, module, reason, action, visible_only=visible_only, simulate=simulate
        ),
        change_reason=change_reason,
        pins_results=True,
    )
    settings = _with(settings, "results", directory=str(path / DONE))
    if strict:
        settings = _with(settings, "input", strict=True)
    with Call.opened("", config, settings, options, org=org, progress=progress, yes=yes) as call:
        work = Inbox(call.engine, path, again=again, may_unlock=yes).take()
        return run_in_thread(work, call.engine.cancel_token)


def _with(settings: Mapping[str, Any] | None, section: str, **values: Any) -> dict[str, Any]:
    """Return settings with other values in one section."""
    return {**(settings or {}), section: {**(settings or {}).get(section, {}), **values}}


class _Attribute(dict[str, Any]):
    """An attribute of a frame. pandas copies attributes deeply with every selection of rows."""

    def __deepcopy__(self, _: object) -> "_Attribute":
        return self


async def _check(engine: Engine, file: Path) -> tuple[pd.DataFrame, CheckResult]:
    async with engine.checked_plan(file) as journal:
        result = check_result_of(journal)
        rows = checked_rows(journal, result.preview.notes)
        return results_frame(journal.info.titles, rows), result


async def _run(engine: Engine, file: Path) -> tuple[pd.DataFrame, RunResult]:
    return _with_frame(engine, await engine.run(file))


async def _undo(engine: Engine, run_id: str) -> tuple[pd.DataFrame, RunResult] | None:
    result = await engine.undo(run_id)
    return None if result is None else _with_frame(engine, result)


def _with_frame(engine: Engine, result: RunResult) -> tuple[pd.DataFrame, RunResult]:
    run = engine.store.runs.find(engine.orgs, result.summary.run_id)
    with engine.store.open_journal(run) as journal:
        rows = journal.result_rows(closed_because=closed_because(run.reason or COMPLETED))
        return results_frame(run.info.titles, rows), result


async def _locks(engine: Engine, request: FindRequest) -> tuple[pd.DataFrame, RunResult]:
    result = await engine.locks(request)
    run = engine.store.runs.find(engine.orgs, result.summary.run_id)
    with engine.store.open_journal(run) as journal:
        rows = [tuple(lock) for lock in reported_locks(journal)]
        return pd.DataFrame(rows, columns=list(LOCK_TITLES), dtype=object), result


def _options(
    sheet: str | None,
    columns: Mapping[str, str] | None,
    module: str | None,
    reason: str | None,
    action: str | None,
    *,
    visible_only: bool,
    simulate: bool,
) -> RunOptions:
    for name in columns or {}:
        if name not in set(Field):
            raise UsageError(
                f'columns: "{name}" is no field. Name a title for one of {", ".join(Field)}.'
            )
    if action not in (None, Action.LOCK, Action.UNLOCK):
        raise UsageError(f'action: "{action}" is no action. Name lock or unlock.')
    constants = {"module": module, "reason": reason, "action": action}
    return RunOptions(
        sheet=sheet,
        columns=dict(columns or {}),
        constants={name: value for name, value in constants.items() if value is not None},
        visible_only=visible_only,
        simulate=simulate,
    )
