"""The command that takes the files of a folder: `batchlock inbox`."""

from pathlib import Path

import click

from batchlock.cli.context import Context
from batchlock.cli.options import (
    Command,
    CommandOptions,
    action_option,
    change_reason_option,
    collected,
    common_options,
    json_option,
    org_option,
    path_type,
    reading_options,
    sending_options,
    simulate_option,
    strict_option,
)


@click.command(cls=Command, example="batchlock inbox /srv/locks/in --until 06:00")
@click.argument("folder", type=path_type)
@click.option(
    "--again", is_flag=True, help="Send a file, too, whose content was finished before: every row."
)
@click.option("--watch", is_flag=True, help="Go on looking for new files until a signal comes.")
@common_options
@org_option
@reading_options
@action_option
@simulate_option
@strict_option
@sending_options
@change_reason_option
@click.option("--yes", is_flag=True, help="Send files that unlock records, too.")
@json_option
@collected(CommandOptions)
def inbox(
    context: Context,
    options: CommandOptions,
    *,
    folder: Path,
    again: bool,
    watch: bool,
    action: str | None,
) -> int:
    """Send every file that is complete in FOLDER, the oldest first; made for cron.

    A file whose rows are all as it asks goes to done/ in FOLDER, every other one to attention/ with
    a text that says why; its results are beside it. Runs of an earlier night are resumed first.
    Nobody is asked: a file that looks wrong is not sent. The exit code is the most severe of all
    files, and 0 for an empty folder.
    """
    from batchlock.cli.inbox import take, take_until_signal

    steps = take_until_signal if watch else take
    return steps(context, options, folder, action=action, again=again)
