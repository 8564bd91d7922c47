r"""Standard output and standard error that take any text, and whose faults change nothing.

`protect` replaces the two streams before anything is printed. A character that a stream's encoding
lacks is written as `\u0142`. What a stream does not take any more is dropped, so that a full disk
or a reader that has ended changes neither the work of a command nor its exit code.
"""

import codecs
import errno
import io
import os
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO

# EPIPE: the reader of a pipe has ended. EIO: the terminal was closed. EINVAL: Windows reports both
# in this way. Somebody has closed these streams on purpose, so nothing is said about it.
_CLOSED_ERRNOS = (errno.EPIPE, errno.EIO, errno.EINVAL)
_ERRORS = "batchlock.escape"


def protect() -> None:
    """Replace standard output and standard error with streams that never raise."""
    codecs.register_error(_ERRORS, _escape)
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # It was closed by the caller (`>&-`). The next file that is opened would get its
            # number, and whatever is printed to it would go into that file.
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)
    # The streams are None when the process was started without them (`>&-`, pythonw).
    if sys.stderr is not None:
        sys.stderr = _protected(sys.stderr, lambda _: None)
    if sys.stdout is not None:
        sys.stdout = _protected(sys.stdout, _report_stdout)


def echo(text: str) -> None:
    """Print a line on standard output."""
    import click  # here, so that `protect` need not wait for it

    # Not click's own choice of the stream: in place of one in ASCII it would write UTF-8.
    click.echo(text, file=sys.stdout)


def echo_error(text: str) -> None:
    """Print a line on standard error."""
    import click

    click.echo(text, file=sys.stderr, err=True)


def _protected(stream: TextIO, on_failure: Callable[[OSError], object]) -> TextIO:
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # with PYTHONUNBUFFERED the buffer is the file itself
    if not isinstance(
        raw, io.RawIOBase
    ):  # not a stream of the system, but one of a program that has loaded us
        return stream
    with suppress(OSError, ValueError):
        stream.flush()
    return io.TextIOWrapper(  # type: ignore[type-var]  # no BufferedIOBase, but it takes all at once
        _Unfailing(raw, on_failure),
        encoding=stream.encoding,
        errors=_ERRORS,
        line_buffering=True,
        write_through=True,
    )


class _Unfailing(io.RawIOBase):
    """A file whose `write` takes everything: after the first error, it drops what comes."""

    def __init__(self, raw: io.RawIOBase, on_failure: Callable[[OSError], object]) -> None:
        self._raw = raw
        self._on_failure = on_failure
        self._has_failed = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()

    def write(self, data: Any, /) -> int:
        remaining = memoryview(data)
        size = remaining.nbytes
        while remaining and not self._has_failed:
            try:
                written = self._raw.write(remaining)
                if written is None:
                    # A pipe that is full, and that another program has set not to block.
                    select.select([], [self._raw], [])
            except OSError as error:
                self._has_failed = True
                self._on_failure(error)
            except ValueError:  # it is closed
                self._has_failed = True
            else:
                remaining = remaining[written or 0 :]
        return size


def _report_stdout(error: OSError) -> None:
    if error.errno not in _CLOSED_ERRNOS:
        echo_error(f"Standard output cannot be written: {error.strerror}.")


def _escape(error: UnicodeError) -> tuple[str, int]:
    r"""Write what an encoding lacks as Python does in a text: `\u0142`, `\U0001f512`."""
    assert isinstance(error, UnicodeEncodeError)
    characters = error.object[error.start : error.end]
    # Not `backslashreplace`, which writes the first 256 characters in another way (`\xf3`).
    escapes = (
        f"\\u{ord(character):04x}" if character <= "\uffff" else f"\\U{ord(character):08x}"
        for character in characters
    )
    return "".join(escapes), error.end
