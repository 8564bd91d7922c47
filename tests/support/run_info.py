"""A valid description of a run, and its record, for tests that need one."""

import signal
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from batchlock.core.results import Result
from batchlock.core.runs import Run, RunFigures, RunInfo, RunState
from batchlock.core.stop import StopCode, StopReason

_RUN_INFO = RunInfo(
    run_id="20260314-020304-1f3a",
    kind="run",
    org="acme",
    environment="production",
    api_url="https://www.zohoapis.com",
    file="/data/locks.xlsx",
    sha256="ab" * 32,
    identity="cd" * 32,
    started_at=datetime(2026, 3, 14, 2, 3, 4, tzinfo=UTC),
    version="1.0",
    titles=("Module", "Record Id", "Lock Id", "Reason"),
    settings={"org": "acme"},
)


def run_info(**changes: Any) -> RunInfo:
    """Return a run of four columns that org acme started on 14 March 2026, with some changes."""
    return replace(_RUN_INFO, **changes)


INTERRUPTED = StopReason(
    code=StopCode.SIGNAL, sentence="Interrupted by SIGINT.", exit_code=128 + signal.SIGINT
)
"""Why a run ends that Ctrl-C interrupts."""


def figures_of(*, updated: int = 0, left: int = 0, in_doubt: int = 0) -> RunFigures:
    """Return the figures of a run with so many rows that are updated, left, and in doubt."""
    counts = dict.fromkeys(Result, 0)
    counts |= {Result.UPDATED: updated, Result.NOT_SENT: left, Result.UNKNOWN: in_doubt}
    return RunFigures(counts=counts, settled=updated)


def run_record(
    info: RunInfo | None = None,
    *,
    state: RunState = RunState.PLANNED,
    figures: RunFigures | None = None,
    **changes: Any,
) -> Run:
    """Return the record of a run of three rows, all left, with some changes."""
    info = info or run_info()
    values = {"parent": info.run_id, "file_name": info.file_name} | changes
    return Run(info=info, state=state, figures=figures or figures_of(left=3), **values)
