"""A valid description of a run, for tests that need one."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from batchlock.store.journal import RunInfo

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
