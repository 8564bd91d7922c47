"""Run batchlock's commands in processes of their own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import pytest

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


# What makes a process measure its own coverage, when pytest runs with --cov.
MEASUREMENT = {
    name: value for name, value in os.environ.items() if name.startswith("COVERAGE_PROCESS")
}

# A test fails after this time instead of hanging. No test waits for it to pass.
TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The end of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The JSON object on standard output, where nothing else may be."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


RunCommand = Callable[..., CommandResult]


class Process(Protocol):
    """A command that runs: a `subprocess.Popen`, or a fork."""

    @property
    def stdout(self) -> IO[str] | None: ...
    @property
    def stderr(self) -> IO[str] | None: ...
    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def kill(self) -> None: ...
    def send_signal(self, number: int, /) -> None: ...
    def communicate(self, *, timeout: float | None = None) -> tuple[str, str]: ...


def command(*arguments: object) -> list[str]:
    """Return the command line that runs batchlock with these arguments."""
    return [sys.executable, "-m", "batchlock", *map(str, arguments)]


@contextmanager
def started(*arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """Start a command, and kill it if it is still there when the block ends."""
    process = subprocess.Popen(
        command(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run_with_input(
    arguments: list[str], *, typed: str = "", **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command that reads `typed` from standard input, with variables added."""
    return subprocess.run(
        command(*arguments),
        env={**os.environ, **environment},
        input=typed,
        capture_output=True,
        encoding="utf-8",
        start_new_session=True,  # without a terminal, secrets are read from standard input
        timeout=120,
        check=False,
    )


def kill_leftover_runs(*folders: Path) -> None:
    """Kill the processes that send runs for the page: they outlive its server and the test.

    A process that was just started has no record yet, so all processes of the machine are looked
    at: those that work in one of the folders, or name one in their command line.
    """
    served = [folder for folder in folders if next(folder.rglob("web/*.lock"), None) is not None]
    if not served:
        return
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile, or belongs to another user
            command_line = (process / "cmdline").read_bytes()
            place = os.fsencode((process / "cwd").readlink()) + b"\0" + command_line
            if b"\0work\0" in command_line and any(os.fsencode(path) in place for path in served):
                os.kill(int(process.name), signal.SIGKILL)
