"""Run a whole process and say what it took."""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from benchmarks.server import Told

ROOT = Path(__file__).parent.parent
PYTHON = sys.executable
_A_KIBIBYTE = 1024 if sys.platform == "darwin" else 1
"""What one unit of the peak of memory is divided by, to be one."""
_LONGEST = 1800.0
"""Seconds after which a process is taken to hang."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process took, with all its children."""

    began: float
    """On the clock that all processes share."""
    wall: float
    cpu: float
    """User and system, in seconds."""
    peak: float
    """MiB of the largest single process."""
    out: str


class Failed(Exception):
    """A measured process did not do what it should have done."""


def run(
    command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path, codes: Sequence[int] = (0,)
) -> Usage:
    """Run a command to its end.

    This process must stay small and load no library: on Linux the peak of a child includes what
    its parent had when it was started.
    """
    out, err = cwd / "stdout", cwd / "stderr"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        began = time.monotonic()
        process = subprocess.Popen(  # noqa: S603  our own command lines
            command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=env, cwd=cwd
        )
        overdue = threading.Timer(_LONGEST, process.kill)
        overdue.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            overdue.cancel()
        wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        told = err.read_text("utf-8", "replace")[-2000:]
        said = " ".join(map(str, command))
        raise Failed(f"exit code {process.returncode} of {said}\n{told}")
    return Usage(
        began=began,
        wall=wall,
        cpu=used.ru_utime + used.ru_stime,
        peak=used.ru_maxrss / _A_KIBIBYTE / 1024,
        out=out.read_text("utf-8", "replace"),
    )


def until_first_put(
    command: Sequence[str | Path], url: str, *, env: Mapping[str, str], cwd: Path
) -> float:
    """Return the seconds from the start of a command to its first PUT, and kill it then."""
    began = time.monotonic()
    process = subprocess.Popen(  # noqa: S603  our own command lines
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=env,
        cwd=cwd,
    )
    over = threading.Event()
    try:
        while not (first := told(url).first):
            if process.poll() is not None:
                raise Failed(f"{command[0]} ended with {process.returncode} and sent nothing")
            over.wait(0.05)
    finally:
        process.kill()
        process.wait()
    return first - began


@contextmanager
def server(*, delay: float = 0.0, jitter: float = 0.0, cap: int = 0) -> Iterator[str]:
    """Start a server of our own, give its address, and end it."""
    options = ("--delay", delay, "--jitter", jitter, "--cap", cap)
    process = subprocess.Popen(  # noqa: S603  our own module
        [PYTHON, "-m", "benchmarks.server", *map(str, options)],
        stdout=subprocess.PIPE,
        text=True,
        env=with_us(os.environ),
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate()


def told(url: str) -> Told:
    """Ask one of our servers what it has seen."""
    with urllib.request.urlopen(f"{url}/told", timeout=60) as answer:  # noqa: S310  ours
        found: dict[str, Any] = json.load(answer)
    return Told(**{one.name: found[one.name] for one in fields(Told)})


def with_us(env: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which a Python finds this package."""
    return {**env, "PYTHONPATH": str(ROOT)}


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, and how far they are apart."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of one or more values."""
        return cls(statistics.median(values), min(values), max(values))
