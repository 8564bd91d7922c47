"""Credentials of one org, from the settings, a file or a command."""

import os
import secrets
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from batchlock.core.errors import UsageError
from batchlock.zoho.network import NetworkSettings
from batchlock.zoho.settings import SECRETS, SIMULATOR, ZohoSettings

# A command that asks a person at a screen would otherwise block a run at night for ever.
_COMMAND_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Credentials:
    """The client and the refresh token that sign in to the org `org`."""

    org: str
    client_id: str
    client_secret: SecretStr
    refresh_token: SecretStr


def load_credentials(zoho: ZohoSettings, network: NetworkSettings, org: str) -> Credentials:
    """Return the credentials of `org`; those of a rehearsal are random.

    Check also that the network settings can be used. Raises UsageError that lists every credential
    that is missing or cannot be read.
    """
    if org == SIMULATOR:
        # Each simulator issues its own tokens. The random value makes the token file's key differ,
        # so that no token of an earlier rehearsal is used.
        random_value = SecretStr(secrets.token_hex(8))
        return Credentials(org, "rehearsal", random_value, random_value)
    network.check(zoho.api, zoho.accounts)
    values: list[str] = []
    problems: list[str] = []
    for name in SECRETS:
        try:
            values.append(_secret(zoho, name))
        except UsageError as error:
            problems.append(str(error))
    if problems:
        problems.append("`batchlock login` makes a refresh token and says where it belongs.")
        raise UsageError("\n".join(problems))
    client_id, client_secret, refresh_token = values
    return Credentials(org, client_id, SecretStr(client_secret), SecretStr(refresh_token))


def _secret(zoho: ZohoSettings, name: str) -> str:
    value: SecretStr | str | None = getattr(zoho, name)
    file: Path | None = getattr(zoho, f"{name}_file")
    command: str | None = getattr(zoho, f"{name}_command")
    if sum(source is not None for source in (value, file, command)) > 1:
        raise UsageError(
            f"zoho.{name} is set in more than one way. Keep one: itself, its _file or its _command."
        )
    if value is not None:
        secret = value.get_secret_value() if isinstance(value, SecretStr) else value
    elif file is not None:
        secret = _from_file(name, file)
    elif command is not None:
        secret = _from_command(name, command)
    else:
        raise UsageError(f"zoho.{name} is missing.")
    # Editors and `echo` end a file or an output with a line break.
    if not secret.strip():
        raise UsageError(f"zoho.{name} is empty.")
    return secret.strip()


def _from_file(name: str, file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")  # Notepad writes a BOM
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        # Without the cause: a UnicodeDecodeError holds the content of the file.
        raise UsageError(f"zoho.{name}_file: {file} cannot be read: {why}.") from None


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
            f"zoho.{name}_command gave no answer within {_COMMAND_TIMEOUT_SECONDS} seconds."
        ) from None
    if process.returncode != 0:
        raise UsageError(f"zoho.{name}_command failed with exit code {process.returncode}.")
    return output.decode(errors="replace")
