"""Log lines: on standard error around the bar, and in a file that rotates."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

from tqdm import tqdm

from batchlock.cli.streams import aside

_log = logging.getLogger("batchlock")

_SIZE = 2 * 2**20


class _AroundTheBar(logging.Handler):
    """Log lines on standard error, above a bar if there is one.

    A record with the attribute `file_only` is for those who look into the file.
    """

    def emit(self, record: logging.LogRecord) -> None:
        if sys.stderr is not None and not hasattr(record, "file_only"):
            with aside():
                tqdm.write(self.format(record), file=sys.stderr)


@contextmanager
def logs(state: Path, *, verbose: int = 0, quiet: bool) -> Iterator[Path | None]:
    """Log to standard error and to a file that rotates, and say where the file is, if anywhere."""
    shown = _AroundTheBar()
    shown.setLevel(logging.ERROR if quiet else logging.DEBUG)
    shown.setFormatter(logging.Formatter("%(message)s"))
    handlers: list[logging.Handler] = [shown]
    path: Path | None = None
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = state / "logs" / "batchlock.log"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        kept = RotatingFileHandler(path, maxBytes=_SIZE, backupCount=5, encoding="utf-8")
    except OSError:
        path = None  # whoever needs the state folder says what is wrong with it
    else:
        kept.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
        handlers.append(kept)
    _log.setLevel(logging.DEBUG if verbose else logging.INFO)
    _log.propagate = False
    for handler in handlers:
        _log.addHandler(handler)
    try:
        yield path
    finally:
        for handler in handlers:
            _log.removeHandler(handler)
            handler.close()
