"""Plan a run: a spreadsheet becomes a journal, in a child process with limits.

Parsers of workbooks can abort, hang or eat the machine on a damaged file. In a process of their
own that is one sentence about the file, and what they took is given back when it ends. The
child writes a journal under a temporary name; only a whole one gets its real name.
"""

import asyncio
import hashlib
import json
import logging
import os
import pickle
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from batchlock.core import errors
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import UnreadableFile
from batchlock.plan.child_main import Request, needs_more_than
from batchlock.store.journal import atomic_journal

__all__ = ["Bounds", "Child", "Request", "plan", "sha256_of"]

_NO_MEMORY = b"memory allocation of"
"""What python-calamine says before it aborts."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What reading a file may take."""

    seconds: float = 900.0
    memory: int = 4 * 2**30
    """Bytes; where the system can hold a process to it."""


class Child:
    """A process that waits to be asked, started early because it takes a moment to be ready."""

    def __init__(self) -> None:
        self.words = tempfile.TemporaryFile()  # noqa: SIM115  closed with the child
        """What it says on the side."""
        self._process = subprocess.Popen(
            # -P: a file in the current folder must not pass for one of our modules
            [sys.executable, "-P", "-m", "batchlock.plan.child_main"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.words,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(_module_path())},
        )

    def ask(self, request: Request) -> Any:
        """Return the answer; None when it came to any other end."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(pickle.dumps(request))
            stdin.flush()
        except OSError:  # it has ended already
            return None
        answer = stdout.read()
        return json.loads(answer) if self._process.wait() == 0 else None

    @property
    def exit_code(self) -> int | None:
        """What it ended with, a signal as its negative number; None while it lives."""
        return self._process.returncode

    def kill(self) -> None:
        """End it, if it has not ended."""
        self._process.kill()

    def close(self) -> None:
        """End it, and give back what it held; a second time does nothing."""
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout, self.words):
            assert pipe is not None
            with suppress(BrokenPipeError):  # what it was never asked
                pipe.close()
        self._process.wait()


async def plan(
    request: Request, bounds: Bounds, *, cancel_token: CancelToken, child: Child | None = None
) -> None:
    """Make the journal at `request.journal`, with every row of the file and every problem.

    Raises UnreadableFile or UsageError as the loader does, UnreadableFile when the child came to
    any other end or the file is no longer what `request.about` says, and what pulled the brake.
    """
    with atomic_journal(request.journal) as draft:
        asked = replace(request, journal=draft, memory=bounds.memory)
        await _read_in_a_child(asked, bounds, cancel_token, child or Child())
        if await asyncio.to_thread(sha256_of, request.file) != request.about.sha256:
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
        raise UnreadableFile(f"{file} cannot be opened: {why}.") from None


async def _read_in_a_child(
    request: Request, bounds: Bounds, cancel_token: CancelToken, child: Child
) -> None:
    cancel_token.add_callback(child.kill)
    overdue = asyncio.get_running_loop().call_later(bounds.seconds, child.kill)
    asking = asyncio.ensure_future(asyncio.to_thread(child.ask, request))
    try:
        answer = await asyncio.shield(asking)
    finally:
        in_time = asyncio.get_running_loop().time() < overdue.when()
        overdue.cancel()
        child.kill()
        await asyncio.wait([asking])
        child.words.seek(0)
        words = child.words.read()
        child.close()
    if cancel_token.reason is not None:
        raise cancel_token.reason
    if answer is None and in_time:  # a fault of ours, or of a parser: its evidence is kept
        _log.error(
            "reading %s ended with %s, saying: %s",
            request.file,
            child.exit_code,
            words.decode(errors="replace"),
            extra={"file_only": True},
        )
    elif words:
        _log.debug("said while %s was read: %s", request.file, words.decode(errors="replace"))
    name = request.file.name
    if not in_time:
        raise UnreadableFile(
            f"{name}: reading it took more than {bounds.seconds:,.0f} seconds. Save it again as "
            "a new file, or split it."
        )
    if answer is None and _NO_MEMORY in words:
        raise UnreadableFile(needs_more_than(request.memory, name))
    if answer is None:
        raise UnreadableFile(
            f"{name}: it cannot be read; the file seems to be damaged. Open it in a spreadsheet "
            "program and save it as a new file."
        )
    if answer:
        kind = getattr(errors, answer.pop("error"))
        raise kind(answer.pop("message"), **answer)


def _module_path() -> list[str]:
    """Return where the child finds modules: as this process does, the current folder last of all.

    `python -m batchlock` puts that folder first, and a file there must not pass for a module.
    """
    here = {"", str(Path.cwd())}
    ours = str(Path(__file__).parent.parent)
    return [*(one for one in sys.path if one not in here), ours]
