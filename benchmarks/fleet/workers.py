"""Worker processes: started, stopped and measured."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.fleet.stand_in import Call
from benchmarks.measure import PYTHON

# A worker ends its calls in flight first, which takes as long as one call.
_END_SECONDS = 120.0
_SAMPLE_SECONDS = 0.25


@dataclass(slots=True)
class WorkerProcess:
    """One `batchlock worker`, and what was measured of it."""

    process: "subprocess.Popen[bytes]"
    log: Path
    cpu: float = 0.0
    """User and system time, in seconds."""
    memory: float = 0.0
    """The most MiB that it had."""
    ports: dict[int, list[float]] = field(default_factory=dict)
    """Its ends of the connections to the stand-in, with the POSIX times when they were seen."""
    is_watched: bool = False

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def measure(self, port: int) -> None:
        """Measure the process; `port` is that of the stand-in."""
        with suppress(psutil.Error):
            process = psutil.Process(self.pid)
            times, memory = process.cpu_times(), process.memory_info().rss / 2**20
            self.cpu = max(self.cpu, times.user + times.system)
            self.memory = max(self.memory, memory)
            if self.is_watched:
                now = time.time()
                for one in process.net_connections("tcp"):
                    if one.raddr and one.raddr.port == port:
                        self.ports.setdefault(one.laddr.port, []).append(now)


class Workers:
    """The workers of one scenario."""

    def __init__(self, folder: Path, environment: dict[str, str], stand_in_url: str) -> None:
        self._folder = folder
        self._environment = {**os.environ, **environment}
        self._port = int(stand_in_url.rsplit(":", 1)[1])
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self.all: list[WorkerProcess] = []
        """Those that have ended, too."""
        self.running: list[WorkerProcess] = []

    def start(self, **environment: str) -> WorkerProcess:
        """Start a worker, with more variables if needed."""
        log = self._folder / f"worker-{len(self.all)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603  our own module
                [PYTHON, "-m", "batchlock", "worker", "--verbose"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**self._environment, **environment},
                cwd=self._folder,
            )
        worker = WorkerProcess(process, log)
        self.all.append(worker)
        self.running.append(worker)
        if not self._sampler.is_alive():
            self._sampler.start()
        return worker

    def kill(self, worker: WorkerProcess) -> None:
        """Kill a worker, and wait for its end."""
        worker.measure(self._port)
        self.running.remove(worker)
        worker.process.kill()
        worker.process.wait()

    def end(self, worker: WorkerProcess) -> int:
        """Let a worker end in good order; return its exit code."""
        worker.measure(self._port)
        self.running.remove(worker)
        worker.process.send_signal(signal.SIGTERM)
        try:
            return worker.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            return worker.process.wait()

    def watch_connections(self) -> None:
        """Note the connections of all workers from now on, for `caller`."""
        for worker in self.running:
            worker.is_watched = True

    def caller(self, call: Call) -> WorkerProcess | None:
        """Return the worker that made a call; None when its connection was never seen.

        The system gives the port of a closed connection to another process soon, so the worker
        that had the port at the time nearest to the call counts.
        """
        seen = [
            (min(abs(moment - call.time) for moment in moments), index)
            for index, worker in enumerate(self.all)
            if (moments := worker.ports.get(call.port))
        ]
        return self.all[min(seen)[1]] if seen else None

    def _sample(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            for worker in self.running:
                worker.measure(self._port)

    def close(self) -> list[int]:
        """End all workers in good order; return the exit codes of those that did not."""
        for worker in self.running:
            worker.process.send_signal(signal.SIGCONT)
        codes = [self.end(worker) for worker in list(self.running)]
        self._ended.set()
        return [code for code in codes if code not in (0, 128 + signal.SIGTERM)]


@contextmanager
def workers(folder: Path, environment: dict[str, str], stand_in_url: str) -> Iterator[Workers]:
    """Yield workers that run in `folder`; kill those that are left after the block."""
    group = Workers(folder, environment, stand_in_url)
    try:
        yield group
    finally:
        for worker in list(group.running):
            group.kill(worker)
