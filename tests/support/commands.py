"""Running batchlock's commands in processes of their own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output, which must be one JSON object and nothing else."""
        told = json.loads(self.out)
        assert isinstance(told, dict)
        return told


Run = Callable[..., Done]


def command(*arguments: object) -> list[str]:
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


def kill_leftover_runs(*folders: Path) -> None:
    """End the runs of the page in these folders: they outlive the server, and the test.

    Only where a process can be seen to be the one, so that no other is hit.
    """
    for pulse in (one for folder in folders for one in folder.rglob("web/desks/*/pulse")):
        with suppress(OSError):  # it has ended meanwhile
            process = json.loads(pulse.read_text())["process"]
            told = Path(f"/proc/{process}/cmdline").read_bytes()
            if os.fsencode(pulse.parent) in told:
                os.kill(process, signal.SIGKILL)
