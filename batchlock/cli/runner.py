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
    from batchlock.store.store import Store

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
    to_send: bool = True,
    pinned_results: Path | None = None,
) -> "Iterator[Engine]":
    """Yield the engine of a command, with its log open; `action` is the one of all rows.

    `pinned_results` is a folder for the results of each run, whoever resumes it.
    Without `to_send` the command calls Zoho for nothing, so a stored org needs no sign-in.

    With a `file` to read, the child process for that starts at once, since it takes as long to load
    as the modules of this process. Raises UnreadableFile and UsageError.
    """
    from batchlock.core.paths import refuse_missing_temporary_folder

    refuse_missing_temporary_folder()
    if file is not None:
        _refuse_pipe_or_device(file)
    with ExitStack() as stack:
        reader = stack.enter_context(_reader()) if file is not None else None
        engine = _engine(
            context, options, reader, action, to_send=to_send, pinned_results=pinned_results
        )
        yield stack.enter_context(engine)


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
    *,
    to_send: bool,
    pinned_results: Path | None,
) -> "Iterator[Engine]":
    # Here, since `batchlock --help` does without.
    from dataclasses import replace

    from batchlock.cli.confirm import confirm_unlocks
    from batchlock.cli.logs import log_to
    from batchlock.cli.notices import begin_notices
    from batchlock.cli.progress import TerminalProgress
    from batchlock.core.log_context import log_lines_about
    from batchlock.core.options import RunOptions
    from batchlock.zoho.settings import SIMULATOR

    with ExitStack() as stack:
        settings, store = stack.enter_context(open_settings(options, to_send=to_send))
        context.state_folder, context.is_quiet = settings.state, options.quiet
        if pinned_results is not None:
            settings = replace(
                settings, results=replace(settings.results, directory=pinned_results)
            )
        context.logs_json = settings.log.format == "json"
        org = SIMULATOR if options.simulate else settings.org
        stack.enter_context(log_lines_about(org=org))
        progress = TerminalProgress(
            bar=not (options.no_progress or options.quiet or context.logs_json)
        )
        log = log_to(
            settings.state,
            verbose=options.verbose,
            quiet=options.quiet,
            is_json=context.logs_json,
        )
        stack.enter_context(log)
        begin_notices(context, settings, is_rehearsal=options.simulate)
        run_options = RunOptions(
            output=options.output,
            overwrite=options.overwrite,
            sheet=options.sheet,
            columns=parse_columns(options.columns),
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
            pins_results=pinned_results is not None,
            detach=options.detach,
            typed=_for_the_worker(options),
            config=options.config,
            org=options.org,
        )
        cancel_token = context.signals.cancel_token
        engine = _engine_class(settings, options)(
            settings,
            run_options,
            cancel_token,
            progress,
            reader=reader,
            store=store,
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


@contextmanager
def open_settings(
    options: CommandOptions, *, to_send: bool
) -> "Iterator[tuple[Settings, Store | None]]":
    """Yield the settings of a command, and the open store when the option --org needed it.

    The options of the command line win over the settings of a stored org, and those over the
    configuration and the environment. Raises UsageError.
    """
    settings = load_settings(options)
    if options.org is None:
        yield settings, None
        return
    from batchlock.config import replaced
    from batchlock.org_settings import settings_of_org
    from batchlock.store.store import Store

    # A rehearsal is kept on this machine, but the org is where all orgs are.
    home = load_settings(options._replace(simulate=False)) if options.simulate else settings
    with Store(home.state, home.database_url) as store:
        of_org = settings_of_org(
            settings,
            store,
            options.org,
            to_send=to_send and not options.simulate,
            # Where a worker sends, this machine needs no key.
            with_secrets=store.database_url is None,
        )
        # They were checked when the settings were loaded, so no message can name their source.
        of_org = replaced(of_org, _typed_settings(options), source="--".join)
        yield of_org, None if options.simulate else store


def load_settings(
    options: CommandOptions, more: "Mapping[tuple[str, ...], str | None] | None" = None
) -> "Settings":
    """Return the settings; some options replace a setting, also those in `more`.

    Raises UsageError.
    """
    from batchlock.config import load

    typed = _typed_settings(options)
    typed |= {key: value for key, value in (more or {}).items() if value is not None}
    return load(file=options.config, environment=os.environ, options=typed)


def _typed_settings(options: CommandOptions) -> dict[tuple[str, ...], Any]:
    replacements: dict[tuple[str, ...], Any] = {
        ("log", "format"): options.log_format,
        ("input", "encoding"): options.encoding,
        ("input", "delimiter"): options.delimiter,
        ("limits", "in_flight"): options.in_flight,
        ("limits", "per_second"): options.per_second,
        ("stop", "max_runtime"): options.max_runtime,
        ("stop", "until"): options.until,
        # The flag can switch strict on, but its absence must not switch input.strict off.
        ("input", "strict"): options.strict or None,
    }
    typed = {key: value for key, value in replacements.items() if value is not None}
    if options.simulate:
        # A rehearsal belongs to this machine, as its stand-in does.
        typed |= {(name,): "" for name in ("database", "database_file", "database_command")}
    return typed


def _for_the_worker(options: CommandOptions) -> dict[str, Any]:
    """Return the settings of the command line that another process obeys when it sends."""
    values = {
        "limits.in_flight": options.in_flight,
        "limits.per_second": options.per_second,
        "stop.max_runtime": options.max_runtime,
        "stop.until": options.until,
    }
    return {name: value for name, value in values.items() if value is not None}


def parse_columns(texts: tuple[str, ...]) -> dict[str, str]:
    """Return the titles of the options `--column` by field. Raises UsageError."""
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
