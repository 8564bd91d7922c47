"""Secrets in the keyring of the system: Keychain, Credential Manager, Secret Service, KWallet.

The package `keyring` talks to all of them. It is an extra, since a server mostly has no keyring.
Each entry belongs to the service `batchlock`; its name is what a `_keyring` setting holds.
"""

from types import ModuleType

from batchlock.core.errors import UsageError

_SERVICE = "batchlock"


def read(setting: str, entry: str) -> str | None:
    """Return the secret of an entry; None when there is none.

    Raises UsageError when there is no keyring, or when it cannot be used; `setting` is named then.
    """
    keyring = _keyring(setting)
    try:
        secret: str | None = keyring.get_password(_SERVICE, entry)
    except Exception as error:  # each backend raises its own: D-Bus, Windows, a locked keychain
        raise _unusable(setting, error) from None
    return secret


def write(setting: str, entry: str, secret: str) -> None:
    """Store the secret of an entry. Raises UsageError as `read` does."""
    keyring = _keyring(setting)
    try:
        keyring.set_password(_SERVICE, entry, secret)
    except Exception as error:  # see `read`
        raise _unusable(setting, error) from None


def delete(setting: str, entry: str) -> bool:
    """Remove an entry; return False when there is none. Raises UsageError as `read` does."""
    if read(setting, entry) is None:
        return False
    keyring = _keyring(setting)
    try:
        keyring.delete_password(_SERVICE, entry)
    except Exception as error:  # see `read`
        raise _unusable(setting, error) from None
    return True


def _keyring(setting: str) -> ModuleType:
    try:
        import keyring
    except ModuleNotFoundError:
        raise UsageError(
            f"{setting}: the system's keyring needs one more package. Install it with "
            "`pip install keyring`, or keep the secret in a file."
        ) from None
    return keyring


def _unusable(setting: str, error: Exception) -> UsageError:
    # The class too: several backends raise exceptions without a text.
    why = " ".join(filter(None, [type(error).__name__, str(error).partition("\n")[0]]))
    return UsageError(
        f"{setting}: the keyring of the system cannot be used ({why}). Unlock it, or keep the "
        "secret in a file."
    )
