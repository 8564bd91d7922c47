"""Read a spreadsheet into a journal: what the child process of `plan` does.

    python -m batchlock.plan.child_main
    stdin    the request (pickle); open as long as the parent lives
    stdout   the answer (JSON): {} or the error that ends the command

It imports as little as it can beside the parsers, since nothing happens before it has.
"""

import gc
import json
import os
import pickle
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from batchlock.core.errors import BatchlockError, Stopped, UnreadableFile, UsageError
from batchlock.core.rows import Field
from batchlock.store.journal import Journal, RunInfo

if TYPE_CHECKING:
    from batchlock.plan.read import ReadOptions
    from batchlock.plan.validate import ValidationRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the child is asked."""

    file: Path
    journal: Path
    about: RunInfo
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    explicit_columns: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "auto"
    delimiter: str = "auto"
    sheet: str | None = None
    custom_modules: Sequence[str] = ()
    lookup_lock_ids: bool = True
    memory: int = 4 * 2**30


def main() -> None:
    """Be the child."""
    gc.set_threshold(50_000)  # a table has no cycles, and half of the time goes into imports
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a parser prints is no answer
    from batchlock.plan import read, validate  # noqa: F401  while the parent is not ready yet

    request = pickle.load(sys.stdin.buffer)  # noqa: S301  from our own parent
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    _hold_to(request.memory)
    answer: dict[str, object] = {}
    try:
        plan_file(request)
    except Stopped:  # by a full disk; there is no run that could be resumed
        answer = {
            "error": UsageError.__name__,
            "message": f"The disk with {request.journal.parent} is full. Nothing was sent. Make "
            "room, then run again.",
        }
    except BatchlockError as error:
        answer = {
            "error": type(error).__name__,
            "message": str(error),
            "columns": error.columns,
            "sheets": error.sheets,
        }
    except MemoryError:
        answer = {
            "error": UnreadableFile.__name__,
            "message": needs_more_than(request.memory, request.file.name),
        }
    with answers:
        json.dump(answer, answers)


def plan_file(request: Request) -> None:
    """Read the file into the journal, in this process."""
    from batchlock.plan.read import read_table
    from batchlock.plan.validate import check

    table = read_table(request.file, _read_options(request))
    rules = _validation_rules(request)
    with Journal.create(request.journal, request.about) as journal:
        positions = range(len(table.titles))
        for chunk in table.chunks:
            checked = check(chunk, table.titles, table.fields, rules)
            columns = [chunk[position].tolist() for position in positions]
            journal.add(
                zip(chunk.index.tolist(), zip(*columns, strict=True), strict=True),
                updates=checked.updates,
                problems=checked.problems,
                finished=checked.finished,
            )
        titles = {one: table.titles[position] for one, position in table.fields.items()}
        journal.check_whole_file(
            {Field.LOCK_ID: "Lock Id", **titles}
        )  # a column that may be absent
        journal.set_info(
            replace(
                request.about,
                sheet=table.sheet,
                encoding=table.encoding,
                delimiter=table.delimiter,
                titles=table.titles,
            )
        )


def needs_more_than(memory: int, name: str) -> str:
    """Say that reading a file takes more than so many bytes of memory."""
    return (
        f"{name}: reading it takes more than {memory / 2**30:.1f} GiB of memory. Save only the "
        "table as a new file, or split it."
    )


def _read_options(request: Request) -> "ReadOptions":
    from batchlock.plan.read import ReadOptions

    return ReadOptions(
        columns=request.columns,
        explicit_columns=request.explicit_columns,
        encoding=request.encoding,
        delimiter=request.delimiter,
        sheet=request.sheet,
        lock_id_needed=not request.lookup_lock_ids,
    )


def _validation_rules(request: Request) -> "ValidationRules":
    from batchlock.plan.validate import ValidationRules

    return ValidationRules(
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
