"""Pseudo-terminals for tests of commands that a person types at."""

import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from support.commands import TIMEOUT_SECONDS, command


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


@dataclass
class Terminal:
    """A command at a terminal, and what it has written so far."""

    process: "subprocess.Popen[bytes]"
    descriptor: int
    screen: str = field(default="")

    def read(self, words: str | None) -> str:
        part = read_until(self.descriptor, words)
        self.screen += part
        return part

    def type(self, text: str) -> None:
        os.write(self.descriptor, f"{text}\n".encode())

    def answer(self, *pairs: tuple[str, str]) -> None:
        for prompt, text in pairs:
            # click writes the prompt; getpass then switches the echo off and writes the space.
            self.read(f"{prompt}: " if "[" not in prompt else prompt)
            self.type(text)

    def end(self) -> int:
        self.read(None)
        return self.process.wait(TIMEOUT_SECONDS)


@contextmanager
def at_terminal(*arguments: object) -> Iterator[Terminal]:
    """Start a command at a terminal of its own; it is killed at the end."""
    ours, theirs = open_terminal()
    process = subprocess.Popen(
        command(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait(TIMEOUT_SECONDS)
        os.close(ours)
