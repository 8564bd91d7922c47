"""Read workbooks in a child process, because a parser may abort, hang, or take all memory."""

import multiprocessing
import os
import resource
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Generic, TypeVar

_SECONDS = 20
_PEAK, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
# A child starts in some milliseconds, and has what is imported here.
_FORK = multiprocessing.get_context("fork")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What a reader returned for one file."""

    value: T | None = None
    traceback: str = ""
    """Of an exception that the reader did not handle."""
    crash: str = ""
    """How the process ended, if it did."""
    peak_bytes: int = 0


class Worker(Generic[T]):
    """A process that reads one file after another. A new one follows when it has ended."""

    def __init__(self, read: Callable[[Path], T], memory_bytes: int, *, quiet: bool) -> None:
        self._arguments = read, memory_bytes, quiet
        self._start()

    def read(self, path: Path) -> Answer[T]:
        """Read a file within the limits of time and memory."""
        try:
            self._pipe.send(path)
            if self._pipe.poll(_SECONDS):
                answer: Answer[T] = self._pipe.recv()
                return answer
            crash = f"more than {_SECONDS} seconds"
        except (EOFError, ConnectionError):
            self._process.join()
            crash = f"exit code {self._process.exitcode}"
        self.close()
        self._start()
        return Answer(crash=crash)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _start(self) -> None:
        self._pipe, other_end = _FORK.Pipe()
        self._process = _FORK.Process(
            target=_serve, args=(other_end, *self._arguments), daemon=True
        )
        self._process.start()
        other_end.close()


def _serve(pipe: Connection, read: Callable[[Path], T], memory_bytes: int, quiet: bool) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The limit that batchlock gives its reader process is of the same kind.
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    if quiet:  # parsers print their warnings
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
    parent = os.getppid()
    while os.getppid() == parent:  # other children hold the pipe open when the parent has ended
        while pipe.poll(1):
            path = pipe.recv()
            _PEAK.write_text("5")  # forget the highest memory so far
            try:
                answer = Answer(read(path), peak_bytes=_peak_bytes())
            except BaseException:  # a panic of a parser in Rust is no Exception
                answer = Answer(traceback=traceback.format_exc(), peak_bytes=_peak_bytes())
            pipe.send(answer)


def _peak_bytes() -> int:
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) << 10
