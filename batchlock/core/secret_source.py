"""Read a secret that stands in the settings, in a file, or is printed by a command."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from batchlock.core.errors import UsageError

# A command that asks a person at a screen would otherwise block a run at night for ever.
_COMMAND_TIMEOUT_SECONDS = 30


def read_secret(
    name: str, *, value: str | None, file: Path | None, command: str | None
) -> str | None:
    """Return the secret of the setting `name`, without the white space around it.

    None when it is set in none of the three ways. Raises UsageError when it is set in several, or
    when it cannot be read or is empty.
    """
    if sum(source is not None for source in (value, file, command)) > 1:
        raise UsageError(
            f"{name} is set in more than one way. Keep one: itself, its _file or its _command."
        )
    if value is not None:
        secret = value
    elif file is not None:
        secret = _from_file(name, file)
    elif command is not None:
        secret = _from_command(name, command)
    else:
        return None
    # Editors and `echo` end a file or an output with a line break.
    if not secret.strip():
        raise UsageError(f"{name} is empty.")
    return secret.strip()


def _from_file(name: str, file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")  # Notepad writes a BOM
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        # Without the cause: a UnicodeDecodeError holds the content of the file.
        raise UsageError(f"{name}_file: {file} cannot be read: {why}.") from None


def _from_command(name: str, command: str) -> str:
    process = subprocess.Popen(  # noqa: S602  a command line of the user's own
        command,
        shell=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,  # a process group, so that its child processes can be killed too
    )
    try:
        output, _ = process.communicate(timeout=_COMMAND_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise UsageError(
            f"{name}_command gave no answer within {_COMMAND_TIMEOUT_SECONDS} seconds."
        ) from None
    if process.returncode != 0:
        raise UsageError(f"{name}_command failed with exit code {process.returncode}.")
    return output.decode(errors="replace")
