"""Plan a run: a spreadsheet becomes a journal, in a child process with limits.

Parsers of workbooks can abort, hang or eat the machine on a damaged file. In a process of their
own that is one sentence about the file, and what they took is given back when it ends. The
child writes a journal under a temporary name; only a whole one gets its real name.

    parent ─ request (pickle) ─▶ stdin of the child; open as long as the parent lives
    parent ◀─ answer (JSON) ─── stdout of the child: {} or the error that ends the command
"""

import asyncio
import json
import logging
import os
import pickle
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from batchlock import errors
from batchlock.brake import Brake
from batchlock.errors import BatchlockError, UnreadableFile
from batchlock.journal import About, Journal, whole
from batchlock.model import Field

if TYPE_CHECKING:
    from batchlock.loader import Reading
    from batchlock.validator import Rules

_log = logging.getLogger(__name__)

_TITLES = {
    Field.MODULE: "Module",
    Field.RECORD_ID: "Record Id",
    Field.LOCK_ID: "Lock Id",
    Field.REASON: "Reason",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What reading a file may take."""

    seconds: float = 900.0
    memory: int = 4 * 2**30
    """Bytes; where the system can hold a process to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the child is asked."""

    file: Path
    journal: Path
    about: About
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    chosen: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "auto"
    delimiter: str = "auto"
    sheet: str | None = None
    custom_modules: Sequence[str] = ()
    lookup_lock_ids: bool = True
    memory: int = 4 * 2**30


async def plan(request: Request, bounds: Bounds, *, brake: Brake) -> None:
    """Make the journal at `request.journal`, with every row of the file and every problem.

    Raises UnreadableFile or UsageError as the loader does, UnreadableFile when the child came to
    any other end, and what pulled the brake.
    """
    with whole(request.journal) as draft:
        asked = replace(request, journal=draft, memory=bounds.memory)
        await _read_in_a_child(asked, bounds, brake)


async def _read_in_a_child(request: Request, bounds: Bounds, brake: Brake) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # a file in the current folder must not pass for one of our modules
        "-m",
        __name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(_module_path())},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None

    def kill() -> None:
        if child.returncode is None:
            child.kill()

    brake.on_pull(kill)
    overdue = asyncio.get_running_loop().call_later(bounds.seconds, kill)
    try:
        child.stdin.write(pickle.dumps(request))
        answer, words = await asyncio.gather(child.stdout.read(), child.stderr.read())
        status = await child.wait()
    finally:
        in_time = asyncio.get_running_loop().time() < overdue.when()
        overdue.cancel()
        kill()
        child.stdin.close()
        await asyncio.gather(child.stdout.read(), child.stderr.read(), child.wait())
    if brake.why is not None:
        raise brake.why
    if words:
        _log.debug("said while %s was read: %s", request.file, words.decode(errors="replace"))
    name = request.file.name
    if not in_time:
        raise UnreadableFile(
            f"{name}: reading it took more than {bounds.seconds:,.0f} seconds. Save it again as "
            "a new file, or split it."
        )
    if status != 0:
        raise UnreadableFile(
            f"{name}: it cannot be read; the file seems to be damaged. Open it in a spreadsheet "
            "program and save it as a new file."
        )
    told = json.loads(answer)
    if told:
        raise getattr(errors, told["error"])(told["message"])


def _module_path() -> list[str]:
    """Return where the child finds modules: as this process does, the current folder last of all.

    `python -m batchlock` puts that folder first, and a file there must not pass for a module.
    """
    here = {"", str(Path.cwd())}
    ours = str(Path(__file__).parent.parent)
    return [*(one for one in sys.path if one not in here), ours]


def main() -> None:
    """Be the child."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a parser prints is no answer
    request = pickle.load(sys.stdin.buffer)  # noqa: S301  from our own parent
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    _hold_to(request.memory)
    answer = {}
    try:
        read(request)
    except BatchlockError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    except MemoryError:
        answer = {
            "error": UnreadableFile.__name__,
            "message": f"{request.file.name}: reading it takes more than "
            f"{request.memory / 2**30:.1f} GiB of memory. Save only the table as a new file, or "
            "split it.",
        }
    with answers:
        json.dump(answer, answers)


def read(request: Request) -> None:
    """Read the file into the journal, in this process."""
    from batchlock import loader, validator

    table = loader.read(request.file, _reading(request))
    rules = _rules(request)
    with Journal.create(request.journal, request.about) as journal:
        positions = range(len(table.titles))
        for chunk in table.chunks:
            checked = validator.check(chunk, table.titles, table.fields, rules)
            columns = [chunk[position].tolist() for position in positions]
            journal.add(
                zip(chunk.index.tolist(), zip(*columns, strict=True), strict=True),
                updates=checked.updates,
                problems=checked.problems,
                finished=checked.finished,
            )
        titles = {one: table.titles[position] for one, position in table.fields.items()}
        journal.compare({**_TITLES, **titles})
        journal.set_about(
            replace(
                request.about,
                sheet=table.sheet,
                encoding=table.encoding,
                delimiter=table.delimiter,
                titles=table.titles,
            )
        )


def _reading(request: Request) -> "Reading":
    from batchlock.loader import Reading

    return Reading(
        columns=request.columns,
        chosen=request.chosen,
        encoding=request.encoding,
        delimiter=request.delimiter,
        sheet=request.sheet,
        lock_id_needed=not request.lookup_lock_ids,
    )


def _rules(request: Request) -> "Rules":
    from batchlock.validator import Rules

    return Rules(
        custom_modules=tuple(request.custom_modules), lookup_lock_ids=request.lookup_lock_ids
    )


def _hold_to(memory: int) -> None:
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


def _end_with_the_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
