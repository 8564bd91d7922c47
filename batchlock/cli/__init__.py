"""Start the command line before the rest of the package is loaded."""

import gc
import sys

from batchlock.cli.signals import Signals


def main() -> None:
    """Run the program `batchlock`."""
    # Each call to Zoho makes many objects and hardly a reference cycle. With the default threshold
    # the search for cycles took a tenth of a run's time.
    gc.set_threshold(50_000)
    from batchlock.cli.streams import protect

    protect()
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Run a command and return its exit code."""
    signals = Signals()
    signals.install()
    # This import takes a moment. The handlers stand before it, so that a signal in that moment
    # ends the command like any other.
    from batchlock.cli import error_boundary

    return error_boundary.run(arguments, signals)
