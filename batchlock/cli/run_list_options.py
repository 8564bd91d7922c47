"""The options of `batchlock runs`."""

from typing import NamedTuple

import click

from batchlock.cli.options import combine


class RunListOptions(NamedTuple):
    """The options that only `batchlock runs` has."""

    state: str | None = None
    since: str | None = None
    until: str | None = None
    failed: bool = False
    file_part: str | None = None
    limit: int | None = None
    prune: str | None = None
    dry_run: bool = False


# As RunState, which `--help` does not load, and the two states of the list.
_RUN_STATES = (
    "finished",
    "unfinished",
    "planned",
    "queued",
    "running",
    "paused",
    "stopped",
    "superseded",
    "refused",
)
run_list_options = combine(
    click.option(
        "--state",
        type=click.Choice(_RUN_STATES),
        help="Only runs in this state; unfinished ones can be resumed.",
    ),
    click.option(
        "--since", metavar="TIME", help="Only runs begun since then, such as 2026-03-01 (local)."
    ),
    click.option(
        "--until", metavar="TIME", help="Only runs begun until then; a date counts to its end."
    ),
    click.option(
        "--failed", is_flag=True, help="Only runs with rows that are not done, or with an error."
    ),
    click.option(
        "--file", "file_part", metavar="TEXT", help="Only runs with this in the name of the file."
    ),
    click.option("--limit", type=click.IntRange(1), metavar="N", help="The newest N of them."),
    click.option(
        "--prune",
        metavar="AGE",
        help="Remove the runs that ended longer ago, such as 90d, and that no other run needs.",
    ),
    click.option("--dry-run", is_flag=True, help="With --prune: list them, and remove nothing."),
    click.option("--yes", is_flag=True, help="With --prune: remove them without asking."),
)
