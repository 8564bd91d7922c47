"""Revoke a sign-in at Zoho, and remove what is left of it on this machine.

Zoho is asked first: as long as it gives no answer, nothing is removed, so that a token that is
still valid is never forgotten.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from batchlock.config import Settings
from batchlock.config.sources import NULL_TEXTS, SettingPath
from batchlock.core import keyring_secrets
from batchlock.core.errors import BatchlockError
from batchlock.core.paths import user_folder
from batchlock.execute import token_cache
from batchlock.sign_in_storage import ConfigPlace, named_files, other_user, secret_file_of
from batchlock.zoho.connect import oauth_client_of
from batchlock.zoho.credentials import Credentials

if TYPE_CHECKING:
    from batchlock.store.store import Store

# What a sign-in stores. The client id is no secret by itself, and stays.
_NAMES = ("client_secret", "refresh_token")
# How long another process may take for its token, in seconds; a person waits.
_LOCK_SECONDS = 30.0
_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSecrets:
    """Where the secrets of a sign-in are, besides the store."""

    files: tuple[Path, ...] = ()
    """Files that a login made."""
    keyring_entries: tuple[str, ...] = ()
    settings: tuple[SettingPath, ...] = ()
    """Settings of the configuration file that hold or name a secret which goes."""
    left: tuple[str, ...] = ()
    """Sentences about what stays, since no login made it."""


def local_secrets(place: ConfigPlace, org: str) -> LocalSecrets:
    """Return where the secrets of the org of a configuration are."""
    named = named_files(place.entries)
    folders = {place.folder, user_folder("config") or place.folder}
    own = {name: {folder / f"{org}.{name}" for folder in folders} for name in _NAMES}
    # A login may have printed its lines, so that files exist that no configuration names.
    unnamed = [secret_file_of(place, org, name) for name in _NAMES]
    others = {file: other_user(place, file) for file in unnamed}
    files = {
        file: None
        for file in (*unnamed, *sorted(named & set().union(*own.values())))
        if others.get(file) is None and file.is_file()
    }
    entries: list[str] = []
    settings: list[SettingPath] = []
    left: list[str] = []
    for name, way, path in _paths():
        if (variable := place.variables.get(path)) is not None:
            left.append(f"{variable} is set in the environment. Remove the variable.")
        entry = place.entries.get(path)
        if entry is None or entry.value in NULL_TEXTS:
            continue
        value, own_entry = str(entry.value), f"{org}.{name}"
        if way == "_command":
            left.append(f"zoho.{name}_command prints the secret. Remove it where that comes from.")
        elif way == "_file" and Path(value).expanduser().absolute() not in own[name]:
            left.append(f"{value} was not made by `batchlock login`. Remove the file if you can.")
        elif way == "_keyring" and value != own_entry:
            left.append(f"The entry {value} of the keyring was not made by `batchlock login`.")
        else:
            settings.append(path)
            if way == "_keyring":
                entries.append(own_entry)
    return LocalSecrets(
        files=tuple(files),
        keyring_entries=tuple(entries),
        settings=tuple(settings),
        left=tuple(left),
    )


def _paths() -> Iterator[tuple[str, str, SettingPath]]:
    for name in _NAMES:
        for way in ("", "_file", "_command", "_keyring"):
            yield name, way, ("zoho", f"{name}{way}")


async def revoke_at_zoho(
    settings: Settings, store: "Store | None", credentials: Credentials
) -> bool:
    """Revoke the refresh token, or without one the access token; False: none was valid any more.

    Raises Stopped when Zoho gives no answer, and UsageError for wrong network settings.
    """
    from batchlock.zoho.client import session
    from batchlock.zoho.revocation import revoke

    client = oauth_client_of(settings.zoho, settings.zoho.accounts, credentials)
    token: SecretStr | None = credentials.refresh_token
    if not credentials.refresh_token.get_secret_value():
        cache = token_cache(settings, store, credentials.org)
        stored = await cache.read(client.key, now=time.time())
        token = None if stored is None else SecretStr(stored.text)
    if token is None:
        return False
    network, url = settings.network, client.accounts_url
    async with session(
        limit=1, proxy=network.proxy_to(url), ssl_context=network.ssl_context()
    ) as calls:
        return await revoke(token, client, session=calls, timeout_seconds=_TIMEOUT_SECONDS)


async def remove_access_token(
    settings: Settings, store: "Store | None", credentials: Credentials
) -> None:
    """Remove the access token that the processes of the org share. Raises BatchlockError."""
    client = oauth_client_of(settings.zoho, settings.zoho.accounts, credentials)
    cache = token_cache(settings, store, credentials.org)
    async with cache.locked(timeout_seconds=_LOCK_SECONDS):
        await cache.remove(client.key, now=time.time())


def remove_secrets(secrets: LocalSecrets) -> list[str]:
    """Remove files and entries of the keyring; return sentences about what could not be removed."""
    failures = []
    for file in secrets.files:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            failures.append(f"{file} cannot be removed: {error.strerror or error}. Remove it.")
    for entry in secrets.keyring_entries:
        try:
            keyring_secrets.delete(f"The entry {entry} of the keyring", entry)
        except BatchlockError as error:
            failures.append(str(error))
    return failures
