"""Reader processes that are forked from one which has loaded the parsers already.

A new reader process spends 0.8 s of CPU on loading pandas and the parsers; a fork spends a few
milliseconds. It runs the same code, and its parent can write to it, kill it and wait for it as for
any other process. Tests of the process itself ask for the fixture `new_readers`.
"""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing import forkserver
from multiprocessing.connection import Connection

from batchlock.plan import child_main
from batchlock.plan.child import ReaderProcess
from support.commands import MEASUREMENT

# Windows cannot fork.
CAN_FORK = "forkserver" in multiprocessing.get_all_start_methods()
# What a reader loads, and what `batchlock run`, `serve`, `work` and `worker` load.
PRELOADED = [
    "batchlock.plan.child_main",
    "batchlock.plan.notes",
    "batchlock.plan.read",
    "batchlock.plan.validate",
    "batchlock.cli.confirm",
    "batchlock.cli.error_boundary",
    "batchlock.cli.fleet_commands",
    "batchlock.cli.lock_commands",
    "batchlock.cli.logs",
    "batchlock.cli.output",
    "batchlock.cli.page_commands",
    "batchlock.cli.progress",
    "batchlock.cli.serve",
    "batchlock.core.event_loop",
    "batchlock.engine",
    "batchlock.fleet.worker",
    "batchlock.report.json",
    "batchlock.report.story",
    "batchlock.report.workbook",
    "batchlock.simulator.server",
    "batchlock.store.postgres",
    "batchlock.store.store",
    "batchlock.web.server",
    "batchlock.web.worker",
    "batchlock.zoho.client",
    "batchlock.zoho.oauth",
    "batchlock.zoho.token_file",
    "batchlock.zoho.tokens",
    # What SQLAlchemy and asyncio load by name, when the first engine and the first loop are made.
    "sqlalchemy.dialects.sqlite.pysqlite",
    "sqlalchemy.dialects.postgresql.psycopg",
    "uvloop",
]


class ForkedProcess:
    """The part of `subprocess.Popen` that a `ReaderProcess` uses, for a fork."""

    def __init__(self, stderr: int) -> None:
        request_end, stdin = os.pipe()
        stdout, reply_end = os.pipe()
        self.stdin = os.fdopen(stdin, "wb")
        self.stdout = os.fdopen(stdout, "rb")
        # A `Connection` is what multiprocessing can pass to a process that it starts.
        ends = (
            Connection(request_end, writable=False),
            Connection(reply_end, readable=False),
            Connection(os.dup(stderr)),
        )
        self._process = multiprocessing.get_context("forkserver").Process(
            target=read_with, args=(ends, dict(os.environ)), daemon=True
        )
        self._process.start()
        for end in ends:
            end.close()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int:
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()


class ForkedReader(ReaderProcess):
    """A reader process that has loaded its modules at its start."""

    def __init__(self) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  closed in `close`
        self._process = ForkedProcess(self._stderr.fileno())  # type: ignore[assignment]


def read_with(ends: tuple[Connection, ...], environment: Mapping[str, str]) -> None:
    """Be a reader process with these ends as its stdin, stdout and stderr."""
    os.environ.clear()
    os.environ.update(environment)
    for number, end in enumerate(ends):
        os.dup2(end.fileno(), number)
        end.close()
    # multiprocessing has replaced it with an empty one.
    sys.stdin = os.fdopen(0, closefd=False)
    child_main.main()


def start_server() -> None:
    """Start the process from which readers are forked."""
    multiprocessing.set_forkserver_preload(PRELOADED)
    # The coverage of a reader is measured by the tests of the process itself.
    measurement = {name: os.environ.pop(name) for name in MEASUREMENT if name in os.environ}
    try:
        forkserver.ensure_running()
    finally:
        os.environ.update(measurement)
