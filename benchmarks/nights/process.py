"""Processes of `batchlock inbox` whose clock shows another night.

A new process of batchlock spends 2 s of CPU on loading its modules. These are forked from one that
has loaded them, run the same code from `main` on, and can be killed. time-machine moves the wall
clock of Python in the process; the monotonic clock stays, so that every wait takes its time.
"""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from batchlock.plan import child
from batchlock.plan.child_main import ReadRequest, failure_of
from benchmarks.fleet.orgs import ReaderHere

# A night of this benchmark takes seconds. After this time its process hangs.
_TIMEOUT_SECONDS = 180.0
_PRELOADED = [
    "batchlock.cli.error_boundary",
    "batchlock.cli.inbox",
    "batchlock.cli.inbox_commands",
    "batchlock.core.event_loop",
    "batchlock.notify.notifier",
    "batchlock.plan.notes",
    "batchlock.plan.read",
    "batchlock.plan.validate",
    "batchlock.report.story",
    "batchlock.report.workbook",
    "batchlock.store.store",
    "batchlock.zoho.client",
    "batchlock.zoho.oauth",
    "batchlock.zoho.tokens",
    "benchmarks.nights.process",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "time_machine",
    "uvloop",
]
# Set in the program that was started in a namespace of its own.
_VARIABLE = "NIGHTS_IN_A_NAMESPACE"
_CONTEXT = multiprocessing.get_context("forkserver")


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """How a process has ended."""

    code: int
    """The exit code; a signal as its negative number."""
    out: str
    err: str

    @property
    def digest(self) -> dict[str, Any]:
        """The object of `--json`; empty when the process was killed."""
        lines = self.out.splitlines()
        return json.loads(lines[-1]) if lines else {}


class InboxProcess:
    """`batchlock inbox` in `folder`, where its configuration is, at a moment of the wall clock."""

    def __init__(self, folder: Path, name: str, options: Sequence[str], at: datetime) -> None:
        """Start it; its streams go to files of `folder` that begin with `name`."""
        self._out, self._err = folder / f"{name}.out", folder / f"{name}.err"
        self._process = _CONTEXT.Process(
            target=_run, args=(folder, self._out, self._err, ["inbox", *options], at)
        )
        self._process.start()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.exitcode is None

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        if self.is_running and self._process.pid is not None:
            os.kill(self._process.pid, number)

    def wait(self) -> ProcessResult:
        """Wait for the end; a process that hangs is killed."""
        self._process.join(_TIMEOUT_SECONDS)
        if self.is_running:
            self._process.kill()
            self._process.join()
        # One that was killed at once has made no files.
        out, err = (
            path.read_text("utf-8") if path.exists() else "" for path in (self._out, self._err)
        )
        return ProcessResult(self._process.exitcode or 0, out, err)


def preload() -> None:
    """Load the modules of the command into the process from which all others are forked."""
    _CONTEXT.set_forkserver_preload(_PRELOADED)
    warm_up = _CONTEXT.Process(target=_do_nothing)
    warm_up.start()
    warm_up.join()


class _Reader(ReaderHere):
    """Reads files in the process of the command, and replies as the reader process does."""

    def read(self, request: ReadRequest) -> bytes | None:
        try:
            failure = failure_of(request)
        except Exception as error:
            print(repr(error), file=sys.stderr)
            return None  # as a reader process that has crashed
        return json.dumps(None if failure is None else asdict(failure)).encode()


def _do_nothing() -> None:
    pass


def _run(folder: Path, out: Path, err: Path, arguments: list[str], at: datetime) -> None:
    """Be a process of batchlock."""
    import time_machine

    from batchlock.cli import main

    os.setsid()
    os.chdir(folder)
    for name in [name for name in os.environ if name.startswith("BATCHLOCK_")]:
        del os.environ[name]
    for number, path in ((1, out), (2, err)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), number)
    # The names keep these streams open when `main` replaces them.
    streams = (os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False))
    sys.stdout, sys.stderr = streams
    # The file is read in this process; its reader is another class with the same methods.
    child.ReaderProcess = _Reader  # type: ignore[misc]
    sys.argv = ["batchlock", *arguments]
    time_machine.travel(at, tick=True).start()
    main()


def enter_namespace() -> bool:
    """Start this program again where it may mount file systems that nobody else sees.

    Returns False where that is not possible, and True in the program that was started.
    """
    if os.environ.get(_VARIABLE):
        return True
    prefix = ["unshare", "--map-root-user", "--mount"]
    program = [sys.executable, "-m", "benchmarks.nights", *sys.argv[1:]]
    try:
        subprocess.run([*prefix, "true"], check=True, capture_output=True)  # noqa: S603  ours
        # The program is this one, in a namespace of its own.
        os.execvpe(prefix[0], [*prefix, *program], {**os.environ, _VARIABLE: "1"})  # noqa: S606
    except (OSError, subprocess.CalledProcessError):
        return False
