"""Options that several commands have, and what is made of them."""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from batchlock.cli.context import Context
from batchlock.core.errors import UnreadableFile, UsageError

if TYPE_CHECKING:
    from batchlock.config import Settings
    from batchlock.core.observer import RunObserver
    from batchlock.plan.child import Child
    from batchlock.run import Runner

_F = TypeVar("_F", bound=Callable[..., Any])

_OF_THIS_PROCESS = ("/dev/stdin", "/dev/fd/", "/proc/self/")

Given = Mapping[str, Any]
"""The options of a command, as they were given."""


class Command(click.Command):
    """A command whose help begins with an example."""

    def __init__(self, *arguments: Any, example: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.example = example

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example, then what click writes."""
        formatter.write_text(f"Example: {self.example}")
        formatter.write_paragraph()
        super().format_help(ctx, formatter)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Remember which command is asked, for the report of an error."""
        ctx.obj.command = ctx.info_name
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Remember the file that is asked about, for the report of an error."""
        if (file := ctx.params.get("file")) is not None:
            ctx.obj.file = str(file.absolute())
        return super().invoke(ctx)


def _together(*options: Callable[[_F], _F]) -> Callable[[_F], _F]:
    def add(function: _F) -> _F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


class _Path(click.Path):
    """A path, which an empty text is not: it would mean the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an empty name, then do as click does."""
        if value == "":
            self.fail("The name is empty.", param, ctx)
        return super().convert(value, param, ctx)


_path = _Path(path_type=Path)
file = click.argument("file", type=_path)
json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
common = _together(
    click.option("-c", "--config", type=_path, help="The configuration; see config.example.yaml."),
    click.option("-v", "--verbose", count=True, help="Log each row, too."),
    click.option("-q", "--quiet", is_flag=True, help="No progress, no log lines."),
)
output = click.option("-o", "--output", type=_path, help="Where the results go; .xlsx or .csv.")
simulate = click.option(
    "--simulate", is_flag=True, help="Rehearse with the built-in stand-in for Zoho."
)
reading = _together(
    click.option("--sheet", metavar="NAME", help="The sheet to read."),
    click.option(
        "--column",
        "columns",
        multiple=True,
        metavar="FIELD=TITLE",
        help="The title of a column; FIELD is module, record_id, lock_id or reason.",
    ),
)
sending = _together(
    click.option("--in-flight", metavar="N", help="Calls under way at once; auto or a number."),
    click.option("--per-second", metavar="X", help="The most calls started in a second."),
    click.option("--max-runtime", metavar="TIME", help="Stop after so long, such as 2h."),
    click.option("--until", metavar="HH:MM", help="Stop at this time of day."),
    click.option("--no-progress", is_flag=True, help="Show no progress bar."),
)


@contextmanager
def runner(
    session: Context,
    given: Given,
    *,
    reads: Path | None = None,
    observer: "RunObserver | None" = None,
) -> "Iterator[Runner]":
    """Give what a command's runs share, made of its options and the settings.

    A command that `reads` a file has the process for that started at once: it takes as long to
    get ready as we do. Runs speak to the terminal, unless there is another `voice` for them.
    """
    if reads is not None:
        _refuse_what_never_ends(reads)
    with ExitStack() as stack:
        child = stack.enter_context(_reader()) if reads is not None else None
        yield stack.enter_context(_runner(session, given, child, observer))


def _refuse_what_never_ends(file: Path) -> None:
    """Refuse a pipe or device: its table is gone once it is read, and it may never come.

    What stands for standard input is another thing in the process that reads.
    """
    try:
        mode = file.stat().st_mode
    except OSError:
        return  # whoever opens it says what is wrong
    ours = str(file.absolute()).startswith(_OF_THIS_PROCESS)
    if ours or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise UnreadableFile(
            f"{file} is a pipe or device, not a file. Save the table to a file first."
        )


@contextmanager
def _reader() -> "Iterator[Child]":
    from batchlock.plan.child import Child

    child = Child()
    try:
        yield child
    finally:
        child.close()


@contextmanager
def _runner(
    session: Context, given: Given, reader: "Child | None", observer: "RunObserver | None"
) -> "Iterator[Runner]":
    from batchlock.cli.logs import logs
    from batchlock.cli.progress import TerminalProgress
    from batchlock.run import Runner, RunOptions

    found = settings(given)
    screen = TerminalProgress(bar=not given.get("no_progress") and not given["quiet"])
    session.state = found.state
    with logs(found.state, verbose=given["verbose"], quiet=given["quiet"]):
        options = RunOptions(
            output=given.get("output"),
            sheet=given.get("sheet"),
            columns=_columns(given.get("columns", ())),
            simulate=given.get("simulate", False),
            fresh=given.get("fresh", False),
            config=given["config"],
        )
        try:
            yield Runner(found, options, session.signals.cancel_token, observer or screen, reader)
        finally:
            screen.close()


def settings(given: Given) -> "Settings":
    """Return the settings, with the options that stand for some of them."""
    from batchlock.config import load

    stand_for: dict[tuple[str, ...], Any] = {
        ("limits", "in_flight"): given.get("in_flight"),
        ("limits", "per_second"): given.get("per_second"),
        ("stop", "max_runtime"): given.get("max_runtime"),
        ("stop", "until"): given.get("until"),
        ("input", "strict"): given.get("strict") or None,
    }
    told = {key: value for key, value in stand_for.items() if value is not None}
    return load(file=given["config"], environment=os.environ, options=told)


def _columns(told: tuple[str, ...]) -> dict[str, str]:
    from batchlock.core.rows import Field

    columns = {}
    for one in told:
        name, equals, title = one.partition("=")
        name = name.strip().lower().replace(" ", "_").replace("-", "_")
        if not equals or not title.strip() or name not in set(Field):
            raise UsageError(
                f'--column "{one}": it is FIELD=TITLE, such as record_id="ID-Nr"; FIELD is one of '
                f"{', '.join(Field)}."
            )
        columns[name] = title
    return columns
