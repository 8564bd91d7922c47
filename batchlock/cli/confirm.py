"""Ask at the terminal whether records are to be unlocked."""

import sys
from typing import TYPE_CHECKING

import click

from batchlock.cli.context import Context

if TYPE_CHECKING:
    from batchlock.confirming import ConfirmUnlocks, Unlocks


def confirm_unlocks(context: Context, *, yes: bool) -> "ConfirmUnlocks":
    """Return the function that asks for the number of records; with `yes` it does not ask."""

    def confirm(unlocks: "Unlocks") -> bool:
        if yes:
            return True
        if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
            from batchlock.confirming import refuse_unlocks

            return refuse_unlocks(unlocks)
        with context.signals.interruptible():
            typed = click.prompt(
                f"{unlocks} Type the number of rows",
                default="",
                show_default=False,
                err=True,
            )
        return str(typed).strip().replace(",", "") == str(unlocks.count)

    return confirm
