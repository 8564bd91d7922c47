"""Settings of the store: the database, and the key of the secrets in it."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from batchlock.core.paths import UserPath

_SCHEMES = ("postgresql", "postgres")


def check_database_url(text: str) -> str:
    """Return the address of a PostgreSQL database. Raises ValueError for any other text."""
    if urlsplit(text).scheme not in _SCHEMES:
        raise ValueError(
            "the database is an address like postgresql://user@host/name, or null for a file in "
            "the state folder"
        )
    return text


def _database_url(value: SecretStr) -> SecretStr:
    check_database_url(value.get_secret_value())
    return value


DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
"""The address of a PostgreSQL database; secret, since it may hold a password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsSettings:
    """The key that seals the secrets of the orgs in the store.

    Several keys are separated by white space: the first seals, and each of them opens.
    """

    key: SecretStr | None = None
    key_file: UserPath | None = None
    key_command: str | None = None
