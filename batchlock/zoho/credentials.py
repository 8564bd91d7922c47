"""Credentials of one org, from the settings, a file or a command."""

import secrets
from dataclasses import dataclass

from pydantic import SecretStr

from batchlock.core.errors import UsageError
from batchlock.core.secret_source import read_secret
from batchlock.zoho.network import NetworkSettings
from batchlock.zoho.settings import SECRETS, SIMULATOR, ZohoSettings


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
    secret = read_secret(
        f"zoho.{name}",
        value=value.get_secret_value() if isinstance(value, SecretStr) else value,
        file=getattr(zoho, f"{name}_file"),
        command=getattr(zoho, f"{name}_command"),
    )
    if secret is None:
        raise UsageError(f"zoho.{name} is missing.")
    return secret
