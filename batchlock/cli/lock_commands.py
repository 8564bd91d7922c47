"""The commands that make, remove and restore locks."""

from pathlib import Path

import click

from batchlock.cli.context import Context
from batchlock.cli.options import (
    Command,
    CommandOptions,
    change_reason_option,
    collected,
    common_options,
    detach_option,
    file_argument,
    fresh_option,
    json_option,
    org_option,
    output_option,
    reading_options,
    run_argument,
    sending_options,
    simulate_option,
    strict_option,
    yes_option,
)
from batchlock.cli.runner import open_engine


def send_file(context: Context, options: CommandOptions, file: Path, *, action: str | None) -> int:
    """Run a file; `action` is the one of all rows, None: as the file says."""
    from batchlock.cli.output import print_result

    with open_engine(context, options, file=file, action=action) as engine:
        result = context.signals.run_async(engine.run(file))
    return print_result(context, result)


@click.command(cls=Command, example='batchlock lock orders.xlsx --reason "Audit 2026"')
@file_argument
@common_options
@org_option
@output_option
@reading_options
@simulate_option
@strict_option
@sending_options
@detach_option
@fresh_option
@change_reason_option
@json_option
@collected(CommandOptions)
def lock(context: Context, options: CommandOptions, *, file: Path) -> int:
    """Lock every record of FILE with the reason of its row.

    It needs no lock ids. A record that is locked already for another reason is refused.
    """
    return send_file(context, options, file, action="lock")


@click.command(cls=Command, example="batchlock unlock orders.xlsx")
@file_argument
@common_options
@org_option
@output_option
@reading_options
@simulate_option
@strict_option
@sending_options
@detach_option
@fresh_option
@yes_option
@json_option
@collected(CommandOptions)
def unlock(context: Context, options: CommandOptions, *, file: Path) -> int:
    """Remove the lock of every record of FILE.

    It asks for the number of rows first; without a terminal it needs --yes. The results keep the
    reasons of the locks, and `undo` makes them again.
    """
    return send_file(context, options, file, action="unlock")


@click.command(cls=Command, example="batchlock undo 20260314-020304-1f3a")
@run_argument
@common_options
@org_option
@output_option
@sending_options
@detach_option
@yes_option
@json_option
@collected(CommandOptions)
def undo(context: Context, options: CommandOptions, *, run_id: str) -> int:
    """Put back what RUN has changed, as a new run.

    Reasons after updates, locks after unlocks, and no lock after locks; only where Zoho still shows
    what RUN has left. An undo can be undone too.
    """
    from batchlock.cli.output import print_result

    with open_engine(context, options) as engine:
        result = context.signals.run_async(engine.undo(run_id))
    return print_result(
        context, result, nothing=f"Nothing that run {run_id} has changed can be put back."
    )
