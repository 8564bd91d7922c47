"""The commands about what is taken at which times: `batchlock schedules`."""

from typing import NamedTuple

import click

from batchlock.cli import completion
from batchlock.cli.context import Context
from batchlock.cli.options import (
    Command,
    CommandOptions,
    Group,
    action_option,
    change_reason_option,
    collected,
    common_options,
    json_option,
    reading_options,
    strict_option,
    yes_option,
)


class NewSchedule(NamedTuple):
    """The options that only `batchlock schedules add` has."""

    cron: str
    time_zone: str | None
    source: str
    misfire: str
    action: str | None
    again: bool


_EXAMPLE = "batchlock schedules add acme --cron '30 22 * * *' --source inbox:/in"
# Not `org`, which is a field of CommandOptions.
_org_argument = click.argument("org_name", metavar="ORG", shell_complete=completion.org_names)
_id_argument = click.argument("schedule_id", metavar="ID")


@click.group(cls=Group, example=_EXAMPLE)
def schedules() -> None:
    """Let workers take files, or report locks, at the same times again and again."""


@schedules.command(cls=Command, example=_EXAMPLE)
@_org_argument
@click.option(
    "--cron",
    required=True,
    metavar="EXPRESSION",
    help="Minute, hour, day, month and day of the week; with six fields, the seconds come first.",
)
@click.option(
    "--time-zone",
    metavar="NAME",
    help="Such as Europe/Berlin; that of this machine, or UTC if it has none by name.",
)
@click.option(
    "--source",
    required=True,
    metavar="SOURCE",
    help="'/in/acme/*.xlsx', inbox:/in/acme, 'locks:Leads,Deals>/out' or locks:--all.",
)
@click.option(
    "--misfire",
    type=click.Choice(["once", "skip"]),
    default="once",
    help="What becomes of missed times: all are caught up once (the default), or left out.",
)
@action_option
@reading_options
@strict_option
@change_reason_option
@yes_option
@click.option("--again", is_flag=True, help="Send content that was finished before once more.")
@common_options
@json_option
@collected(NewSchedule, CommandOptions)
def add(context: Context, new: NewSchedule, options: CommandOptions, *, org_name: str) -> int:
    """Add a schedule of ORG, and show its next times.

    Each file becomes a run. When its rows are all as it asks, the file goes to the folder done/
    beside it, else to attention/, with its results. Every worker needs the folder at this path.
    """
    from batchlock.cli import schedules as steps

    return steps.add(context, options, new, org_name)


@schedules.command("list", cls=Command, example="batchlock schedules list acme")
@click.argument("org_name", metavar="[ORG]", required=False)
@common_options
@json_option
@collected(CommandOptions)
def list_schedules(context: Context, options: CommandOptions, *, org_name: str | None) -> int:
    """List the schedules, of all orgs or of ORG, with what each has led to last."""
    from batchlock.cli import schedules as steps

    return steps.list_schedules(context, options, org_name)


@schedules.command(cls=Command, example="batchlock schedules pause acme-1f3a")
@_id_argument
@common_options
@collected(CommandOptions)
def pause(_: Context, options: CommandOptions, *, schedule_id: str) -> int:
    """Let the schedule ID not fire any more, until it is resumed."""
    from batchlock.cli import schedules as steps

    return steps.pause(options, schedule_id)


@schedules.command(cls=Command, example="batchlock schedules resume acme-1f3a")
@_id_argument
@common_options
@collected(CommandOptions)
def resume(_: Context, options: CommandOptions, *, schedule_id: str) -> int:
    """Let the schedule ID fire again; the times in between were missed."""
    from batchlock.cli import schedules as steps

    return steps.resume(options, schedule_id)


@schedules.command(cls=Command, example="batchlock schedules remove acme-1f3a")
@_id_argument
@common_options
@collected(CommandOptions)
def remove(_: Context, options: CommandOptions, *, schedule_id: str) -> int:
    """Remove the schedule ID; its runs stay."""
    from batchlock.cli import schedules as steps

    return steps.remove(options, schedule_id)
