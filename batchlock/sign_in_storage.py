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
from batchlock.core.errors import BatchlockError, UsageError
from batchlock.core.paths import make_private_folder, refuse_missing_home, user_folder
from batchlock.core.private_files import NewFile, write_files
from batchlock.new_sign_in import NewSignIn
from batchlock.zoho.settings import SECRET_WAYS, SECRETS, Grant, ZohoSettings

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
    before: bytes | None
    """The content that changes; None: there is no file."""

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
        file = self.new_file
        try:
            write_files([file])
        except OSError as error:
            raise UsageError(
                f"{file.path} cannot be written: {error.strerror or error}. Make it writable, or "
                "name another configuration with --config."
            ) from None

    @property
    def new_file(self) -> NewFile:
        """The file with its new content. Raises UsageError when it cannot be changed."""
        if self.text is None:
            raise UsageError(
                f"{self.place.file} cannot be changed. Make it writable, or edit it yourself."
            )
        # A person may have edited it while a question was open.
        if _content(self.place.file) != self.before:
            raise UsageError(
                f"{self.place.file} was changed by somebody else in the meantime, and was left as "
                "it is. Type the command again."
            )
        # By the way of links, so that a link stays one.
        return NewFile(self.place.file.resolve(), self.text.encode(), keeps_access=True)


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


def require_place(
    place: ConfigPlace, org: str, *, with_files: bool, more: Mapping[SettingPath, str]
) -> None:
    """Raise UsageError unless a sign-in can be stored, before a person has typed anything.

    `more` are settings that it changes besides the secrets. A variable of the environment would win
    over what is written, and the files of another configuration are not replaced.
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
    if with_files:
        _refuse_files_of_others(place, org)


def secret_file_of(place: ConfigPlace, org: str, name: str) -> Path:
    """Return the file in which a sign-in keeps a secret."""
    return place.folder / f"{org}.{name}"


def named_files(entries: Mapping[SettingPath, Entry]) -> set[Path]:
    """Return the files with secrets that the settings of a configuration name."""
    return {
        Path(str(entry.value)).expanduser().absolute()
        for path, entry in entries.items()
        if path in _WRITTEN and path[1].endswith("_file") and entry.value not in NULL_TEXTS
    }


def other_user(place: ConfigPlace, file: Path) -> Path | None:
    """Return the configuration in the folder of a secret that names it, while this one does not."""
    if file in named_files(place.entries):
        return None
    for other in sorted((*file.parent.glob("*.yaml"), *file.parent.glob("*.yml"))):
        if other.resolve() == place.file.resolve():
            continue
        try:
            entries = file_entries(other, {}, [])
        except (BatchlockError, OSError):  # it is no configuration, or nobody can use it
            continue
        if file in named_files(entries):
            return other
    return None


def _refuse_files_of_others(place: ConfigPlace, org: str) -> None:
    for name in SECRETS:
        file = secret_file_of(place, org, name)
        if file.exists() and (other := other_user(place, file)) is not None:
            raise UsageError(
                f"{file} belongs to the configuration {other}, whose org is called {org}, too. "
                f"Give this one another name: put `org: NAME` into {place.file}, then sign in "
                "again."
            )


def secret_settings(
    place: ConfigPlace, org: str, sign_in: NewSignIn, *, to_keyring: bool
) -> dict[SettingPath, str | None]:
    """Return the settings that name the secrets of a sign-in, None for one to remove."""
    values: dict[SettingPath, str | None] = {}
    for name, secret in _stored(sign_in).items():
        values |= {path: None for path in _WRITTEN if path[1].startswith(name)}
        if name == "client_id":  # no secret by itself
            values["zoho", name] = secret
        elif to_keyring:
            values["zoho", f"{name}_keyring"] = f"{org}.{name}"
        else:
            values["zoho", f"{name}_file"] = str(secret_file_of(place, org, name))
    if sign_in.grant is Grant.CLIENT_CREDENTIALS:
        values |= {path: None for path in _WRITTEN if path[1].startswith("refresh_token")}
    return values


def replaces_secrets(place: ConfigPlace, values: Mapping[SettingPath, str | None]) -> bool:
    """Return whether storing replaces secrets that the configuration names as it is."""
    files = named_files(place.entries)
    return any(
        (path[1].endswith("_file") and Path(value) in files)
        or (path[1].endswith("_keyring") and _value(place, path) == value)
        for path, value in values.items()
        if value is not None
    )


def store_secrets(
    place: ConfigPlace,
    org: str,
    sign_in: NewSignIn,
    *,
    to_keyring: bool,
    change: ConfigChange | None,
) -> None:
    """Store the secrets of a sign-in, with the change of the configuration that belongs to them.

    Without room or rights for all of it, every file stays as it was. Raises UsageError.
    """
    secrets = {name: one for name, one in _stored(sign_in).items() if name != "client_id"}
    files = [] if change is None else [change.new_file]
    if to_keyring:
        for name, secret in secrets.items():
            keyring_secrets.write(f"zoho.{name}_keyring", f"{org}.{name}", secret)
    else:
        # Before the configuration, which names them.
        files = [
            *(
                NewFile(secret_file_of(place, org, name), one.encode())
                for name, one in secrets.items()
            ),
            *files,
        ]
    try:
        write_files(files)
    except OSError as error:
        path = error.filename or place.folder
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}. Make room, or make the folder "
            "writable, then sign in again."
        ) from None


def _stored(sign_in: NewSignIn) -> dict[str, str]:
    """Return what a sign-in stores, by field: what is not stored already."""
    return {
        name: secret.get_secret_value()
        for name, secret in sign_in.secrets.items()
        if name == "refresh_token" or not sign_in.has_client_of_settings
    }


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
    before = _content(place.file) if place.exists else None
    try:
        old = _HEADER if before is None else before.decode()
        text = edited(old, changed) if _is_writable(place) else None
    except (UnicodeDecodeError, NotEditable):
        text = None
    return ConfigChange(place=place, values=changed, text=text, before=before)


def _content(file: Path) -> bytes | None:
    """Return the content of a file; None when there is none that can be read."""
    try:
        return file.read_bytes()
    except OSError:
        return None


def _value(place: ConfigPlace, path: SettingPath) -> object:
    entry = place.entries.get(path)
    return None if entry is None else entry.value


def _is_writable(place: ConfigPlace) -> bool:
    folder = place.file.resolve().parent
    return not place.exists or (os.access(place.file, os.W_OK) and os.access(folder, os.W_OK))
