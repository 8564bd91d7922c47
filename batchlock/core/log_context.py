"""The org and the run that the log lines of this task or thread are about.

A worker and the page have the runs of many orgs in one process, so it is a context variable: each
task of asyncio has its own value, and `asyncio.to_thread` takes it along.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class LogContext(NamedTuple):
    """What log lines are about; None where it is not known."""

    org: str | None = None
    run_id: str | None = None


_NOTHING = LogContext()
_context: ContextVar[LogContext] = ContextVar("batchlock_log_context", default=_NOTHING)


def log_context() -> LogContext:
    """Return what the log lines are about here."""
    return _context.get()


def set_log_context(*, org: str, run_id: str | None = None) -> None:
    """Let the log lines of this task or thread be about an org, and a run, from now on."""
    _context.set(LogContext(org, run_id))


@contextmanager
def log_lines_about(*, org: str, run_id: str | None = None) -> Iterator[None]:
    """Let the log lines of the block be about an org, and a run."""
    token = _context.set(LogContext(org, run_id))
    try:
        yield
    finally:
        _context.reset(token)
