"""Plan files in a reader process, and watch the processes that read."""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from batchlock.core.cancel import CancelToken
from batchlock.core.rows import Update
from batchlock.plan.child import ReadLimits, plan
from batchlock.plan.child_main import ReadRequest
from batchlock.store.journal import Journal
from support.run_info import run_info

HEADER = "Module,Record Id,Lock Id,Reason\n"
VALID_ROW = "Leads,5843104000000425565,5843104000000425777,Under review\n"
SECOND_ROW = "sales orders,5843104000000425566,5843104000000425778,Ärger\n"


def text_file(folder: Path, text: str, name: str = "in.csv") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8", newline="")
    return file


def request_for(file: Path) -> ReadRequest:
    content = file.read_bytes() if file.is_file() else b""
    info = run_info(
        file=str(file), sha256=hashlib.sha256(content).hexdigest(), titles=(), settings={}
    )
    folder = file.parent / "state"
    folder.mkdir(exist_ok=True)
    return ReadRequest(file=file, journal=folder / "run.journal", run_info=info)


def plan_in_process(
    request: ReadRequest, limits: ReadLimits | None = None, cancel_token: CancelToken | None = None
) -> None:
    asyncio.run(plan(request, limits or ReadLimits(), cancel_token=cancel_token or CancelToken()))


def planned_updates(request: ReadRequest) -> list[Update]:
    """Plan a file and return its first ten updates."""
    plan_in_process(request)
    with Journal.open(request.journal) as journal:
        return journal.commit_batch([], claim=10)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true; fail when it is not after two minutes."""
    for _ in range(2_400):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("The condition has not become true.")


def reader_processes(parent: int) -> list[int]:
    """Return the reader processes of a process, without those that have ended."""
    readers = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, ppid = stat.read_text().rpartition(")")[2].split()[:2]
            command = stat.with_name("cmdline").read_bytes()
        except OSError:  # it has ended in between
            continue
        if int(ppid) == parent and state != "Z" and b"-m\0batchlock.plan.child_main" in command:
            readers.append(int(stat.parent.name))
    return readers


def has_reader(pipe: Path) -> bool:
    """Tell whether a process has the pipe open to read it."""
    try:
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


@contextmanager
def pipe_writer(pipe: Path) -> Iterator[int]:
    """Wait until a process reads the pipe; yield the end to write to, and close it at the end."""
    writers: list[int] = []

    def opened() -> bool:
        # Without a reader, opening the pipe for writing fails with ENXIO.
        with suppress(OSError):
            writers.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        return bool(writers)

    wait_until(opened)
    try:
        yield writers[0]
    finally:
        os.close(writers[0])
