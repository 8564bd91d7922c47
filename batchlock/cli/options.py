"""Declare the options that several commands share, and the values that they become."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from batchlock.cli import completion
from batchlock.cli.context import Context

_F = TypeVar("_F", bound=Callable[..., Any])


# The values are named tuples: three dataclasses took 2 ms, a thirtieth of `batchlock --help`.
class CommandOptions(NamedTuple):
    """The options of a command, as typed; an option that the command lacks has its default."""

    config: Path | None = None
    org: str | None = None
    verbose: int = 0
    quiet: bool = False
    log_format: str | None = None
    as_json: bool = False
    output: Path | None = None
    overwrite: bool = False
    sheet: str | None = None
    # Each as FIELD=TITLE.
    columns: tuple[str, ...] = ()
    encoding: str | None = None
    delimiter: str | None = None
    module: str | None = None
    reason: str | None = None
    visible_only: bool = False
    simulate: bool = False
    strict: bool = False
    fresh: bool = False
    detach: bool = False
    change_reason: bool = False
    yes: bool = False
    in_flight: str | None = None
    per_second: str | None = None
    max_runtime: str | None = None
    until: str | None = None
    no_progress: bool = False


class FindOptions(NamedTuple):
    """The options that only `batchlock locks` has."""

    all_modules: bool = False
    files: tuple[Path, ...] = ()
    view: str | None = None
    locked_by: str | None = None
    since: str | None = None
    until: str | None = None
    reason_contains: str | None = None
    source: tuple[str, ...] = ()


class ServeOptions(NamedTuple):
    """The options that only `batchlock serve` has."""

    host: str
    port: int
    add_user: str | None
    remove_user: str | None
    list_users: bool
    grant: str | None
    revoke: str | None


def collected(*kinds: Any) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Pass the command's options to a function as values of these named tuples.

    click passes every option as a keyword argument. The decorated function gets the `Context`, one
    value per kind, and what belongs to none of them (the arguments) by keyword.
    """

    def decorate(function: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(function)
        def call(context: Context, /, **parameters: Any) -> int:
            values = []
            for kind in kinds:
                names = set(kind._fields) & parameters.keys()
                values.append(kind(**{name: parameters.pop(name) for name in names}))
            return function(context, *values, **parameters)

        return click.pass_obj(call)

    return decorate


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
        """Note the command's name for the report of an error, then parse."""
        ctx.obj.command = ctx.command_path.partition(" ")[2] or ctx.info_name
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Note the command's file for the report of an error, then run the command."""
        if (file := ctx.params.get("file") or ctx.params.get("folder")) is not None:
            ctx.obj.file = str(file.absolute())
        return super().invoke(ctx)


class Group(click.Group):
    """A command with commands of its own; its help begins with an example of one of them."""

    def __init__(self, *arguments: Any, example: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.example = example

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example, then what click writes."""
        formatter.write_text(f"Example: {self.example}")
        formatter.write_paragraph()
        super().format_help(ctx, formatter)


class _PathType(click.Path):
    """A path that is not empty: an empty text would mean the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("The name is empty.", param, ctx)
        return super().convert(value, param, ctx)


def combine(*options: Callable[[_F], _F]) -> Callable[[_F], _F]:
    """Return a decorator that adds several options, in the order of the help."""

    def decorate(function: _F) -> _F:
        # Decorators apply from the bottom up; help lists the options in the order written here.
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


path_type = _PathType(path_type=Path)
# For a command that reports what is wrong with a file itself.
any_path_type = _PathType(path_type=Path, readable=False)
file_argument = click.argument("file", type=path_type)
optional_file_argument = click.argument("file", metavar="[FILE]", type=path_type, required=False)
plan_output_option = click.option(
    "--plan", type=path_type, help="Write a plan of what would be sent, for `run --plan`."
)
plan_option = click.option(
    "--plan",
    type=path_type,
    help="Send exactly what `check --plan` has written there; FILE is that of the plan then.",
)
run_argument = click.argument("run_id", metavar="RUN", shell_complete=completion.run_ids)
optional_run_argument = click.argument(
    "run_id", metavar="[RUN]", required=False, shell_complete=completion.run_ids
)
modules_argument = click.argument(
    "modules", metavar="[MODULE...]", nargs=-1, shell_complete=completion.modules
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
common_options = combine(
    click.option(
        "-c", "--config", type=path_type, help="The configuration; see config.example.yaml."
    ),
    click.option("-v", "--verbose", count=True, help="Log each row, too."),
    click.option("-q", "--quiet", is_flag=True, help="No progress, no log lines."),
    click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        help="How log lines are written; json is one object a line.",
    ),
)
org_option = click.option(
    "--org",
    metavar="NAME",
    help="One of the orgs of `batchlock orgs`, with its own settings.",
    shell_complete=completion.org_names,
)
overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace a file that is there, whatever it is."
)
output_option = combine(
    click.option("-o", "--output", type=path_type, help="Where the results go; .xlsx or .csv."),
    overwrite_option,
)
check_output_option = click.option(
    "-o",
    "--output",
    type=path_type,
    help="Write the file with each problem on its cell; .xlsx or .csv.",
)
yes_option = click.option(
    "--yes", is_flag=True, help="Unlock records without asking for their number."
)
change_reason_option = click.option(
    "--change-reason",
    is_flag=True,
    help="Give a record that is to be locked, and is locked already, the reason of its row.",
)
fresh_option = click.option(
    "--fresh", is_flag=True, help="Start a new run, and send the rows again that are done."
)
action_option = click.option(
    "--action",
    type=click.Choice(["lock", "unlock"]),
    help="The action of all rows, as the commands lock and unlock have it.",
)
strict_option = click.option(
    "--strict", is_flag=True, help="Send nothing if there is any problem or note."
)
simulate_option = click.option(
    "--simulate", is_flag=True, help="Rehearse with the built-in stand-in for Zoho."
)
reading_options = combine(
    click.option("--sheet", metavar="NAME", help="The sheet to read."),
    click.option(
        "--column",
        "columns",
        multiple=True,
        metavar="FIELD=TITLE",
        help="The title of a column; FIELD is module, record_id, lock_id, reason or action.",
    ),
    click.option(
        "--encoding", metavar="NAME", help="Of a text file, such as windows-1250 or shift-jis."
    ),
    click.option(
        "--delimiter",
        metavar="NAME",
        help="Of a text file: comma, semicolon, tab or bar.",
        shell_complete=completion.delimiters,
    ),
    click.option(
        "--module",
        metavar="NAME",
        help="The module of all rows, such as Deals.",
        shell_complete=completion.modules,
    ),
    click.option("--reason", metavar="TEXT", help="The reason of all rows."),
    click.option(
        "--visible-only", is_flag=True, help="Leave out the rows that a filter or a person hides."
    ),
)
find_options = combine(
    click.option(
        "--all", "all_modules", is_flag=True, help="Every module of the org that can be locked."
    ),
    click.option(
        "--from",
        "files",
        type=path_type,
        multiple=True,
        metavar="FILE",
        help="Look at the records of an export instead of searching; may be repeated.",
    ),
    click.option("--view", metavar="NAME", help="Search this list view of each module only."),
    click.option("--locked-by", metavar="USER", help="Only locks of this user: a name or an id."),
    click.option(
        "--since", metavar="TIME", help="Only locks since then, such as 2026-03-01 (local time)."
    ),
    click.option(
        "--until", metavar="TIME", help="Only locks until then; a date counts to its end."
    ),
    click.option("--reason-contains", metavar="TEXT", help="Only locks with this in the reason."),
    click.option(
        "--source",
        type=click.Choice(["manual", "automatic", "both"]),
        multiple=True,
        help="Only locks of this source; may be repeated.",
    ),
)
_pace_options = (
    click.option("--in-flight", metavar="N", help="Calls in flight at once; auto or a number."),
    click.option("--per-second", metavar="X", help="The most calls started in a second."),
    click.option("--max-runtime", metavar="TIME", help="Stop after this time, such as 2h."),
)
detach_option = click.option(
    "--detach",
    is_flag=True,
    help="With a shared database: end as soon as the run waits for a worker.",
)
_no_progress_option = click.option("--no-progress", is_flag=True, help="Show no progress bar.")
looking_options = combine(*_pace_options, _no_progress_option)
# The texts are not parsed here but in the configuration, with the keys that they stand for. So all
# bad settings are reported together, wherever they come from.
sending_options = combine(
    *_pace_options,
    click.option("--until", metavar="HH:MM", help="Stop at this time of day."),
    _no_progress_option,
)
