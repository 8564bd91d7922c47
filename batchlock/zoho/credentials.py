"""Credentials of one org, from the settings, a file or a command."""

import secrets
from dataclasses import dataclass

from pydantic import SecretStr

from batchlock.core.errors import UsageError
from batchlock.core.secret_source import read_secret
from batchlock.zoho.network import NetworkSettings
from batchlock.zoho.settings import SECRET_WAYS, SIMULATOR, Grant, ZohoSettings


@dataclass(frozen=True, slots=True)
class Credentials:
    """The client and the refresh token that sign in to the org `org`.

    With client credentials the refresh token is empty.
    """

    org: str
    client_id: str
    client_secret: SecretStr
    refresh_token: SecretStr
    grant: Grant = Grant.REFRESH_TOKEN


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
    for name in zoho.grant.secrets:
        try:
            values.append(_secret(zoho, name))
        except UsageError as error:
            problems.append(str(error))
    if zoho.grant is Grant.CLIENT_CREDENTIALS:
        values.append("")
        problems += _problems_of_client_credentials(zoho)
    if problems:
        if any("is missing" in problem for problem in problems):
            remedy = "`batchlock login` signs in and puts all that into the configuration."
        else:  # a file or a command of the user's own, which a login would replace
            remedy = "Put that right, or sign in anew with `batchlock login`."
        problems.append(remedy)
        raise UsageError("\n".join(problems))
    client_id, client_secret, refresh_token = values
    return Credentials(
        org, client_id, SecretStr(client_secret), SecretStr(refresh_token), zoho.grant
    )


def load_client(zoho: ZohoSettings) -> tuple[str | None, SecretStr | None]:
    """Return client id and secret of the settings, None for one that is not set.

    Raises UsageError that lists what cannot be read.
    """
    values: list[str | None] = []
    problems: list[str] = []
    for name in ("client_id", "client_secret"):
        try:
            values.append(_read(zoho, name))
        except UsageError as error:
            problems.append(str(error))
    if problems:
        raise UsageError("\n".join(problems))
    client_id, client_secret = values
    return client_id, None if client_secret is None else SecretStr(client_secret)


def _problems_of_client_credentials(zoho: ZohoSettings) -> list[str]:
    problems = []
    if zoho.organization_id is None:
        problems.append(
            "zoho.organization_id is missing: zoho.grant is client_credentials, and such a sign-in "
            "is for the org with this number."
        )
    problems += [
        f"zoho.{name} is set, and zoho.grant is client_credentials, which needs no refresh token. "
        "Remove one of the two."
        for name in ("refresh_token", *(f"refresh_token_{way}" for way in SECRET_WAYS))
        if getattr(zoho, name) is not None
    ]
    return problems


def _secret(zoho: ZohoSettings, name: str) -> str:
    if (secret := _read(zoho, name)) is None:
        raise UsageError(f"zoho.{name} is missing.")
    return secret


def _read(zoho: ZohoSettings, name: str) -> str | None:
    value: SecretStr | str | None = getattr(zoho, name)
    return read_secret(
        f"zoho.{name}",
        value=value.get_secret_value() if isinstance(value, SecretStr) else value,
        **{way: getattr(zoho, f"{name}_{way}") for way in SECRET_WAYS},
    )
