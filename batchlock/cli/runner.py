"""Build the settings and the `Engine` of a command from its options."""

import os
import stat
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchlock.cli.context import Context
from batchlock.cli.options import CommandOptions
from batchlock.core.errors import UnreadableFile, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batchlock.config import Settings
    from batchlock.engine import Engine
    from batchlock.plan.child import ReaderProcess

# Paths that name a file of the process which opens them. The child process that reads the table
# would open its own standard input under such a name.
_PER_PROCESS_PATHS = ("/dev/stdin", "/dev/fd/", "/proc/self/")


@contextmanager
def open_engine(
    context: Context,
    options: CommandOptions,
    *,
    file: Path | None = None,
    action: str | None = None,
) -> "Iterator[Engine]":
    """Yield the engine of a command, with its log open; `action` is the one of all rows.

    With a `file` to read, the child process for that starts at once, since it takes as long to load
    as the modules of this process. Raises UnreadableFile and UsageError.
    """
    if file is not None:
        _refuse_pipe_or_device(file)
    with ExitStack() as stack:
        reader = stack.enter_context(_reader()) if file is not None else None
        yield stack.enter_context(_engine(context, options, reader, action))


def _refuse_pipe_or_device(file: Path) -> None:
    """Raise UnreadableFile for a pipe or device.

    Its table can be read once only, but the file is read for its hash and for its rows. A read may
    also wait forever.
    """
    try:
        mode = file.stat().st_mode
    except OSError:
        return  # the code that opens the file reports the reason
    is_per_process = str(file.absolute()).startswith(_PER_PROCESS_PATHS)
    if is_per_process or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise UnreadableFile(
            f"{file} is a pipe or device, not a file. Save the table to a file first."
        )


@contextmanager
def _reader() -> "Iterator[ReaderProcess]":
    from batchlock.plan.child import ReaderProcess

    reader = ReaderProcess()
    try:
        yield reader
    finally:
        reader.close()


@contextmanager
def _engine(
    context: Context,
    options: CommandOptions,
    reader: "ReaderProcess | None",
    action: str | None,
) -> "Iterator[Engine]":
    from batchlock.cli.confirm import confirm_unlocks
    from batchlock.cli.logs import log_to
    from batchlock.cli.progress import TerminalProgress
    from batchlock.core.options import RunOptions

    settings = load_settings(options)
    progress = TerminalProgress(bar=not options.no_progress and not options.quiet)
    context.state_folder = settings.state
    with log_to(settings.state, verbose=options.verbose, quiet=options.quiet):
        run_options = RunOptions(
            output=options.output,
            overwrite=options.overwrite,
            sheet=options.sheet,
            columns=_parse_columns(options.columns),
            constants={
                field: value
                for field, value in (
                    ("module", options.module),
                    ("reason", options.reason),
                    ("action", action),
                )
                if value is not None
            },
            visible_only=options.visible_only,
            change_reason=options.change_reason,
            simulate=options.simulate,
            fresh=options.fresh,
            detach=options.detach,
            typed=_for_the_worker(options),
            config=options.config,
        )
        cancel_token = context.signals.cancel_token
        engine = _engine_class(settings, options)(
            settings,
            run_options,
            cancel_token,
            progress,
            reader=reader,
            confirm_unlocks=confirm_unlocks(context, yes=options.yes),
        )
        try:
            yield engine
        finally:
            progress.close()
            engine.close()


def _engine_class(settings: "Settings", options: CommandOptions) -> "type[Engine]":
    """Return the engine that sends, or the one that lets workers send.

    A rehearsal is sent here in any case, by the stand-in that it starts.
    """
    from batchlock.engine import Engine

    if settings.database_url is None or options.simulate:
        if options.detach:
            raise UsageError(
                "--detach leaves a run to the workers that share a database. Without the setting "
                "`database` nobody would send it; leave --detach out."
            )
        return Engine
    from batchlock.fleet.engine import SharedEngine

    return SharedEngine


def load_settings(
    options: CommandOptions, more: "Mapping[tuple[str, ...], str | None] | None" = None
) -> "Settings":
    """Return the settings; some options replace a setting, also those in `more`.

    Raises UsageError.
    """
    from batchlock.config import load

    replacements: dict[tuple[str, ...], Any] = {
        ("input", "encoding"): options.encoding,
        ("input", "delimiter"): options.delimiter,
        ("limits", "in_flight"): options.in_flight,
        ("limits", "per_second"): options.per_second,
        ("stop", "max_runtime"): options.max_runtime,
        ("stop", "until"): options.until,
        # The flag can switch strict on, but its absence must not switch input.strict off.
        ("input", "strict"): options.strict or None,
        **(more or {}),
    }
    typed = {key: value for key, value in replacements.items() if value is not None}
    if options.simulate:
        # A rehearsal belongs to this machine, as its stand-in does.
        typed |= {(name,): "" for name in ("database", "database_file", "database_command")}
    return load(file=options.config, environment=os.environ, options=typed)


def _for_the_worker(options: CommandOptions) -> dict[str, Any]:
    """Return the settings of the command line that another process obeys when it sends."""
    values = {
        "limits.in_flight": options.in_flight,
        "limits.per_second": options.per_second,
        "stop.max_runtime": options.max_runtime,
        "stop.until": options.until,
    }
    return {name: value for name, value in values.items() if value is not None}


def _parse_columns(texts: tuple[str, ...]) -> dict[str, str]:
    from batchlock.core.rows import Field

    columns = {}
    for text in texts:
        name, equals, title = text.partition("=")
        name = name.strip().lower().replace(" ", "_").replace("-", "_")
        if not equals or not title.strip() or name not in set(Field):
            raise UsageError(
                f'--column "{text}": it is FIELD=TITLE, such as record_id="ID-Nr"; FIELD is one of '
                f"{', '.join(Field)}."
            )
        columns[name] = title
    return columns
