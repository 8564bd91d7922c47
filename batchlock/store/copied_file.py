"""Copy a SQLite file of a state folder: to open one may write to it, and to copy it does not."""

import shutil
from contextlib import suppress
from pathlib import Path

from batchlock.core.errors import AlreadyRunning, UsageError

# A file that another process writes is copied again, but not for ever.
_MAX_COPIES = 20
_PARTS = ("", "-wal")  # the third file, `-shm`, is made from the others


def copy_database(source: Path, target: Path) -> None:
    """Copy a SQLite file and its log as they are at one moment.

    Raises UsageError when it cannot be read or there is no room for the copy, and AlreadyRunning
    when another process writes it all the time.
    """
    try:
        for _ in range(_MAX_COPIES):
            before = _versions(source)
            for suffix in _PARTS:
                part = target.with_name(f"{target.name}{suffix}")
                part.unlink(missing_ok=True)
                with suppress(FileNotFoundError):
                    shutil.copyfile(source.with_name(f"{source.name}{suffix}"), part)
            if _versions(source) == before:
                return
    except OSError as error:
        raise UsageError(
            f"{source} cannot be copied: {error.strerror}. Make room for a copy in the temporary "
            "folder, and run this command as the user who owns the folder."
        ) from None
    raise AlreadyRunning(
        f"{source} is being written by another process. Stop what uses the folder, then run this "
        "command again."
    )


def _versions(source: Path) -> list[tuple[int, int] | None]:
    """Return what changes when another process writes the file or its log."""
    versions: list[tuple[int, int] | None] = []
    for suffix in _PARTS:
        try:
            status = source.with_name(f"{source.name}{suffix}").stat()
        except FileNotFoundError:
            versions.append(None)
        else:
            versions.append((status.st_mtime_ns, status.st_size))
    return versions
