"""The program's first moment: `batchlock`, or `python -m batchlock`.

Until the command line is loaded and decides for itself, a signal ends the program at once, with
the exit code that belongs to it and without a traceback.
"""

import os
import signal
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


def main() -> None:
    """Be the program."""
    for number in _signals():
        signal.signal(number, _end)
    from batchlock.cli import main as command_line

    for number in _signals():
        standard = number == signal.SIGINT
        signal.signal(number, signal.default_int_handler if standard else signal.SIG_DFL)
    command_line()


def _signals() -> list[signal.Signals]:
    return [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]


def _end(number: int, _: FrameType | None) -> None:
    os._exit(128 + number)


if __name__ == "__main__":
    main()
