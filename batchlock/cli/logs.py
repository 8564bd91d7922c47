"""Write log lines to standard error, around the progress bar, and to a file that rotates."""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

from tqdm import tqdm

from batchlock.cli.json_log import JsonFormatter
from batchlock.core.errors import UsageError
from batchlock.core.paths import make_private_folder, refuse_missing_home
from batchlock.core.redaction import without_ids

_log = logging.getLogger("batchlock")

# With the five older files the log takes 12 MiB at most. A line per row is written only with -v.
_FILE_BYTES = 2 * 2**20
_OLDER_FILES = 5


# All but tab and line feed; ESC is the beginning of the commands of a terminal.
_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


class _Formatter(logging.Formatter):
    """Format records so that no text in them, such as a file's name, looks like another record.

    The lines of a record after the first one are indented.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        text = super().format(record).replace("\n", "\n    ")
        return _CONTROL_CHARACTER.sub(_escaped, text)


class _FileFormatter(_Formatter):
    """Format records for the file, which stays and may be sent to others: without record data."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  as in the base
        """Return the first line; a record with `safe_text` has that as its message."""
        safe_text = getattr(record, "safe_text", None)
        if safe_text is None:
            return super().formatMessage(record)
        message, record.message = record.message, safe_text
        try:
            return super().formatMessage(record)
        finally:
            record.message = message

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record, with tracebacks too, without ids."""
        return without_ids(super().format(record))


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


class _StderrHandler(logging.Handler):
    """Write log lines to standard error, above the progress bar if there is one.

    A text of a record with the attribute `file_only` goes to the file alone.
    """

    def __init__(self, *, is_json: bool) -> None:
        super().__init__()
        self._is_json = is_json

    def emit(self, record: logging.LogRecord) -> None:
        # sys.stderr is None when the process was started without one (`2>&-`, pythonw).
        other_only = "terminal_only" if self._is_json else "file_only"
        if sys.stderr is not None and not hasattr(record, other_only):
            try:
                tqdm.write(self.format(record), file=sys.stderr)
            except Exception:
                self.handleError(record)


@contextmanager
def log_to(
    state_folder: Path, *, verbose: int = 0, quiet: bool, is_json: bool = False
) -> Iterator[Path | None]:
    """Log to standard error and to a file in the state folder while the block runs.

    With `is_json` every line of both is a JSON object. A record with the attribute `terminal_only`
    is a text on standard error only: it shows ids and reasons to the person at the terminal.

    Yields the path of the file, or None when it cannot be opened.
    """
    # A line that cannot be logged (a full disk, for example) is dropped. Otherwise `logging` would
    # print a traceback of its own.
    logging.raiseExceptions = False
    stderr_handler = _StderrHandler(is_json=is_json)
    stderr_handler.setLevel(logging.ERROR if quiet else logging.DEBUG)
    stderr_handler.setFormatter(JsonFormatter() if is_json else _Formatter("%(message)s"))
    handlers: list[logging.Handler] = [stderr_handler]
    path: Path | None = None
    try:
        refuse_missing_home(state_folder)
        make_private_folder(state_folder)
        path = state_folder / "logs" / "batchlock.log"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        file_handler = RotatingFileHandler(
            path,
            maxBytes=_FILE_BYTES,
            backupCount=_OLDER_FILES,
            encoding="utf-8",
            errors="backslashreplace",  # a file's name may have bytes that are no text
        )
    except (OSError, UsageError):
        # The store opens the same folder later and raises UsageError with the reason. A command
        # that needs no folder, such as `check`, goes on without a log.
        path = None
    else:
        # The page starts a process per run, and all write to one file: the process id tells their
        # lines apart.
        file_handler.setFormatter(
            JsonFormatter()
            if is_json
            else _FileFormatter("%(asctime)s %(process)d %(levelname)s %(message)s")
        )
        file_handler.addFilter(lambda record: not hasattr(record, "terminal_only"))
        handlers.append(file_handler)
    _log.setLevel(logging.DEBUG if verbose else logging.INFO)
    _log.propagate = False
    for handler in handlers:
        _log.addHandler(handler)
    # What libraries log goes to the file alone. Without a handler, `logging` would print it, and
    # asyncio logs tracebacks.
    others = handlers[-1] if path is not None else logging.NullHandler()
    logging.getLogger().addHandler(others)
    try:
        yield path
    finally:
        logging.getLogger().removeHandler(others)
        for handler in handlers:
            _log.removeHandler(handler)
            handler.close()
