"""Settings of the org and of the sign-in to it."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from batchlock.core.paths import UserPath
from batchlock.zoho.datacenters import DATA_CENTERS, ENVIRONMENTS
from batchlock.zoho.network import is_this_machine

# The org of rehearsals. No real org can have this name, so that a rehearsal is never resumed as a
# real run, and never shares its tokens.
SIMULATOR = "simulator"

# These settings never appear in a message. The client id is not secret by itself, but people
# paste the wrong one of the three values into it.
SECRETS = ("client_id", "client_secret", "refresh_token")
SECRET_WAYS = ("file", "command", "keyring")
"""Where a secret may be instead, by the end of the name of the setting: `client_secret_file`."""


class Grant(StrEnum):
    """How access tokens are obtained; the words are OAuth's."""

    REFRESH_TOKEN = "refresh_token"  # noqa: S105  a grant type
    """A person has approved the sign-in once; the refresh token stands for that."""
    CLIENT_CREDENTIALS = "client_credentials"
    """Client id and secret alone, for the org `zoho.organization_id`; nothing else is stored."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the settings that the grant needs."""
        return SECRETS if self is Grant.REFRESH_TOKEN else SECRETS[:2]


def _server_url(text: str) -> str:
    url = urlsplit(text.rstrip("/"))
    host = url.hostname or ""
    if not host or url.path or url.query or url.username or url.password:
        raise ValueError("an address is like https://www.zohoapis.com, with nothing behind it")
    # Credentials must be encrypted on the network; the simulator on this machine has no TLS.
    if url.scheme == "https" or (url.scheme == "http" and is_this_machine(host)):
        return url.geturl()
    raise ValueError(
        "the address must begin with https://, or credentials could be read on the way"
    )


def _api_version(text: str) -> str:
    # The version is a part of every address, so nothing but a version may stand there.
    if not re.fullmatch(r"v\d+(\.\d+)?", text):
        raise ValueError("a version of the API is like v7")
    return text


ServerUrl = Annotated[str, AfterValidator(_server_url)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZohoSettings:
    """The org, and where the credentials for it are."""

    data_center: Literal[tuple(DATA_CENTERS)] = "us"  # type: ignore[valid-type]  # the table's keys
    environment: Literal[ENVIRONMENTS] = "production"  # type: ignore[valid-type]  # the same
    api_version: Annotated[str, AfterValidator(_api_version)] = "v7"
    grant: Grant = Grant.REFRESH_TOKEN
    client_id: str | None = None
    client_id_file: UserPath | None = None
    client_id_command: str | None = None
    client_id_keyring: str | None = None
    client_secret: SecretStr | None = None
    client_secret_file: UserPath | None = None
    client_secret_command: str | None = None
    client_secret_keyring: str | None = None
    refresh_token: SecretStr | None = None
    refresh_token_file: UserPath | None = None
    refresh_token_command: str | None = None
    refresh_token_keyring: str | None = None
    api_url: ServerUrl | None = None
    accounts_url: ServerUrl | None = None
    organization_id: str | None = None

    @property
    def api(self) -> str:
        """The address of the API, without a slash at the end."""
        return self.api_url or DATA_CENTERS[self.data_center].api_url(self.environment)

    @property
    def accounts(self) -> str:
        """The address of the token endpoint's server, without a slash at the end."""
        return self.accounts_url or DATA_CENTERS[self.data_center].accounts_url
