"""Read a spreadsheet into a journal: the main module of the reader process.

    python -m batchlock.plan.child_main
    stdin    a ReadRequest (pickle); stays open as long as the parent lives
    stdout   a ReadFailure (JSON), null when the journal is complete

It imports as little as possible beside the parsers, because a run waits for these imports.
"""

import gc
import json
import os
import pickle
import shutil
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from batchlock.core.corrections import Correction
from batchlock.core.encodings import TextReading
from batchlock.core.errors import BatchlockError, DiskFull, Stopped, UnreadableFile, UsageError
from batchlock.core.org import OrgModule
from batchlock.core.rows import Field
from batchlock.core.runs import MIXED, RunInfo
from batchlock.store.journal import Journal

if TYPE_CHECKING:
    from batchlock.plan.read import ReadOptions, Table
    from batchlock.plan.validate import ValidationRules


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRequest:
    """Which file becomes which journal, and how it is read."""

    file: Path
    journal: Path
    run_info: RunInfo
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    explicit_columns: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "auto"
    earlier_encoding: str | None = None
    """What a person chose for a file with the same titles."""
    delimiter: str = "auto"
    sheet: str | None = None
    constants: Mapping[str, str] = field(default_factory=dict)
    """The one value of all rows, by field name: `module`, `reason` and `action`."""
    visible_only: bool = False
    header_row: int | None = None
    corrections: Sequence[Correction] = ()
    """Values that take the place of cells, before anything is checked."""
    custom_modules: Sequence[str] = ()
    org_modules: Sequence[OrgModule] = ()
    """The modules that the org has named."""
    lookup_lock_ids: bool = True
    memory_bytes: int = 4 * 2**30

    @property
    def unpack_folder(self) -> Path:
        """Where the table of an archive is unpacked: beside the journal, for as long as it takes.

        The name is that of a draft, so that the folder is deleted after a kill.
        """
        return self.journal.with_name(f"{self.journal.name}.unpacked.partial")


class FailureKind(StrEnum):
    """Which exception the parent raises for a failure."""

    USAGE = "usage"
    DISK_FULL = "disk_full"
    UNREADABLE = "unreadable"
    OTHER = "other"


# The more special types come first; `ReadFailure.of` takes the first that fits.
_ERROR_TYPES: Mapping[FailureKind, type[BatchlockError]] = {
    FailureKind.DISK_FULL: DiskFull,
    FailureKind.USAGE: UsageError,
    FailureKind.UNREADABLE: UnreadableFile,
    FailureKind.OTHER: BatchlockError,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFailure:
    """Why a file has not become a journal, as a value that crosses the process border."""

    kind: FailureKind
    message: str
    columns: tuple[str, ...] = ()
    sheets: tuple[str, ...] = ()
    readings: tuple[TextReading, ...] = ()
    samples: tuple[tuple[str, ...], ...] = ()
    page_message: str = ""

    @classmethod
    def of(cls, error: BatchlockError) -> "ReadFailure":
        """Return the failure that `to_error` turns into the same exception."""
        kind = next(kind for kind, one in _ERROR_TYPES.items() if isinstance(error, one))
        return cls(
            kind=kind,
            message=str(error),
            columns=error.columns,
            sheets=error.sheets,
            readings=error.readings,
            samples=error.samples,
            page_message=error.page_message,
        )

    def to_error(self) -> BatchlockError:
        """Return the exception that ends the command."""
        error_type = _ERROR_TYPES[self.kind]
        return error_type(
            self.message,
            columns=self.columns,
            sheets=self.sheets,
            readings=self.readings,
            samples=self.samples,
            page_message=self.page_message,
        )

    @classmethod
    def from_json(cls, reply: bytes) -> "ReadFailure | None":
        """Return the failure in a reply of the reader process; None when it has succeeded.

        The reply is JSON and not a pickle, because a hostile file may have taken over the process.
        """
        values = json.loads(reply)
        if values is None:
            return None
        return cls(
            kind=FailureKind(values["kind"]),
            message=values["message"],
            columns=tuple(values["columns"]),
            sheets=tuple(values["sheets"]),
            readings=tuple(
                TextReading(
                    encoding=reading["encoding"],
                    label=reading["label"],
                    samples=tuple(reading["samples"]),
                )
                for reading in values["readings"]
            ),
            samples=tuple(map(tuple, values["samples"])),
            page_message=values["page_message"],
        )


def main() -> None:
    """Run the reader process: import the parsers, wait for the request, answer it."""
    # A table has no reference cycles, and half of the time goes into imports: collect seldom.
    gc.set_threshold(50_000)
    # Ctrl-C reaches the whole process group. The parent decides when the reader ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whatever a parser prints to stdout goes to stderr, so that it does not mix with the reply.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # These imports take as long as those of the parent, which runs at the same time.
    from batchlock.plan import read, validate  # noqa: F401

    request = pickle.load(sys.stdin.buffer)  # noqa: S301  from our own parent
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    # Before any parser sees the file.
    _limit_memory(request.memory_bytes)
    failure = failure_of(request)
    with replies:
        # JSON is ASCII, whatever the encoding of the locale is.
        json.dump(None if failure is None else asdict(failure), replies)


def plan_file(request: ReadRequest) -> None:
    """Read the file into the journal, in this process.

    Raises UnreadableFile or UsageError as `read_table` does, Stopped when the disk is full, and
    BatchlockError when the journal cannot be written.
    """
    try:
        _plan_table(request)
    finally:
        shutil.rmtree(request.unpack_folder, ignore_errors=True)


def _plan_table(request: ReadRequest) -> None:
    from batchlock.plan.corrections import Corrector
    from batchlock.plan.notes import NoteCollector
    from batchlock.plan.read import read_table
    from batchlock.plan.source_rows import SourceRows
    from batchlock.plan.validate import check

    table = read_table(request.file, _read_options(request))
    rules = _validation_rules(request, table)
    collector = NoteCollector(table)
    corrector = Corrector(request.corrections, table)
    source_rows = SourceRows()
    with Journal.create(request.journal, request.run_info) as journal:
        positions = range(len(table.titles))
        labels: dict[str, str] = {}
        for chunk in table.chunks:
            corrector.apply(chunk)
            source_rows.add(chunk)
            checked = check(chunk, table.titles, table.fields, rules)
            columns = [chunk[position].tolist() for position in positions]
            journal.add(
                zip(chunk.index.tolist(), zip(*columns, strict=True), strict=True),
                updates=checked.updates,
                problems=checked.problems,
                finished=checked.finished,
            )
            collector.add(chunk, checked)
            labels |= checked.labels
        titles = {name: table.titles[position] for name, position in table.fields.items()}
        # A column may be absent; problems name it then by its usual title.
        usual = {field: field.replace("_", " ").title() for field in Field}
        notes = journal.check_whole_file({**usual, **titles})
        journal.set_reading(
            replace(
                table.reading,
                notes=(*table.reading.notes, *corrector.notes(), *collector.notes(), *notes),
                corrections=tuple(corrector.applied),
                source_rows=source_rows.spans,
                result_samples=tuple(source_rows.samples),
                rows_left_out=len(table.left_out),
                labels=labels,
            )
        )
        journal.set_info(
            replace(
                request.run_info,
                sheet=table.sheet,
                encoding=table.encoding,
                delimiter=table.delimiter,
                titles=table.titles,
                action=_action_of_rows(journal, table) or request.run_info.action,
            )
        )


def _action_of_rows(journal: Journal, table: "Table") -> str | None:
    """Return the action of the rows to be sent, MIXED for several, None for that of the command."""
    if Field.ACTION not in table.fields:
        return None
    actions = {one.action for one in journal.planned_modules()}
    return MIXED if len(actions) > 1 else next(iter(actions), None)


def too_much_memory(file_name: str, memory_bytes: int) -> UnreadableFile:
    """Return the refusal of a file whose reading exceeds the memory limit."""
    return UnreadableFile(
        f"{file_name}: reading it takes more than {memory_bytes / 2**30:.1f} GiB of memory. Save "
        "only the table as a new file, or split it."
    )


def failure_of(request: ReadRequest) -> ReadFailure | None:
    """Plan the file as `plan_file` does; return why that failed, None when it did not."""
    try:
        plan_file(request)
    except Stopped:
        # A full disk. `Stopped` promises a run that can be resumed, and there is none yet.
        return ReadFailure(
            kind=FailureKind.DISK_FULL,
            message=f"The disk with {request.journal.parent} is full. Nothing was sent. Make "
            "room, then run again.",
        )
    except BatchlockError as error:
        return ReadFailure.of(error)
    except MemoryError:
        return ReadFailure.of(too_much_memory(request.file.name, request.memory_bytes))
    return None


def _read_options(request: ReadRequest) -> "ReadOptions":
    from batchlock.plan.constants import read_constants
    from batchlock.plan.read import ReadOptions

    return ReadOptions(
        columns=request.columns,
        explicit_columns=request.explicit_columns,
        encoding=request.encoding,
        earlier_encoding=request.earlier_encoding,
        delimiter=request.delimiter,
        sheet=request.sheet,
        lock_id_needed=not request.lookup_lock_ids,
        constants=read_constants(request.constants, request.custom_modules, request.org_modules),
        custom_modules=tuple(request.custom_modules),
        org_modules=tuple(request.org_modules),
        visible_only=request.visible_only,
        header_row=request.header_row,
        unpack_folder=request.unpack_folder,
    )


def _validation_rules(request: ReadRequest, table: "Table") -> "ValidationRules":
    from batchlock.plan.validate import ValidationRules

    return ValidationRules(
        custom_modules=tuple(request.custom_modules),
        org_modules=tuple(request.org_modules),
        lookup_lock_ids=request.lookup_lock_ids,
        constants=table.constants,
        from_text=table.sheet is None,
    )


def _limit_memory(memory_bytes: int) -> None:
    # Since Linux 4.7 RLIMIT_DATA counts everything that a parser allocates. RLIMIT_AS would also
    # count mapped libraries and reserved address space.
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


def _exit_with_parent() -> None:
    # stdin ends when the parent ends, even if the parent is killed. `os._exit` does not wait for
    # the main thread, which may be in a parser that never returns.
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
