"""Checks of the folders: are they there, can they be written, who can read them, is there room.

Writing is tried with a temporary file, which most systems never show in the folder.
"""

import os
import shutil
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from batchlock.config import Settings
from batchlock.core.paths import refuse_missing_home
from batchlock.doctor.checks import Check, bad, doubtful, good
from batchlock.inboxes.listing import ATTENTION, DONE

# The journal of a run of 100,000 rows, with its results and the log, takes less.
_ENOUGH_BYTES = 1024 * 2**20
# With less, the journal of a small run may not fit.
_LEAST_BYTES = 50 * 2**20
# A file system keeps some of its smallest parts in its own records, so one byte proves little.
_TRIAL_BYTES = 64 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
# File systems without the shared memory that SQLite's write-ahead log needs; `fuse.` ones such as
# sshfs are matched by their beginning.
_NETWORK_SYSTEMS = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "gluster", "fuse.", "virtiofs")
_MOUNTS = Path("/proc/self/mounts")
# What in the state folder holds secrets, as patterns.
_SECRET_FILES = ("secrets.key", "tokens/*.json", "store.sqlite")


def check_state_folder(settings: Settings) -> list[Check]:
    """Return the checks of the state folder, or of the folder in which it will be made.

    Raises UsageError when there is no place for it.
    """
    state = settings.state
    refuse_missing_home(state)
    remedy = "Set state_directory to a folder on a local disk that can be written."
    checks = [_usable("folders.state", "The state folder", state, remedy)]
    if state.is_dir():
        checks.append(_private(state))
    if (system := network_file_system(state)) is not None:
        checks.append(
            doubtful(
                "folders.state_drive",
                f"The state folder {state} is on a network drive ({system}), on which SQLite may "
                "not keep runs safely.",
                remedy,
            )
        )
    checks.append(_space("folders.state_space", state, "the state folder"))
    return checks


def check_results_folder(settings: Settings) -> list[Check]:
    """Return the checks of the folder for results."""
    folder = settings.results.directory
    if folder is None:
        return [good("folders.results", "Results are written beside each input file.")]
    remedy = "Set results.directory to a folder that can be written, or to null."
    return [
        _usable("folders.results", "The folder for results", folder, remedy, is_made=False),
        _space("folders.results_space", folder, "the folder for results"),
    ]


def check_current_folder() -> list[Check]:
    """Return the check of the current folder, from which people name their input files."""
    try:
        folder = Path.cwd()
    except OSError as error:  # it was removed
        return [
            doubtful(
                "folders.current",
                f"The current folder cannot be used: {error.strerror}.",
                "Change to a folder that exists, or name files with their whole path.",
            )
        ]
    remedy = (
        "Results are written beside the input file: change to a folder that can be written, or set "
        "results.directory."
    )
    check = _usable("folders.current", "The current folder", folder, remedy)
    if check.exit_code:
        # Files may be elsewhere: a job at night often starts in the root folder.
        return [doubtful(check.check_id, check.message, check.what_to_do)]
    return [check]


def check_inbox(folder: Path) -> list[Check]:
    """Return the checks of a folder whose files are sent and moved, as `batchlock inbox` does."""
    remedy = "Let the user who runs batchlock read and write it, or name another folder."
    checks = [_usable("folders.inbox", "The folder with files", folder, remedy, is_made=False)]
    if checks[0].exit_code:
        return checks
    with os.scandir(folder) as entries:  # raises OSError
        next(entries, None)
    for name in (DONE, ATTENTION):
        place = folder / name
        if place.exists():
            checks.append(_usable(f"folders.inbox_{name}", "The folder", place, remedy))
    return checks


def check_temporary_folder() -> list[Check]:
    """Return the checks of the folder for temporary files."""
    remedy = "Set the variable TMPDIR to a folder that can be written."
    try:
        folder = Path(tempfile.gettempdir())
    except OSError as error:
        return [bad("folders.temporary", f"{error.strerror}.", remedy)]
    return [
        _usable("folders.temporary", "The folder for temporary files", folder, remedy),
        _space("folders.temporary_space", folder, "the folder for temporary files"),
    ]


def check_folder_of(check_id: str, file: Path) -> Check:
    """Return the check of the folder in which a file is written."""
    remedy = f"Make the folder of {file.name} writable, or name another one."
    return _usable(check_id, f"The folder of {file.name},", file.parent, remedy, is_made=False)


def network_file_system(path: Path) -> str | None:
    """Return the type of the file system of a path if it is one of a network, by Linux's list."""
    try:
        lines = _MOUNTS.read_text("utf-8", "surrogateescape").splitlines()
        target = nearest_existing(path).resolve()
    except OSError:
        return None
    best, best_system = -1, None
    for line in lines:
        _, mount, system, *_ = line.split(" ")
        # Linux writes a space in the name of a folder as \040.
        place = Path(mount.replace("\\040", " "))
        if (place == target or place in target.parents) and len(place.parts) >= best:
            best, best_system = len(place.parts), system
    is_network = best_system is not None and best_system.startswith(_NETWORK_SYSTEMS)
    return best_system if is_network else None


def nearest_existing(path: Path) -> Path:
    """Return the path itself, or the nearest folder above it that exists."""
    path = path.absolute()
    return next((each for each in (path, *path.parents) if each.exists()), path)


def _usable(check_id: str, name: str, folder: Path, remedy: str, *, is_made: bool = True) -> Check:
    """Return the check of a folder; `is_made`: batchlock makes it when it is missing."""
    place = nearest_existing(folder)
    if not place.is_dir():
        return bad(check_id, f"{name} {folder} is no folder: {place} is a file.", remedy)
    if place != folder.absolute() and not is_made:
        return bad(check_id, f"{name} {folder} does not exist.", f"Make it. {remedy}")
    try:
        _write_in(place)
    except OSError as error:
        what = "cannot be written" if place == folder.absolute() else f"cannot be made in {place}"
        return bad(check_id, f"{name} {folder} {what}: {error.strerror or error}.", remedy)
    if place == folder.absolute():
        return good(check_id, f"{name} {folder} can be written.")
    return good(check_id, f"{name} {folder} is not there yet; the first run makes it.")


def _write_in(folder: Path) -> None:
    """Write a temporary file in a folder, and remove it. Raises OSError."""
    with tempfile.TemporaryFile(dir=folder, prefix=".batchlock-") as file:
        file.write(bytes(_TRIAL_BYTES))
        file.flush()
        # A quota or a full disk may only show here.
        os.fsync(file.fileno())


def _private(state: Path) -> Check:
    """Return whether only this user can read the state folder and the secrets in it."""
    check_id = "folders.state_private"
    if sys.platform == "win32":
        return good(check_id, "The rights on the state folder come from the folder above it.")
    status = state.stat()
    if status.st_uid != os.geteuid():
        return doubtful(
            check_id,
            f"The state folder {state} belongs to another user (number {status.st_uid}).",
            "Run batchlock always as the same user; what it makes is readable by that user only.",
        )
    open_files = []
    for pattern in _SECRET_FILES:
        for path in state.glob(pattern):
            with suppress(OSError):  # it was removed meanwhile
                if stat.S_IMODE(path.stat().st_mode) & _OTHERS:
                    open_files.append(path)
    if open_files:
        names = ", ".join(str(path.relative_to(state)) for path in open_files)
        return bad(
            check_id,
            f"Other users can read secrets in the state folder {state}: {names}.",
            f"Take their rights away: chmod -R go-rwx {state}. Then renew the sign-in with "
            "`batchlock login`, since somebody may have read it.",
        )
    mode = stat.S_IMODE(status.st_mode)
    if mode & _OTHERS:
        return doubtful(
            check_id,
            f"Other users can look into the state folder {state} (mode {mode:04o}), which holds "
            "results.",
            f"Close it to them: chmod go-rwx {state}.",
        )
    return good(check_id, "Only this user can look into the state folder.")


def _space(check_id: str, folder: Path, name: str) -> Check:
    """Return whether there is room on the disk of a folder."""
    place = nearest_existing(folder)
    free = shutil.disk_usage(place).free
    text = f"{_size(free)} are free for {name}"
    if sys.platform != "win32":
        statistics = os.statvfs(place)
        # Some file systems have no limit, and say 0 for the number of all files.
        if statistics.f_files and not statistics.f_favail:
            return bad(
                check_id,
                f"The disk of {name} cannot take one more file (no inodes are left).",
                f"Remove files that are not needed from the disk with {place}.",
            )
    if free < _LEAST_BYTES:
        return bad(check_id, f"Only {text}.", f"Make room on the disk with {place}.")
    if free < _ENOUGH_BYTES:
        return doubtful(
            check_id,
            f"Only {text}. A run of a million rows needs about as much.",
            f"Make room on the disk with {place}.",
        )
    return good(check_id, f"{text}.")


def _size(count: int) -> str:
    """Return a number of bytes in MiB or GiB."""
    return f"{count / 2**30:,.1f} GiB" if count >= 2**30 else f"{count / 2**20:,.0f} MiB"
