"""Paths as people write them in the configuration."""

import errno
import os
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import AfterValidator

from batchlock.core.errors import UsageError

_MOST_BYTES_OF_A_NAME = 255


def _expanded(path: Path) -> Path:
    if any(character < " " for character in str(path)):
        # YAML reads "C:\new" as a line break.
        raise ValueError(
            "it holds a line break or a tab, as a backslash between double quotation marks makes "
            "them; put the path between single quotation marks"
        )
    try:
        return path.expanduser()
    except RuntimeError:  # `~nobody`, or a service without HOME
        raise ValueError(
            f"the home folder of {path.parts[0]} is not known; write the path in full"
        ) from None


UserPath = Annotated[Path, AfterValidator(_expanded)]
"""A path of the settings, in which `~` stands for the home folder."""


def with_room(text: str, room: int) -> str:
    """Return the beginning of a part of a file's name that leaves `room` bytes of a name free.

    File systems take names of 255 bytes.
    """
    while len(os.fsencode(text)) > _MOST_BYTES_OF_A_NAME - room:
        text = text[:-1]
    return text


def user_folder(kind: Literal["config", "state"]) -> Path | None:
    """Return the user's folder for the configuration or the state; None: the home is not known.

    An account without an entry in the list of accounts has no home, as in some containers.
    """
    folder_of = {"config": platformdirs.user_config_path, "state": platformdirs.user_state_path}
    try:
        folder = folder_of[kind]("batchlock", appauthor=False)
    except RuntimeError:  # older versions of platformdirs leave `~` at its place
        return None
    return folder if folder.is_absolute() else None


def refuse_missing_temporary_folder() -> None:
    """Raise UsageError when no folder for temporary files can be written."""
    import tempfile

    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        raise UsageError(
            "No folder for temporary files can be written, neither /tmp nor another one. Set "
            "TMPDIR to a folder that can be written."
        ) from None


def refuse_missing_home(folder: Path) -> None:
    """Raise UsageError when `folder` is in the user's home folder, which does not exist.

    An administrator's account could create it. But a home that is missing (a network drive that is
    not there, an account of a service) is a fault of the machine, and runs that are kept in its
    place are not found again.
    """
    try:
        home = Path.home()
    except RuntimeError:
        return
    if home in folder.parents and not home.is_dir():
        raise UsageError(
            f"Your home folder {home} does not exist, so runs and tokens cannot be kept in it. "
            "Set HOME to a folder that does, or state_directory in the configuration."
        )


def make_private_folder(folder: Path) -> None:
    """Make a folder that only this user can read, and the folders above it that are missing.

    `Path.mkdir` gives its mode to the last folder only. One that exists stays as it is. Raises
    OSError.
    """
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
