"""Read a secret: from the settings, a file, the output of a command, or the system's keyring."""

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from batchlock.core.errors import UsageError

# A command that asks a person at a screen would otherwise block a run at night for ever.
_COMMAND_TIMEOUT_SECONDS = 30
# Keys in PEM have some KiB; a device such as /dev/zero has no end.
_MAX_FILE_BYTES = 64 * 1024


# systemd puts the credentials of a service (LoadCredential) there; see systemd.exec(5).
_CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
_CREDENTIALS_PREFIXES = (f"${_CREDENTIALS_VARIABLE}", f"${{{_CREDENTIALS_VARIABLE}}}")


def read_secret(
    name: str,
    *,
    value: str | None,
    file: Path | None,
    command: str | None,
    keyring: str | None = None,
) -> str | None:
    """Return the secret of the setting `name`, without the white space around it.

    `keyring` is the name of an entry of the system's keyring. None when it is set in none of these
    ways. Raises UsageError when it is set in several, or when it cannot be read or is empty.
    """
    sources = {"": value, "_file": file, "_command": command, "_keyring": keyring}
    ways = [f"{name}{end}" for end, source in sources.items() if source is not None]
    if len(ways) > 1:
        raise UsageError(f"{name} is set in more than one way. Keep one of {', '.join(ways)}.")
    if value is not None:
        secret = value
    elif file is not None:
        secret = _from_file(name, file)
    elif command is not None:
        secret = _from_command(name, command)
    elif keyring is not None:
        secret = _from_keyring(name, keyring)
    else:
        return None
    # Editors and `echo` end a file or an output with a line break.
    if not secret.strip():
        raise UsageError(f"{name} is empty.")
    return secret.strip()


def secret_file(name: str, file: Path) -> Path:
    """Return the path of a `_file` setting, whose first part may be $CREDENTIALS_DIRECTORY.

    Raises UsageError when that is not set. It is read here and not when the settings are loaded,
    since commands that need no secret also run outside the service that has the credentials.
    """
    if not file.parts or file.parts[0] not in _CREDENTIALS_PREFIXES:
        return file
    folder = os.environ.get(_CREDENTIALS_VARIABLE)
    if not folder:
        raise UsageError(
            f"{name}_file: {file} is a credential of systemd, and {_CREDENTIALS_VARIABLE} is not "
            "set. Run this as a service with LoadCredential=, or name another file."
        )
    return Path(folder, *file.parts[1:])


def _from_keyring(name: str, entry: str) -> str:
    from batchlock.core import keyring_secrets

    secret = keyring_secrets.read(f"{name}_keyring", entry)
    if secret is None:
        raise UsageError(
            f"{name}_keyring: the keyring of this user has no entry {entry} of batchlock. "
            "Sign in with `batchlock login`."
        )
    return secret


def _from_file(name: str, file: Path) -> str:
    file = secret_file(name, file)
    try:
        return _content(name, file).decode("utf-8-sig")  # Notepad writes a BOM
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        # Without the cause: a UnicodeDecodeError holds the content of the file.
        raise UsageError(f"{name}_file: {file} cannot be read: {why}.") from None


def _content(name: str, file: Path) -> bytes:
    """Return the content of a file or a pipe. Raises OSError and UsageError."""
    # Opening a pipe that nobody writes to would wait for ever, and no signal would end it.
    flags = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(file, os.O_RDONLY | flags)
    content = b""
    with os.fdopen(descriptor, "rb", buffering=0):
        while len(content) <= _MAX_FILE_BYTES:
            if sys.platform != "win32":
                readable, _, _ = select.select([descriptor], [], [], _COMMAND_TIMEOUT_SECONDS)
                if not readable:
                    raise UsageError(
                        f"{name}_file: {file} is a pipe, and nothing came from it within "
                        f"{_COMMAND_TIMEOUT_SECONDS} seconds. Name a file, or start what writes to "
                        "it."
                    )
            part = os.read(descriptor, _MAX_FILE_BYTES + 1)
            if not part:
                return content
            content += part
    raise UsageError(
        f"{name}_file: {file} has more than {_MAX_FILE_BYTES // 1024} KiB, so it is no secret. "
        "Name the right file."
    )


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
        # A process that has left the group may have the output open still.
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=1)
        raise UsageError(
            f"{name}_command gave no answer within {_COMMAND_TIMEOUT_SECONDS} seconds."
        ) from None
    if process.returncode != 0:
        raise UsageError(f"{name}_command failed with exit code {process.returncode}.")
    return output.decode(errors="replace")
