"""Seal the secrets of orgs, so that a copy of the database shows none of them.

AES-256-GCM, with a random nonce before each ciphertext. The org and the field are associated data:
a secret that was moved to another row cannot be opened there. Beside each secret stands the id of
its key, so that several keys can be in use while one replaces another.

The key is the setting `secrets`. On one machine it may also be the file `<state>/secrets.key`,
which is made when the first org is added.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock
from pydantic import SecretStr

from batchlock.core.errors import UsageError
from batchlock.core.secret_source import read_secret
from batchlock.store.settings import SecretsSettings

_KEY_BYTES = 32  # AES-256
_NONCE_BYTES = 12  # the size for which GCM is specified without a further hash
KEY_FILE = "secrets.key"
"""The name of the key in the state folder of one machine."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret as the database keeps it."""

    key_id: str
    content: bytes = field(repr=False)
    """The nonce, then the ciphertext."""


class UnknownKey(UsageError):
    """A secret was sealed with a key that is not among those of the settings."""


class SealingKeys:
    """Keys of 32 bytes: the first one seals, and each of them opens."""

    __slots__ = ("_first_id", "_keys")

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Raise UsageError when the package for AES is not installed."""
        if find_spec("cryptography") is None:
            raise UsageError(
                "The secrets of orgs need a package that is not installed. Install it beside "
                "batchlock: pip install cryptography"
            )
        self._keys = {_key_id(key): key for key in keys}
        self._first_id = _key_id(keys[0])

    @property
    def first_id(self) -> str:
        """The id of the key that seals."""
        return self._first_id

    def has_all(self, key_ids: Iterable[str]) -> bool:
        """Return whether the keys with all of some ids are there."""
        return self._keys.keys() >= set(key_ids)

    def seal(self, org: str, name: str, secret: SecretStr) -> Sealed:
        """Return a secret of an org as the database keeps it; `name` is its field."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE_BYTES)
        content = secret.get_secret_value().encode()
        cipher = AESGCM(self._keys[self._first_id])
        return Sealed(self._first_id, nonce + cipher.encrypt(nonce, content, _bound_to(org, name)))

    def open(self, org: str, name: str, sealed: Sealed) -> SecretStr:
        """Return the secret.

        Raises UnknownKey, and UsageError when the secret is damaged or belongs to another org or
        field.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if (key := self._keys.get(sealed.key_id)) is None:
            raise UnknownKey(
                f"The secret {name} of the org {org} was sealed with the key {sealed.key_id}, "
                "which is not among the keys of the setting `secrets`. Add that key behind the "
                f"others, or enter the secrets again with `batchlock orgs add {org} --update`."
            )
        nonce, content = sealed.content[:_NONCE_BYTES], sealed.content[_NONCE_BYTES:]
        try:
            opened = AESGCM(key).decrypt(nonce, content, _bound_to(org, name))
        except (InvalidTag, ValueError):  # ValueError: the nonce is too short
            raise UsageError(
                f"The secret {name} of the org {org} is damaged in the store. Enter the secrets "
                f"again with `batchlock orgs add {org} --update`."
            ) from None
        return SecretStr(opened.decode())


def new_key() -> str:
    """Return a new random key, as the setting `secrets` takes it."""
    return base64.b64encode(os.urandom(_KEY_BYTES)).decode()


def find_keys(settings: SecretsSettings, state: Path, *, is_shared: bool) -> SealingKeys | None:
    """Return the keys of the settings, or of the file in the state folder; None without any.

    The file counts only when the store is not shared with other machines, which do not have it.
    Raises UsageError when a key cannot be read or is no key.
    """
    key = settings.key
    text = read_secret(
        "secrets.key",
        value=None if key is None else key.get_secret_value(),
        file=settings.key_file,
        command=settings.key_command,
    )
    path = state / KEY_FILE
    if text is None and not is_shared and path.exists():
        text = read_secret("secrets.key", value=None, file=path, command=None)
    return None if text is None else _parse_keys(text)


def require_keys(settings: SecretsSettings, state: Path, *, is_shared: bool) -> SealingKeys:
    """Return the keys as `find_keys` does. Raises UsageError also when there are none."""
    if (keys := find_keys(settings, state, is_shared=is_shared)) is not None:
        return keys
    if is_shared:
        raise UsageError(
            "The key that seals the secrets of orgs is not set. Print one with `batchlock orgs "
            "new-key`, keep it in a file that only batchlock can read, and name that file with "
            "secrets.key_file on each machine."
        )
    raise UsageError(
        f"The key that seals the secrets of orgs is missing: {state / KEY_FILE}. Restore that "
        "file from a backup, or enter the secrets again with `batchlock orgs add NAME --update`."
    )


def make_key_file(state: Path) -> None:
    """Make a key in the state folder, unless there is one. Raises UsageError when that fails."""
    path = state / KEY_FILE
    try:
        with FileLock(state / f"{KEY_FILE}.lock", mode=0o600):
            if path.exists():
                return
            draft = path.with_name(f"{path.name}.new")
            draft.unlink(missing_ok=True)  # of a process that was killed
            # The mode is set at creation, so that nobody else can open the file in between.
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(f"{new_key()}\n")
            draft.replace(path)
    except OSError as error:
        raise UsageError(
            f"The key {path} cannot be written: {error.strerror}. Make the state folder writable, "
            "or set secrets.key_file."
        ) from None


def _parse_keys(text: str) -> SealingKeys:
    keys = []
    for number, word in enumerate(text.split(), 1):
        try:
            key = base64.b64decode(word, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != _KEY_BYTES:
            which = "The key" if len(text.split()) == 1 else f"Key {number}"
            raise UsageError(
                f"{which} of the setting `secrets` is not {_KEY_BYTES} bytes in base64. Print a "
                "new one with `batchlock orgs new-key`, or correct it."
            )
        keys.append(key)
    return SealingKeys(keys)


def _key_id(key: bytes) -> str:
    """Return a name for a key that reveals nothing of it."""
    return hashlib.sha256(b"batchlock key\x1f" + key).hexdigest()[:16]


def _bound_to(org: str, name: str) -> bytes:
    return f"{org}\x1f{name}".encode()
