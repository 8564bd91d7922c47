"""Convert a run to the columns of the table `runs`, and back."""

from collections.abc import Collection
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa

from batchlock.core.errors import Stopped
from batchlock.core.observer import LimiterSnapshot
from batchlock.core.results import Result
from batchlock.core.runs import Run, RunFigures, RunInfo, RunState, Totals
from batchlock.core.stop import StopCode, StopReason

_INFO_FIELDS = tuple(field.name for field in fields(RunInfo) if field.name != "run_id")
_TOTALS_FIELDS = tuple(field.name for field in fields(Totals))
_NO_REQUEST = {"stop_request": None, "stop_request_sentence": None, "start_at": None}


def values_of(states: Collection[RunState]) -> list[str]:
    """Return states as the table has them."""
    return [state.value for state in states]


def state_values(state: RunState, reason: StopReason | None) -> dict[str, Any]:
    """Return the columns of a state; every change of the state answers an older request."""
    return {
        "state": state.value,
        "stop_code": None if reason is None else reason.code.value,
        "stop_sentence": None if reason is None else reason.sentence,
        **_NO_REQUEST,
    }


def figure_values(figures: RunFigures) -> dict[str, Any]:
    """Return the columns of how far a run has come."""
    return {
        "counts": {result.value: count for result, count in figures.counts.items()},
        "remaining": figures.remaining,
        "settled": figures.settled,
        **asdict(figures.totals),
    }


def stop_request_of(code: str | None, sentence: str | None) -> StopReason | None:
    """Return a person's request to end a run; None when there is none."""
    if code is None:
        return None
    return StopReason(code=StopCode(code), sentence=sentence or "", exit_code=Stopped.exit_code)


def to_columns(run: Run) -> dict[str, Any]:
    """Return a run as a row of the table."""
    info = run.info
    return {
        "id": info.run_id,
        **{name: getattr(info, name) for name in _INFO_FIELDS},
        "titles": list(info.titles),
        "settings": dict(info.settings),
        "parent": run.parent,
        **state_values(run.state, run.reason),
        "exit_code": run.exit_code,
        "finished_at": run.finished_at,
        "results": run.results,
        **figure_values(run.figures),
        "requested_by": run.requested_by,
        "file_name": run.file_name,
        "upload": run.upload,
        "queued_at": run.queued_at,
        "starts": run.starts,
        "schedule": run.schedule,
        "due": run.due,
        "options": dict(run.options),
        "start_at": run.start_at,
        "note": run.note,
    }


def to_run(row: sa.RowMapping) -> Run:
    """Return a row of the table as a run."""
    info = {name: row[name] for name in _INFO_FIELDS} | {"titles": tuple(row["titles"])}
    code, snapshot = row["stop_code"], row["snapshot"]
    return Run(
        info=RunInfo(run_id=row["id"], **info),
        parent=row["parent"],
        state=RunState(row["state"]),
        reason=None
        if code is None
        else StopReason(code=StopCode(code), sentence=row["stop_sentence"] or ""),
        exit_code=row["exit_code"],
        finished_at=row["finished_at"],
        results=row["results"],
        figures=RunFigures(
            counts={Result(name): count for name, count in row["counts"].items()},
            settled=row["settled"],
            totals=Totals(**{name: row[name] for name in _TOTALS_FIELDS}),
        ),
        message=row["message"],
        snapshot=None if snapshot is None else LimiterSnapshot(**snapshot),
        heartbeat_at=row["heartbeat_at"],
        process=row["process"],
        requested_by=row["requested_by"],
        file_name=row["file_name"],
        upload=row["upload"],
        queued_at=row["queued_at"],
        starts=row["starts"],
        schedule=row["schedule"],
        due=row["due"],
        options=row["options"] or {},
        start_at=row["start_at"],
        note=row["note"],
        stop_requested=stop_request_of(row["stop_request"], row["stop_request_sentence"]),
    )
