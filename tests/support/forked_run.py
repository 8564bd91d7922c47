"""Processes that send the runs of a page, forked like other commands.

They are processes of their own, as always: the id is in the record of the run, and they can be
killed and suspended, and outlive a server that is a process itself. Only the start differs: a new
process of batchlock spends 2 s of CPU on it.
"""

import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

from batchlock.web import run_process
from support.forked_command import run_with
from support.forked_reader import CAN_FORK, start_server


class ForkedRun:
    """The part of `subprocess.Popen` that the queue of a page uses, for a fork."""

    def __init__(self, arguments: Sequence[str], stderr: IO[bytes]) -> None:
        start_server()
        self.returncode: int | None = None
        errors = Connection(os.dup(stderr.fileno()), readable=False)
        self._process = get_context("forkserver").Process(
            target=send_run, args=(list(arguments), dict(os.environ), errors), daemon=True
        )
        self._process.start()
        errors.close()

    def poll(self) -> int | None:
        self.returncode = self._process.exitcode
        return self.returncode

    def kill(self) -> None:
        """Kill the process, and wait for its end."""
        self._process.kill()
        self._process.join()


def send_run(
    arguments: list[str], environment: dict[str, str], errors: Connection | None = None
) -> None:
    """Be the process that sends a run, with no other stream than `errors`."""
    ends = [Connection(os.open(os.devnull, os.O_RDWR)) for _ in range(3)]
    if errors is not None:
        ends[2] = errors
    run_with(tuple(ends), environment, arguments, pickle.dumps(None))


@contextmanager
def forked_runs() -> Iterator[None]:
    """Let the pages of this process fork the processes of runs during the block; kill them then."""
    if not CAN_FORK:
        yield
        return
    runs: list[ForkedRun] = []

    def start(arguments: Sequence[str], stderr: IO[bytes]) -> ForkedRun:
        runs.append(ForkedRun(arguments, stderr))
        return runs[-1]

    with _starting_by(start):
        try:
            yield
        finally:
            for run in runs:
                run.kill()


def prepare_server(folder: Path) -> None:
    """Let this process become a server that forks the processes of its runs.

    It sees none of the user's settings, so that it can be shared by tests whose home differs. The
    ids of the processes are in a file, for `kill_forked_runs`.

    The server has threads later, and a process with threads cannot be forked. So another process
    is forked now, which forks itself for each run, and ends with the server.
    """
    for name in [name for name in os.environ if name.startswith(("BATCHLOCK_", "XDG_"))]:
        del os.environ[name]
    os.environ |= dict.fromkeys(("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"), str(folder))
    os.chdir(folder)
    requests, replies = Pipe()
    if os.fork() == 0:
        requests.close()
        # The streams of the server must end with it.
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        with suppress(EOFError):
            _start_runs(replies, folder / _PROCESSES)
        os._exit(0)
    replies.close()
    starter = _Starter(requests)
    run_process.start_process = lambda arguments, _: RunOfServer(starter, arguments)  # type: ignore[assignment,return-value]


def kill_forked_runs(folder: Path) -> None:
    """Kill the processes of the runs of servers that had this folder."""
    file = folder / _PROCESSES
    for process in file.read_text().split() if file.exists() else ():
        # Another process may have got the id meanwhile.
        with suppress(OSError):
            if b"forkserver" in Path(f"/proc/{process}/cmdline").read_bytes():
                os.kill(int(process), signal.SIGKILL)


class RunOfServer:
    """The part of `subprocess.Popen` that the queue uses, in a server that was forked."""

    def __init__(self, starter: "_Starter", arguments: Sequence[str]) -> None:
        self.returncode: int | None = None
        self._starter = starter
        self._pid = starter.ask(list(arguments))

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._starter.ask(self._pid)
        return self.returncode


_PROCESSES = "processes-of-runs"


class _Starter:
    """The server's end of the process that starts its runs."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self._connection = connection
        self._asking = threading.Lock()

    def ask(self, question: list[str] | int) -> Any:
        """Start a command and return its process id, or return the exit code of such a process."""
        with self._asking:
            self._connection.send(question)
            return self._connection.recv()


def _start_runs(connection: "Connection[Any, Any]", processes: Path) -> None:
    """Fork this process for each command that the server sends; tell the exit codes."""
    while True:
        question = connection.recv()
        if isinstance(question, int):
            process_id, status = os.waitpid(question, os.WNOHANG)
            connection.send(os.waitstatus_to_exitcode(status) if process_id else None)
            continue
        process_id = os.fork()
        if process_id == 0:
            connection.close()
            _become_run(question)
        with processes.open("a") as file:
            file.write(f"{process_id}\n")
        connection.send(process_id)


def _become_run(arguments: list[str]) -> None:
    code: object = 1
    try:
        send_run(arguments, dict(os.environ))
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code if isinstance(code, int) else 1)


@contextmanager
def _starting_by(start: Callable[[Sequence[str], IO[bytes]], object]) -> Iterator[None]:
    previous = run_process.start_process
    run_process.start_process = start  # type: ignore[assignment]
    try:
        yield
    finally:
        run_process.start_process = previous
