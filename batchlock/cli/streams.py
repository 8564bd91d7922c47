"""Print, whether or not anybody is left to read it: nothing else may be lost with the reader."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import click

_GONE = (errno.EPIPE, errno.EIO, errno.EINVAL)
"""A closed pipe, a closed terminal, and what Windows says of either."""


def echo(text: str) -> None:
    """Print a line on standard output; when it takes none any more, drop all that follow, too."""
    try:
        click.echo(text)
    except OSError as error:
        _forget(sys.stdout)
        if error.errno not in _GONE:
            with aside():
                click.echo(f"Standard output cannot be written: {error.strerror}.", err=True)


@contextmanager
def aside() -> Iterator[None]:
    """Let the block write to standard error; what cannot be written there is dropped."""
    try:
        yield
    except (OSError, ValueError):
        _forget(sys.stderr)


def _forget(stream: TextIO) -> None:
    """Lead a stream into nothing, so that it is in nobody's way, at exit either."""
    with suppress(OSError, ValueError), Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), stream.fileno())
