"""The permissions of a state folder that exists already."""

import logging
import os
import stat
import sys
from pathlib import Path

_log = logging.getLogger(__name__)

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
# What batchlock makes in its state folder. A folder with anything else may be one that other
# programs need, such as /tmp, so its permissions are not changed.
_OWN_NAMES = frozenset(
    {"locks", "logs", "pace", "results", "runs", "secrets.key", "tokens", "web"}
    | {f"store.sqlite{suffix}" for suffix in ("", "-wal", "-shm", ".lock")}
)


def close_to_others(folder: Path) -> None:
    """Take the rights of other users on a state folder away, or warn that they have them.

    Databases and tokens in it are readable by this user alone anyway, but results are not. Nothing
    happens on Windows, where the rights come from the folder above, or without the folder.
    """
    if sys.platform == "win32":
        return
    try:
        status = folder.stat()
        mode = stat.S_IMODE(status.st_mode)
        if not mode & _OTHERS:
            return
        if status.st_uid == os.geteuid() and _OWN_NAMES.issuperset(
            path.name for path in folder.iterdir()
        ):
            folder.chmod(mode & ~_OTHERS)
            _log.warning(
                "Other users could look into the state folder %s (mode %04o). It is closed to them "
                "now (mode %04o).", folder, mode, mode & ~_OTHERS,
            )  # fmt: skip
        elif mode & stat.S_IRWXO:  # a group may be meant, as in a volume of Kubernetes
            _log.warning(
                "Other users can look into the state folder %s (mode %04o), which holds results. "
                "Close it to them: chmod o-rwx %s", folder, mode, folder,
            )  # fmt: skip
    except OSError:  # the store says what is wrong with the folder
        return
