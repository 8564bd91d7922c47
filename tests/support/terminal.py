"""Pseudo-terminals for tests of commands that a person types at."""

import os
import select

import pytest

from support.commands import TIMEOUT_SECONDS


def open_terminal() -> tuple[int, int]:
    """Return the descriptors of our end and the command's; skip the test on Windows."""
    pty = pytest.importorskip("pty")
    termios = pytest.importorskip("termios")
    ours, theirs = pty.openpty()
    # A new terminal has no size, and the progress bar would be empty.
    termios.tcsetwinsize(theirs, (40, 120))
    return ours, theirs


def read_until(screen: int, words: str | None) -> str:
    """Read until `words` appear, or with None until the other end is closed."""
    text = ""
    while words is None or words not in text:
        ready, _, _ = select.select([screen], [], [], TIMEOUT_SECONDS)
        assert ready, text
        try:
            part = os.read(screen, 4096).decode()
        except OSError:  # Linux reports a closed other end so
            part = ""
        if not part:
            break
        text += part
    return text
