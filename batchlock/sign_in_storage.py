"""Store a sign-in so that every command finds it: its secrets, and their places in the config.

NewSignIn ─ secrets ─▶ private files, or the keyring of the system
          ─ settings ─▶ ConfigChange ─▶ the configuration file

A stored org keeps both in the store instead: see `org_settings`.
"""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from batchlock.config.edit import NotEditable, edited
from batchlock.config.sources import (
    FILE_NAME,
    NULL_TEXTS,
    Entry,
    SettingPath,
    file_entries,
    find_file,
    variables,
)
from batchlock.core import keyring_secrets
from batchlock.core.errors import UsageError
from batchlock.core.paths import make_private_folder, refuse_missing_home, user_folder
from batchlock.new_sign_in import NewSignIn
from batchlock.zoho.settings import SECRET_WAYS, SECRETS, Grant, ZohoSettings
from batchlock.zoho.token_file import write_private

_HEADER = (
    "# Written by `batchlock login`. All settings, with their defaults: config.example.yaml.\n"
)
# What a login writes, so that a variable of the same name would win over it.
_WRITTEN = [
    ("zoho", f"{name}{end}") for name in SECRETS for end in ("", *(f"_{w}" for w in SECRET_WAYS))
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigPlace:
    """The configuration file of a command, and the folder of the secrets beside it."""

    file: Path
    exists: bool
    is_named: bool
    """Whether the file was named (`-c`, BATCHLOCK_CONFIG), so that other commands need its name."""
    folder: Path
    """Where files with secrets are made."""
    entries: Mapping[SettingPath, Entry]
    """The settings in the file."""
    variables: Mapping[SettingPath, str]
    """The variables of the environment that set something, by the path of it."""

    def has(self, path: SettingPath) -> bool:
        """Return whether a setting is in the file or in the environment."""
        return path in self.entries or path in self.variables


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChange:
    """A change of the configuration file that was not made yet."""

    place: ConfigPlace
    values: Mapping[SettingPath, str | None]
    """What changes; None: the value is removed."""
    text: str | None
    """The new content; None: the file cannot be changed without a risk, or not by this user."""

    @property
    def lines(self) -> list[str]:
        """What changes, one setting a line; no line has a secret."""
        return [
            f"{'.'.join(path)}: {'removed' if value is None else value}"
            for path, value in self.values.items()
        ]

    @property
    def yaml(self) -> str:
        """The settings as lines of a configuration."""
        return edited("", {path: one for path, one in self.values.items() if one is not None})

    def make(self) -> None:
        """Write the file. Raises UsageError."""
        if self.text is None:
            raise UsageError(
                f"{self.place.file} cannot be changed. Make it writable, or edit it yourself."
            )
        file = self.place.file.resolve()  # a link stays one
        try:
            mode = file.stat().st_mode & 0o777 if self.place.exists else 0o600
            write_private(file, self.text.encode())
            file.chmod(mode)
        except OSError as error:
            raise UsageError(
                f"{file} cannot be written: {error.strerror or error}. Make it writable, or name "
                "another configuration with --config."
            ) from None


def config_place(named: Path | None, environment: Mapping[str, str]) -> ConfigPlace:
    """Return the configuration that a command uses, or that a sign-in makes where there is none.

    `named` is that of the command line. Raises UsageError when it cannot be read, and when there is
    no folder for a new one.
    """
    is_named = named is not None or bool(environment.get("BATCHLOCK_CONFIG"))
    own_folder = user_folder("config")
    file = find_file(named, environment)
    if not is_named and own_folder is None:
        raise UsageError(
            "Your home folder is not known, so there is no place for the sign-in. Set HOME, or "
            "name a configuration with --config; it is made if it does not exist."
        )
    file = (file or (own_folder or Path()) / FILE_NAME).absolute()
    exists = file.exists()
    problems: list[str] = []
    entries = file_entries(file, {}, problems) if exists else {}
    if problems:
        raise UsageError("\n".join(problems))
    return ConfigPlace(
        file=file,
        exists=exists,
        is_named=is_named,
        # The current folder may be that of a repository, where secrets have no place.
        folder=file.parent if is_named or own_folder is None else own_folder,
        entries={path: one for path, one in entries.items() if one.value not in NULL_TEXTS},
        variables={path: name for name, path in variables(environment).items()},
    )


def require_place(place: ConfigPlace, *, with_files: bool, more: Mapping[SettingPath, str]) -> None:
    """Raise UsageError unless a sign-in can be stored, before a person has typed anything.

    `more` are settings that it changes besides the secrets. A variable of the environment would win
    over what is written.
    """
    overriding = [
        name
        for path, name in place.variables.items()
        if (path in _WRITTEN and path[1].startswith("refresh_token")) or path in more
    ]
    if overriding:
        raise UsageError(
            f"{' and '.join(overriding)} is set in the environment, and would win over what the "
            "sign-in writes to the configuration. Remove the variable, then type the command again."
        )
    folders = {place.folder} if with_files else set()
    if not place.exists:
        folders.add(place.file.parent)
    for folder in folders:
        refuse_missing_home(folder)
        try:
            make_private_folder(folder)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise UsageError(
                f"{folder} cannot be written: {error.strerror or error}. Make the folder writable, "
                "or name a configuration in another one with --config."
            ) from None


def store_secrets(
    place: ConfigPlace, org: str, sign_in: NewSignIn, *, to_keyring: bool
) -> dict[SettingPath, str | None]:
    """Store the secrets of a sign-in; return the settings that name them, None for one to remove.

    Raises UsageError.
    """
    values: dict[SettingPath, str | None] = {}
    for name, secret in sign_in.secrets.items():
        if sign_in.has_client_of_settings and name != "refresh_token":
            continue
        ways: dict[SettingPath, str | None] = {
            path: None for path in _WRITTEN if path[1].startswith(name)
        }
        text, entry = secret.get_secret_value(), f"{org}.{name}"
        if name == "client_id":  # no secret by itself
            ways["zoho", name] = text
        elif to_keyring:
            keyring_secrets.write(f"zoho.{name}_keyring", entry, text)
            ways["zoho", f"{name}_keyring"] = entry
        else:
            ways["zoho", f"{name}_file"] = str(_write(place.folder / entry, text))
        values |= ways
    if sign_in.grant is Grant.CLIENT_CREDENTIALS:
        values |= {path: None for path in _WRITTEN if path[1].startswith("refresh_token")}
    return values


def config_change(
    place: ConfigPlace, org: str, values: Mapping[SettingPath, str | None]
) -> ConfigChange | None:
    """Return what these settings change in the configuration; None when they are all in it."""
    if not place.exists:
        values = {("org",): org, **values}
    changed = {
        path: value
        for path, value in values.items()
        if (path in place.entries if value is None else _value(place, path) != value)
    }
    if not changed:
        return None
    names = [one.name for one in fields(ZohoSettings)]  # in the order of config.example.yaml
    changed = dict(
        sorted(changed.items(), key=lambda item: names.index(item[0][-1]) if item[0][1:] else -1)
    )
    try:
        before = place.file.read_bytes().decode() if place.exists else _HEADER
        text = edited(before, changed) if _is_writable(place) else None
    except (OSError, UnicodeDecodeError, NotEditable):
        text = None
    return ConfigChange(place=place, values=changed, text=text)


def _value(place: ConfigPlace, path: SettingPath) -> object:
    entry = place.entries.get(path)
    return None if entry is None else entry.value


def _is_writable(place: ConfigPlace) -> bool:
    folder = place.file.resolve().parent
    return not place.exists or (os.access(place.file, os.W_OK) and os.access(folder, os.W_OK))


def _write(path: Path, text: str) -> Path:
    try:
        return write_private(path, text.encode())
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}. Make room, then sign in again."
        ) from None
