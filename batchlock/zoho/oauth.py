"""Asking Zoho for tokens: one request, and what its answer means."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

import aiohttp
import orjson
from pydantic import SecretStr
from yarl import URL

from batchlock.core.errors import SignInRefused, Stopped
from batchlock.zoho.datacenters import DATA_CENTERS
from batchlock.zoho.failures import call_limits, describe, read_at_most, unexpected_response

USABLE = re.compile(r"[!-~]{1,4096}")
"""A token that can stand in a header."""

_LONGEST_ANSWER = 64 * 1024
_CODE = re.compile(r"[a-z]+(_[a-z]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """Whose tokens they are."""

    accounts_url: str
    """Without a slash at the end."""
    client_id: str
    client_secret: SecretStr
    refresh_token: SecretStr
    data_center: str
    environment: str

    @property
    def key(self) -> str:
        """What the token file calls the account."""
        token = self.refresh_token.get_secret_value()
        parts = (self.accounts_url, self.client_id, token, self.environment)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


class TemporarilyUnavailable(Exception):
    """The token endpoint gave no token, but may do so later."""


_INVALID_CODE = {
    "refresh_token": (
        "Zoho does not take the refresh token (invalid_code): it was revoked, mistyped, or made at "
        "another data centre than {data_center} (zoho.data_center in the configuration). Run "
        "`batchlock login` to get a new one."
    ),
    "authorization_code": (
        "Zoho does not take the code (invalid_code): it was mistyped, used before, is older than "
        "the minutes it was made for, or was made at another data centre than {data_center} "
        "(zoho.data_center in the configuration). Generate a new one at {console} and run "
        "`batchlock login` again."
    ),
}
_REFUSALS = {
    "invalid_client": (
        "Zoho does not know the client id (invalid_client): it is wrong, or of another data centre "
        "than {data_center} (zoho.data_center in the configuration). Copy it again from {console} "
        "to zoho.client_id, or run `batchlock login`."
    ),
    "invalid_client_secret": (
        "Zoho does not take the client secret (invalid_client_secret). Copy it again from "
        "{console} to zoho.client_secret, or run `batchlock login`."
    ),
}
_BUSY = (
    "Zoho's sign-in has had too many requests and asks to wait; other programs with the same "
    "client id count too."
)


async def exchange(
    code: str, account: OAuthClient, *, session: aiohttp.ClientSession, longest: float
) -> str:
    """Return the refresh token for the code that a person made at the API console.

    It may take `longest` seconds. The account's own refresh token is not looked at. Raises
    SignInRefused, and Stopped when the endpoint gives no answer for now: the code stays good until
    its minutes are over.
    """
    form = {"grant_type": "authorization_code", "code": code}
    try:
        granted = await ask(account, form, session=session, longest=longest)
    except TemporarilyUnavailable as why:
        raise Stopped(str(why)) from None
    token = granted.get("refresh_token")
    if not isinstance(token, str) or not USABLE.fullmatch(token):
        raise SignInRefused(
            "Zoho took the code and gave no refresh token for it. Generate a new code under "
            "Self Client and try again."
        )
    return token


async def ask(
    account: OAuthClient,
    form: Mapping[str, str],
    *,
    session: aiohttp.ClientSession,
    longest: float,
) -> Mapping[str, object]:
    """Return what the token endpoint grants for `form`, to which id and secret are added.

    It may take `longest` seconds; its `access_token` can be used. Raises SignInRefused for good
    and NotNow for a while.
    """
    client = {
        "client_id": account.client_id,
        "client_secret": account.client_secret.get_secret_value(),
    }
    url = URL(f"{account.accounts_url}/oauth/v2/token")
    try:
        async with session.post(
            url, data={**form, **client}, allow_redirects=False, timeout=call_limits(longest)
        ) as answer:
            status = answer.status
            content = await read_at_most(answer, _LONGEST_ANSWER)
    except (aiohttp.ClientError, TimeoutError) as error:
        found = describe(error, host=url.host or account.accounts_url, timeout=longest)
        # Without its cause: what that holds of the request is not to be shown.
        raise TemporarilyUnavailable(f"{found.message} {found.remedy}") from None
    return _interpret(status, content, form, account)


def _interpret(
    status: int, content: bytes | None, form: Mapping[str, str], account: OAuthClient
) -> Mapping[str, object]:
    """Judge by whether there is an access token: Zoho's errors come with HTTP 200."""
    try:
        answer = orjson.loads(content or b"")
    except orjson.JSONDecodeError:
        answer = None
    granted: Mapping[str, object] = answer if isinstance(answer, dict) else {}
    token, error = granted.get("access_token"), granted.get("error")
    if isinstance(token, str) and USABLE.fullmatch(token):
        return granted
    if token is not None:
        raise SignInRefused(
            "Zoho's sign-in gave an access token that cannot be used. Check zoho.accounts_url in "
            "the configuration."
        )
    if isinstance(error, str) and error:
        _interpret_error(error, status, form, account, failure=granted.get("status") == "failure")
    if status == 429:
        raise TemporarilyUnavailable(_BUSY)
    found = unexpected_response(status, content)
    raise TemporarilyUnavailable(f"{found.message} {found.remedy}")


def _interpret_error(
    error: str, status: int, form: Mapping[str, str], account: OAuthClient, *, failure: bool
) -> NoReturn:
    known = {**_REFUSALS, "invalid_code": _INVALID_CODE[form["grant_type"]]}.get(error)
    if known:
        console = DATA_CENTERS[account.data_center].console_url
        raise SignInRefused(known.format(data_center=account.data_center, console=console))
    # A code is the same in every language; being throttled is told in words, in the user's own.
    if status == 429 or (not _CODE.fullmatch(error) and (failure or status == 400)):
        raise TemporarilyUnavailable(_BUSY)
    if status >= 500:
        raise TemporarilyUnavailable(f"Zoho's sign-in had a fault (HTTP {status}).")
    secrets = (
        form.get("refresh_token"),
        form.get("code"),
        account.client_secret.get_secret_value(),
    )
    for secret in filter(None, secrets):
        error = error.replace(secret, "…")
    shown = "".join(filter(str.isprintable, error))[:60]
    raise SignInRefused(
        f"Zoho refuses the sign-in with the code {shown}. Check client id, client secret and "
        f"zoho.data_center ({account.data_center}) in the configuration, or run `batchlock login`."
    )
