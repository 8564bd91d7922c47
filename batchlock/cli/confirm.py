"""Ask at the terminal whether records are to be unlocked."""

import sys
from typing import TYPE_CHECKING

import click

from batchlock.cli.context import Context

if TYPE_CHECKING:
    from batchlock.start import ConfirmUnlocks


def confirm_unlocks(context: Context, *, yes: bool) -> "ConfirmUnlocks":
    """Return the function that asks for the number of records; with `yes` it does not ask."""

    def confirm(count: int) -> bool:
        if yes:
            return True
        if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
            from batchlock.start import refuse_unlocks

            return refuse_unlocks(count)
        locks = "the lock of 1 record" if count == 1 else f"the locks of {count:,} records"
        with context.signals.interruptible():
            typed = click.prompt(
                f"This removes {locks}. Type the number to go on",
                default="",
                show_default=False,
                err=True,
            )
        return str(typed).strip().replace(",", "") == str(count)

    return confirm
