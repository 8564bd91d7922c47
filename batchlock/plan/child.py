"""Plan a run: a reader process turns a spreadsheet into a journal, within limits.

Parsers of workbooks can abort, hang or use all memory on a damaged file. In a process of their own
this becomes one sentence about the file, and the memory is released when the process ends. The
process writes the journal under a temporary name; only a complete journal gets its real name.

pebble (5.2) does not start the process: its busy workers outlive a parent that is killed, their
stdin is /dev/null, and they take neither the option -P nor a file for what a parser prints.
"""

import asyncio
import hashlib
import logging
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import batchlock
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import UnreadableFile
from batchlock.core.paths import refuse_missing_temporary_folder
from batchlock.plan.child_main import ReadFailure, ReadRequest, too_much_memory
from batchlock.store.journal import atomic_journal

# Rust prints this before python-calamine aborts because an allocation has failed.
_OUT_OF_MEMORY = "memory allocation of"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLimits:
    """How much time and memory the reading of one file may take."""

    timeout_seconds: float = 900.0
    memory_bytes: int = 4 * 2**30
    """Enforced on Linux only."""


class ReaderProcess:
    """A process that reads one file. It imports its parsers before the request arrives."""

    def __init__(self) -> None:
        """Start the process. Raises UsageError when no temporary file can be made."""
        refuse_missing_temporary_folder()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  closed in `close`
        self._process = subprocess.Popen(
            # -P: a file in the current folder must not pass for one of our modules.
            [sys.executable, "-P", "-m", "batchlock.plan.child_main"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A file and not a pipe: nobody reads it while the process runs.
            stderr=self._stderr,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(_module_path())},
        )

    def read(self, request: ReadRequest) -> bytes | None:
        """Send the request and wait for the reply (JSON); None when the process ends without one.

        It blocks until then. stdin stays open: the process exits when it closes.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(pickle.dumps(request))
            stdin.flush()
        except OSError:  # the process has ended already
            return None
        reply = stdout.read()
        return reply if self._process.wait() == 0 else None

    @property
    def exit_code(self) -> int | None:
        """The exit code, a signal as its negative number; None while the process runs."""
        return self._process.returncode

    def kill(self) -> None:
        """End the process if it runs."""
        self._process.kill()

    def stderr(self) -> str:
        """Return what the process has printed to stderr; only before `close`."""
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace")

    def close(self) -> None:
        """End the process and close its pipes; a second call does nothing."""
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout, self._stderr):
            assert pipe is not None
            # Closing stdin flushes what is left of a request that nobody reads any more.
            with suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()


async def plan(
    request: ReadRequest,
    limits: ReadLimits,
    *,
    cancel_token: CancelToken,
    reader: ReaderProcess | None = None,
) -> None:
    """Write the journal at `request.journal`, with every row of the file and every problem.

    `reader` is a process that was started early; without one, a new one is started. It is closed
    at the end.

    Raises UnreadableFile or UsageError as `read_table` does, UnreadableFile when the process
    crashes, exceeds a limit, or the content no longer has the hash `request.run_info.sha256`,
    BatchlockError when the journal cannot be written, and Cancelled.
    """
    with atomic_journal(request.journal) as draft:
        limited = replace(request, journal=draft, memory_bytes=limits.memory_bytes)
        try:
            await _read_in_process(
                limited, limits.timeout_seconds, cancel_token, reader or ReaderProcess()
            )
        finally:
            # The process deletes the folder itself unless it was killed.
            await asyncio.to_thread(shutil.rmtree, limited.unpack_folder, ignore_errors=True)
        if await asyncio.to_thread(sha256_of, request.file) != request.run_info.sha256:
            raise UnreadableFile(
                f"{request.file.name} changed while it was read. Wait until it is complete, then "
                "run again."
            )


def sha256_of(file: Path) -> str:
    """Return the hash of a file's content; raises UnreadableFile when it cannot be read."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UnreadableFile(
            f"{file} cannot be opened: {why}. Check its path, and who may read it."
        ) from None


async def _read_in_process(
    request: ReadRequest, timeout_seconds: float, cancel_token: CancelToken, reader: ReaderProcess
) -> None:
    """Wait for the reader's reply; raises as `plan` does."""
    loop = asyncio.get_running_loop()
    cancel_token.add_callback(reader.kill)
    deadline_monotonic = loop.time() + timeout_seconds
    timer = loop.call_at(deadline_monotonic, reader.kill)
    reading = asyncio.ensure_future(asyncio.to_thread(reader.read, request))
    try:
        # A thread cannot be cancelled: the process is killed instead, which ends the thread.
        reply = await asyncio.shield(reading)
    finally:
        in_time = loop.time() < deadline_monotonic
        timer.cancel()
        reader.kill()
        await asyncio.wait([reading])
        stderr = reader.stderr()
        reader.close()
    cancel_token.raise_if_cancelled()
    if reply is None and in_time:
        # A bug of ours or of a parser: the log file keeps the evidence.
        _log.error(
            "reading %s ended with %s; stderr: %s",
            request.file,
            reader.exit_code,
            stderr,
            extra={"file_only": True},
        )
    elif stderr:
        _log.debug("stderr while %s was read: %s", request.file, stderr)
    name = request.file.name
    if not in_time:
        raise UnreadableFile(
            f"{name}: reading it took more than {timeout_seconds:,.0f} seconds. Save it again as "
            "a new file, or split it."
        )
    if reply is None:
        raise _crash_error(request, stderr)
    if (failure := ReadFailure.from_json(reply)) is not None:
        raise failure.to_error()


def _crash_error(request: ReadRequest, stderr: str) -> UnreadableFile:
    name = request.file.name
    if _OUT_OF_MEMORY in stderr:
        return too_much_memory(name, request.memory_bytes)
    return UnreadableFile(
        f"{name}: it cannot be read; the file seems to be damaged. Open it in a spreadsheet "
        "program and save it as a new file."
    )


def _module_path() -> list[str]:
    """Return where the process finds modules: as here, but with the current folder last of all.

    `python -m batchlock` puts that folder first, where any file could pass for a module.
    """
    current_folder = {"", str(Path.cwd())}
    # The last entry is the same folder when batchlock runs from a checkout.
    package_parent = str(Path(batchlock.__file__).parent.parent)
    return [*(one for one in sys.path if one not in current_folder), package_parent]
