"""The files of a folder: which are taken by their names, and which of them are complete.

A file is complete when size and time did not change between two polls. No notification of the
system is used, since file servers send none for what other machines write.
"""

import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from batchlock.core.errors import UsageError
from batchlock.core.night import FileStatus

DONE = FileStatus.DONE.value
"""The folder of files whose rows are all as they ask, in their own folder."""
ATTENTION = FileStatus.ATTENTION.value
"""The folder of all other files."""

POLL_SECONDS = 2.0
"""A file that is as it was after this time is complete. Copying programs write more often."""
MAX_POLLS = 15
"""After so many polls, a file that still grows is left for the next time."""

# A file that nobody has written to for so long is complete at the first poll. So long, because the
# clock of a file server may differ from that of this machine.
_OLD_SECONDS = 600.0
# Names in lower case.
_NOT_TAKEN = (
    # Owner files of open workbooks, hidden files, and what browsers and copying programs write to.
    *("~$*", ".*", "*.part", "*.partial", "*.tmp", "*.crdownload", "*.filepart"),
    # What Windows puts into folders by itself, and backups that editors make of a file.
    *("thumbs.db", "desktop.ini", "*~"),
    # A configuration and its secrets, without which the next night could not begin.
    *("*.yaml", "*.yml", "*.client_secret", "*.refresh_token"),
)


@dataclass(frozen=True, slots=True)
class FileSource:
    """Files of a folder, not of the folders in it."""

    folder: Path
    pattern: str = "*"
    """Of the names, in any case."""

    def takes(self, name: str) -> bool:
        """Return whether a file of the folder is taken, by its name."""
        name = name.casefold()
        return fnmatchcase(name, self.pattern.casefold()) and not any(
            fnmatchcase(name, pattern) for pattern in _NOT_TAKEN
        )


class Version(NamedTuple):
    """What changes when a file is written."""

    size: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a folder that are taken."""

    complete: tuple[Path, ...]
    """The oldest first."""
    growing: tuple[Path, ...] = ()
    """Those that somebody still writes to, or that another program has open."""


class FolderPoller:
    """Lists a folder again and again, and compares each list with the one before."""

    def __init__(self, source: FileSource, now: Callable[[], float] = time.time) -> None:
        """Look at the files of `source`; `now` is the time by the clock of its file server."""
        self._source = source
        self._now = now
        self._before: dict[Path, Version] = {}

    def poll(self) -> Listing:
        """Return the files as they are now; the poll before was at least POLL_SECONDS ago.

        A file that was written to within the last ten minutes is complete at the second poll.
        Raises UsageError when the folder cannot be read.
        """
        versions = _versions(self._source)
        growing = {
            path
            for path, version in versions.items()
            if (not self._is_old(version) and self._before.get(path) != version) or _is_open(path)
        }
        self._before = versions
        paths = sorted(versions, key=lambda path: (versions[path].modified_ns, path.name))
        return Listing(
            tuple(path for path in paths if path not in growing),
            tuple(path for path in paths if path in growing),
        )

    def _is_old(self, version: Version) -> bool:
        return self._now() - version.modified_ns / 1e9 > _OLD_SECONDS


async def list_files(source: FileSource, wait: Callable[[float], Awaitable[object]]) -> Listing:
    """Return the files of a folder, after `wait` has shown which of them are complete.

    Raises UsageError when the folder cannot be read.
    """
    poller = FolderPoller(source)
    listing = poller.poll()
    for _ in range(MAX_POLLS):
        if not listing.growing:
            break
        await wait(POLL_SECONDS)
        listing = poller.poll()
    return listing


def version_of(path: Path) -> Version | None:
    """Return the version of a file; None when it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return Version(status.st_size, status.st_mtime_ns)


def make_folders(folder: Path) -> float:
    """Make the folders into which files are moved, and try a move into each.

    Returns by how many seconds the clock of the file server is ahead of that of this machine.
    Raises UsageError when files cannot be moved there.
    """
    ahead_seconds = 0.0
    for name in (DONE, ATTENTION):
        target = folder / name
        try:
            target.mkdir(exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"The folder {target} cannot be made on {socket.gethostname()}: "
                f"{error.strerror}. Give batchlock the right to write to {folder}."
            ) from None
        probe = folder / f".batchlock-{secrets.token_hex(4)}.part"
        moved = target / probe.name
        try:
            probe.touch(exist_ok=False)
            ahead_seconds = probe.stat().st_mtime - time.time()
            os.replace(probe, moved)  # noqa: PTH105  Path.replace is the same
        except OSError as error:
            raise UsageError(
                f"Files of {folder} cannot be moved to {target} on {socket.gethostname()}: "
                f"{error.strerror}. Nothing was sent. Give batchlock the right to write to both; "
                "they must be folders of the same file system."
            ) from None
        finally:
            for path in (probe, moved):
                with suppress(OSError):
                    path.unlink()
    return ahead_seconds


def _versions(source: FileSource) -> dict[Path, Version]:
    try:
        names = [entry.name for entry in os.scandir(source.folder) if entry.is_file()]
    except OSError as error:
        raise UsageError(
            f"The folder {source.folder} cannot be read on {socket.gethostname()}: "
            f"{error.strerror}. Name a folder that is there, at this path on every machine that "
            "takes its files."
        ) from None
    paths = [source.folder / name for name in names if source.takes(name)]
    versions = {path: version_of(path) for path in paths}
    return {path: version for path, version in versions.items() if version is not None}


def _is_open(path: Path) -> bool:
    """Return whether a program has a file open so that it cannot be moved; only Windows says so."""
    if os.name != "nt":
        return False
    try:
        os.replace(path, path)  # noqa: PTH105  changes nothing
    except PermissionError:
        return True
    except OSError:
        return False
    return False
