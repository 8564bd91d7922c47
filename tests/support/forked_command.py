"""Commands in processes that are forked from one which has loaded the package already.

A new process of batchlock spends 1.2 s of CPU on loading its modules, and 0.8 s more in its reader
process; a fork spends a few milliseconds. It runs the same code from `main` on, has its own streams
and signal handlers, and can be killed. Tests of the start of a process use `started`.
"""

import functools
import importlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import IO

from batchlock.cli import main
from batchlock.plan import child, child_main
from support.commands import TIMEOUT_SECONDS, Process, run_with_input, started
from support.forked_reader import CAN_FORK, start_server

Preparation = Callable[[], object]


@contextmanager
def forked(*arguments: object, before: Preparation | None = None) -> Iterator[Process]:
    """Start a command, and kill it if it is still there when the block ends.

    `before` is called in the new process before `main`; it must be a function of tests/support, or
    a partial one. Only a fork can call it.
    """
    if not CAN_FORK and before is None:
        with started(*arguments) as real_process:
            yield real_process
        return
    process = ForkedCommand([str(argument) for argument in arguments], before=before)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run_forked(
    arguments: list[str], *, typed: str = "", **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command that reads `typed` from standard input, with variables added."""
    if not CAN_FORK:
        return run_with_input(arguments, typed=typed, **environment)
    process = ForkedCommand(arguments, typed=typed, environment=environment)
    try:
        out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    finally:
        process.kill()
    return subprocess.CompletedProcess(arguments, process.wait(), out, err)


def run_on(
    arguments: Sequence[object],
    *,
    stdin: int | None = -1,
    stdout: int | None = -1,
    stderr: int | None = -1,
) -> int:
    """Run a command with open files as its streams, and return its exit code.

    None is a closed stream, as the shell's `>&-` leaves it. -1 is a null device.
    """
    process = ForkedProcess([str(argument) for argument in arguments], stdin, stdout, stderr)
    try:
        return process.wait(TIMEOUT_SECONDS)
    finally:
        process.kill()


class ForkedProcess:
    """A fork whose streams are files that the caller has opened; None and -1 as in `run_on`."""

    def __init__(
        self,
        arguments: list[str],
        *streams: int | None,
        before: Preparation | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        start_server()
        # A `Connection` is what multiprocessing can pass to a process that it starts.
        ends = tuple(
            None
            if stream is None
            else Connection(os.open(os.devnull, os.O_RDWR) if stream == -1 else os.dup(stream))
            for stream in streams
        )
        self._process = get_context("forkserver").Process(
            target=run_with,
            args=(ends, {**os.environ, **(environment or {})}, arguments, pickle.dumps(before)),
            daemon=True,
        )
        self._process.start()
        for end in ends:
            if end is not None:
                end.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired("batchlock", timeout)
        return code

    def kill(self) -> None:
        self._process.kill()

    def send_signal(self, number: int) -> None:
        if self._process.exitcode is None:
            os.kill(self.pid, number)


class ForkedCommand(ForkedProcess):
    """The part of `subprocess.Popen` that tests use, for a fork."""

    def __init__(
        self,
        arguments: list[str],
        *,
        typed: str = "",
        before: Preparation | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        stdin, typing = os.pipe()
        os.write(typing, typed.encode())  # a pipe takes the few lines that a person types
        os.close(typing)
        stdout, output = os.pipe()
        stderr, errors = os.pipe()
        self.stdout: IO[str] = os.fdopen(stdout, encoding="utf-8")
        self.stderr: IO[str] = os.fdopen(stderr, encoding="utf-8")
        super().__init__(arguments, stdin, output, errors, before=before, environment=environment)
        for end in (stdin, output, errors):
            os.close(end)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Return what the process prints from now on; end when it has ended."""
        texts = {}

        def read(stream: IO[str]) -> None:
            texts[stream] = "" if stream.closed else stream.read()
            stream.close()

        readers = [threading.Thread(target=read, args=(one,)) for one in (self.stdout, self.stderr)]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
        return texts[self.stdout], texts[self.stderr]


def run_with(
    ends: tuple[Connection | None, ...],
    environment: dict[str, str],
    arguments: list[str],
    before: bytes,
) -> None:
    """Be a process of batchlock with these ends as its stdin, stdout and stderr; None is closed."""
    os.setsid()  # without a terminal, secrets are read from standard input
    os.environ.clear()
    os.environ.update(environment)
    for number, end in enumerate(ends):
        if end is not None:
            os.dup2(end.fileno(), number)
            end.close()
    spare_reader = SpareReader()
    readers = iter([spare_reader])
    new_reader = child.ReaderProcess
    child.ReaderProcess = lambda: next(readers, None) or new_reader()  # type: ignore[assignment,misc]
    sys.argv = ["batchlock", *arguments]
    # The name keeps these streams open when `protect` replaces them.
    streams = (
        os.fdopen(0, closefd=False),
        os.fdopen(1, "w", encoding="utf-8", closefd=False),
        os.fdopen(2, "w", encoding="utf-8", closefd=False),
    )
    sys.stdin, sys.stdout, sys.stderr = streams
    for number, (name, end) in enumerate(zip(("stdin", "stdout", "stderr"), ends, strict=True)):
        if end is None:
            os.close(number)
            setattr(sys, name, None)  # as Python does at its start
    if (prepare := pickle.loads(before)) is not None:
        prepare()
    main()


def end_at(place: str, moment: str) -> None:
    """Let this process kill itself at a step: `place` is `module:function`, or `…:class.function`.

    `moment` is "before" or "after".
    """
    module, _, path = place.partition(":")
    *outer, name = path.split(".")
    owner = functools.reduce(getattr, outer, importlib.import_module(module))
    function = getattr(owner, name)

    def kill(*arguments: object, **options: object) -> None:
        if moment == "after":
            function(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, kill)


class SpareReader(child.ReaderProcess):
    """The reader process of a forked command: a fork of it that is made before `main`.

    The command has threads later, and a process with threads cannot be forked. The reader ends
    with the command, whether it was used or not.
    """

    def __init__(self) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  closed in `close`
        self._process = ForkedChild(self._stderr.fileno())  # type: ignore[assignment]


class ForkedChild:
    """The part of `subprocess.Popen` that a `ReaderProcess` uses, for a fork of this process."""

    def __init__(self, stderr: int) -> None:
        request_end, stdin = os.pipe()
        stdout, reply_end = os.pipe()
        self.returncode: int | None = None
        self._waiting = threading.Lock()
        self._pid = os.fork()
        if self._pid == 0:
            for number, end in enumerate((request_end, reply_end, stderr)):
                os.dup2(end, number)
            os.closerange(3, 256)  # among them our copy of `stdin`, whose end ends the reader
            sys.stdin = os.fdopen(0, closefd=False)
            code = 1
            try:
                child_main.main()
                code = 0
            finally:
                os._exit(code)
        os.close(request_end)
        os.close(reply_end)
        self.stdin = os.fdopen(stdin, "wb")
        self.stdout = os.fdopen(stdout, "rb")

    def wait(self) -> int:
        with self._waiting:
            if self.returncode is None:
                _, status = os.waitpid(self._pid, 0)
                self.returncode = os.waitstatus_to_exitcode(status)
            return self.returncode

    def kill(self) -> None:
        if self.returncode is None:
            os.kill(self._pid, signal.SIGKILL)
