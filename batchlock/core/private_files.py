"""Write files that only this user can read, all of them or none."""

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class NewFile(NamedTuple):
    """A file to be written, in the place of one that may be there."""

    path: Path
    content: bytes
    keeps_access: bool = False
    """Whether mode and owner stay as they are; else only this user can read it."""


def write_files(files: Sequence[NewFile]) -> None:
    """Replace files by new ones, in their order, after all of them have found room.

    Raises OSError; without room or rights for one of them, every file stays as it was.
    """
    drafts: list[Path] = []
    try:
        for file in files:
            drafts.append(file.path.with_name(f"{file.path.name}.new"))
            _write_draft(drafts[-1], file)
        for file, draft in zip(files, drafts, strict=True):
            draft.replace(file.path)
    except OSError:
        for draft in drafts:  # they hold secrets
            with contextlib.suppress(OSError):
                draft.unlink()
        raise


def _write_draft(draft: Path, file: NewFile) -> None:
    draft.unlink(missing_ok=True)  # of a process that was killed
    # The mode is set at creation: a chmod afterwards would leave a moment in which others can open
    # the file. O_EXCL: nobody else can own the draft before us.
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as output:
        output.write(file.content)
    if file.keeps_access and file.path.exists():
        old = file.path.stat()
        if sys.platform != "win32":
            # Only root can keep another owner, such as the account of a service.
            with contextlib.suppress(OSError):
                os.chown(draft, old.st_uid, old.st_gid)
        draft.chmod(old.st_mode & 0o777)
