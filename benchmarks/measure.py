"""Run a process and measure its time and memory."""

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

from benchmarks.server import Counts

ROOT = Path(__file__).parent.parent
PYTHON = sys.executable
# ru_maxrss is in bytes on macOS and in KiB on Linux.
_UNITS_PER_KIB = 1024 if sys.platform == "darwin" else 1
# Far beyond the longest measurement: after it the process hangs.
_TIMEOUT_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Usage:
    """The time and memory of a process, with all its children."""

    started_monotonic: float
    """Seconds of the monotonic clock, which all processes of a machine share."""
    wall: float
    cpu: float
    """User and system time, in seconds."""
    peak: float
    """MiB of the largest single process."""
    out: str


class Failed(Exception):
    """A measured process ended with an unexpected exit code, or sent nothing."""


def run(
    command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path, codes: Sequence[int] = (0,)
) -> Usage:
    """Run a command to its end.

    This process must stay small and load no library: on Linux the peak of a child includes the
    memory that its parent had when it started the child. Raises Failed.
    """
    # Files and not pipes: nobody reads while wait4 blocks, and a full pipe would stop the command.
    out, err = cwd / "stdout", cwd / "stderr"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        started = time.monotonic()
        process = subprocess.Popen(  # noqa: S603  our own command lines
            command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=env, cwd=cwd
        )
        timer = threading.Timer(_TIMEOUT_SECONDS, process.kill)
        timer.start()
        try:
            # Not RUSAGE_CHILDREN, which is the sum over all processes that were ever measured.
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            timer.cancel()
        wall = time.monotonic() - started
    # Popen does not notice that wait4 has collected the process.
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        errors = err.read_text("utf-8", "replace")[-2000:]
        line = " ".join(map(str, command))
        raise Failed(f"exit code {process.returncode} of {line}\n{errors}")
    return Usage(
        started_monotonic=started,
        wall=wall,
        cpu=used.ru_utime + used.ru_stime,
        peak=used.ru_maxrss / _UNITS_PER_KIB / 1024,
        out=out.read_text("utf-8", "replace"),
    )


def until_first_put(
    command: Sequence[str | Path], url: str, *, env: Mapping[str, str], cwd: Path
) -> float:
    """Return the seconds from the start of a command to its first PUT, and kill it then."""
    started = time.monotonic()
    process = subprocess.Popen(  # noqa: S603  our own command lines
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=env,
        cwd=cwd,
    )
    pause = threading.Event()
    try:
        while not (first := counts(url).first):
            if process.poll() is not None:
                raise Failed(f"{command[0]} ended with {process.returncode} and sent nothing")
            # The server notes the time of the PUT, so the length of this pause does not matter.
            pause.wait(0.05)
    finally:
        process.kill()
        process.wait()
    return first - started


@contextmanager
def server(*, delay: float = 0.0, jitter: float = 0.0, cap: int = 0) -> Iterator[str]:
    """Start a benchmark server, yield its address, and end it."""
    options = ("--delay", delay, "--jitter", jitter, "--cap", cap)
    process = subprocess.Popen(  # noqa: S603  our own module
        [PYTHON, "-m", "benchmarks.server", *map(str, options)],
        stdout=subprocess.PIPE,
        text=True,
        env=with_benchmarks(os.environ),
    )
    try:
        assert process.stdout is not None
        # The server prints its address once it listens.
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate()


def counts(url: str) -> Counts:
    """Return what a benchmark server has counted."""
    with urllib.request.urlopen(f"{url}/counts", timeout=60) as answer:  # noqa: S310  ours
        values: dict[str, Any] = json.load(answer)
    return Counts(**{field.name: values[field.name] for field in fields(Counts)})


def with_benchmarks(env: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which Python finds the package `benchmarks`."""
    return {**env, "PYTHONPATH": str(ROOT)}


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, with the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of one or more values."""
        return cls(statistics.median(values), min(values), max(values))
