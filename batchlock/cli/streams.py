"""Print to standard output and standard error; a closed stream never ends the command."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import click

# EPIPE: the reader of a pipe has ended. EIO: the terminal was closed. EINVAL: Windows reports both
# in this way.
_CLOSED_ERRNOS = (errno.EPIPE, errno.EIO, errno.EINVAL)


def echo(text: str) -> None:
    """Print a line on standard output; after the first write error, drop this and later lines."""
    try:
        click.echo(text)
    except OSError as error:
        _redirect_to_null(sys.stdout)
        if error.errno not in _CLOSED_ERRNOS:
            with to_stderr():
                click.echo(f"Standard output cannot be written: {error.strerror}.", err=True)


@contextmanager
def to_stderr() -> Iterator[None]:
    """Let the block write to standard error; drop what cannot be written there."""
    try:
        yield
    except (OSError, ValueError):
        # ValueError: the stream object is closed already.
        _redirect_to_null(sys.stderr)


def _redirect_to_null(stream: TextIO) -> None:
    # Python flushes the stream once more at exit. Without the redirection that flush fails, prints
    # "Exception ignored", and the exit code becomes 120.
    with suppress(OSError, ValueError), Path(os.devnull).open("w") as null:
        os.dup2(null.fileno(), stream.fileno())
