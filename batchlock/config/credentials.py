"""Secrets, from wherever the settings say that they are."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from pydantic import SecretStr

from batchlock.config.settings import Zoho
from batchlock.core.errors import UsageError

SECRETS = ("client_id", "client_secret", "refresh_token")

_COMMAND_SECONDS = 30


def credentials(zoho: Zoho) -> tuple[str, SecretStr, SecretStr]:
    """Return client id, client secret and refresh token, from wherever the settings say.

    Raises UsageError that lists all that are missing or cannot be read.
    """
    found: list[str] = []
    problems: list[str] = []
    for name in SECRETS:
        try:
            found.append(_secret(zoho, name))
        except UsageError as error:
            problems.append(str(error))
    if problems:
        problems.append("`batchlock login` makes a refresh token and says where it belongs.")
        raise UsageError("\n".join(problems))
    client_id, client_secret, refresh_token = found
    return client_id, SecretStr(client_secret), SecretStr(refresh_token)


def _secret(zoho: Zoho, name: str) -> str:
    given = getattr(zoho, name)
    file: Path | None = getattr(zoho, f"{name}_file")
    command: str | None = getattr(zoho, f"{name}_command")
    if sum(one is not None for one in (given, file, command)) > 1:
        raise UsageError(f"zoho.{name}: give it itself, its _file or its _command, not several.")
    if given is not None:
        found = given.get_secret_value() if isinstance(given, SecretStr) else str(given)
    elif file is not None:
        found = _from_file(name, file)
    elif command is not None:
        found = _from_command(name, command)
    else:
        raise UsageError(f"zoho.{name} is missing.")
    if not found.strip():
        raise UsageError(f"zoho.{name} is empty.")
    return found.strip()


def _from_file(name: str, file: Path) -> str:
    try:
        return file.expanduser().read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"zoho.{name}_file: {file} cannot be read: {why}.") from None


def _from_command(name: str, command: str) -> str:
    asked = subprocess.Popen(  # noqa: S602  a command line of the user's own
        command,
        shell=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,  # so that what it has started ends with it
    )
    try:
        answer, _ = asked.communicate(timeout=_COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        if sys.platform == "win32":
            asked.kill()
        else:
            os.killpg(asked.pid, signal.SIGKILL)
        asked.communicate()
        raise UsageError(
            f"zoho.{name}_command gave no answer within {_COMMAND_SECONDS} seconds."
        ) from None
    if asked.returncode != 0:
        raise UsageError(f"zoho.{name}_command failed with exit code {asked.returncode}.")
    return answer.decode(errors="replace")
