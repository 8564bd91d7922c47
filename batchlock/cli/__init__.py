"""The command line: its first moment, before the rest of it is loaded."""

import gc
import sys

from batchlock.cli.signals import Signals


def main() -> None:
    """Be the program `batchlock`."""
    # A call makes many objects and hardly a cycle: to look for cycles is a tenth of a run.
    gc.set_threshold(50_000)
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Run a command and return its exit code."""
    signals = Signals()
    signals.install()
    from batchlock.cli import error_boundary  # takes a moment, in which a signal may come

    return error_boundary.run(arguments, signals)
