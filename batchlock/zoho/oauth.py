"""One request to Zoho's accounts server, and what its response means."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

import aiohttp
import orjson
from pydantic import SecretStr
from yarl import URL

from batchlock.core.errors import SignInRefused, Stopped, UsageError
from batchlock.zoho.datacenters import DATA_CENTERS
from batchlock.zoho.failures import call_limits, describe, read_at_most, unexpected_response
from batchlock.zoho.scopes import SCOPES
from batchlock.zoho.settings import Grant

# A token stands in the Authorization header: printable ASCII only, or the header could be split.
# Zoho's tokens have about 70 characters; servers accept headers of some 8,000.
TOKEN = re.compile(r"[!-~]{1,4096}")

# Bytes. A response with tokens has less than 1,000.
_MAX_RESPONSE_SIZE = 64 * 1024
# Zoho's error codes, such as `invalid_code`; any other text in `error` is a localised message.
_ERROR_CODE = re.compile(r"[a-z]+(_[a-z]+)+")
# An unknown code is shown to the user; more characters than this are no code.
_MAX_SHOWN_CODE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """The client of one account at Zoho's token endpoint."""

    accounts_url: str  # without a slash at the end
    client_id: str
    client_secret: SecretStr
    refresh_token: SecretStr  # empty for client credentials
    data_center: str
    environment: str
    grant: Grant = Grant.REFRESH_TOKEN
    organization_id: str = ""  # only client credentials need it

    @property
    def key(self) -> str:
        """The account's key in the token file; a hash, so that it reveals no secret."""
        token = self.refresh_token.get_secret_value()
        if self.grant is Grant.CLIENT_CREDENTIALS:
            token = f"{self.organization_id} {self.client_secret.get_secret_value()}"
        parts = (self.accounts_url, self.client_id, token, self.environment)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()

    @property
    def token_form(self) -> Mapping[str, str]:
        """The form that asks for an access token, without client id and secret."""
        if self.grant is Grant.CLIENT_CREDENTIALS:
            return {
                "grant_type": "client_credentials",
                "scope": ",".join(SCOPES),
                "soid": f"ZohoCRM.{self.organization_id}",
            }
        return {
            "grant_type": "refresh_token",
            "refresh_token": self.refresh_token.get_secret_value(),
        }


class TemporarilyUnavailable(Exception):
    """The token endpoint gave no token, but may do so later."""


# By grant type: the same code means a bad refresh token or a bad authorization code.
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
_MISSING_ORG_INFO = (
    "Zoho gives these client credentials no access to the org {organization_id} "
    "(missing_org_info). Copy the number of the org from the address of the CRM, behind `org`, to "
    "zoho.organization_id, and use a client of a user of that org."
)
_BUSY = (
    "Zoho's sign-in has had too many requests and asks to wait; other programs with the same "
    "client id count too. Run the same command again later."
)


async def exchange(
    code: str, oauth_client: OAuthClient, *, session: aiohttp.ClientSession, timeout_seconds: float
) -> str:
    """Exchange the code that a person made at the API console for a refresh token.

    The refresh token of `oauth_client` is not used. Raises SignInRefused, and Stopped when the
    endpoint gives no answer for now: the code stays valid until its minutes are over.
    """
    form = {"grant_type": "authorization_code", "code": code}
    try:
        granted = await request_token(
            oauth_client, form, session=session, timeout_seconds=timeout_seconds
        )
    except TemporarilyUnavailable as why:
        raise Stopped(str(why)) from None
    token = granted.get("refresh_token")
    if not isinstance(token, str) or not TOKEN.fullmatch(token):
        raise SignInRefused(
            "Zoho took the code and gave no refresh token for it. Generate a new code under "
            "Self Client and try again."
        )
    return token


async def request_token(
    oauth_client: OAuthClient,
    form: Mapping[str, str],
    *,
    session: aiohttp.ClientSession,
    timeout_seconds: float,
) -> Mapping[str, object]:
    """Send `form` with client id and secret; return the response with a valid `access_token`.

    Raises SignInRefused when a person must act, UsageError when proxy or certificates are set up
    wrongly, and TemporarilyUnavailable when a later request may succeed.
    """
    client_form = {
        "client_id": oauth_client.client_id,
        "client_secret": oauth_client.client_secret.get_secret_value(),
    }
    status, content = await post_form(
        oauth_client,
        "/oauth/v2/token",
        {**form, **client_form},
        session=session,
        timeout_seconds=timeout_seconds,
    )
    return interpret(status, content, form, oauth_client)


async def post_form(
    oauth_client: OAuthClient,
    path: str,
    form: Mapping[str, str],
    *,
    session: aiohttp.ClientSession,
    timeout_seconds: float,
) -> tuple[int, bytes | None]:
    """Send a form to a path of the accounts server; return status and body of its response.

    The body is None if it is longer than any of Zoho's. Raises UsageError when proxy or
    certificates are set up wrongly, and TemporarilyUnavailable when a later request may succeed.
    """
    url = URL(f"{oauth_client.accounts_url}{path}")
    try:
        # A redirect would send the secrets to an address that nobody has configured.
        async with session.post(
            url, data=form, allow_redirects=False, timeout=call_limits(timeout_seconds)
        ) as response:
            return response.status, await read_at_most(response, _MAX_RESPONSE_SIZE)
    except (aiohttp.ClientError, TimeoutError) as error:
        host = url.host or oauth_client.accounts_url
        failure = describe(error, host=host, timeout=timeout_seconds)
        # Without the cause, which holds the request with its secrets.
        if failure.is_permanent:
            raise UsageError(f"{failure.message} {failure.remedy}") from None
        raise TemporarilyUnavailable(f"{failure.message} {failure.remedy}") from None


def response_object(content: bytes | None) -> Mapping[str, object]:
    """Return the JSON object of a response; an empty one for anything else."""
    try:
        body = orjson.loads(content or b"")
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def interpret(
    status: int, content: bytes | None, form: Mapping[str, str], oauth_client: OAuthClient
) -> Mapping[str, object]:
    """Return the response if it holds an access token, else raise what its error means.

    The status does not decide, since Zoho sends errors with HTTP 200. Raises SignInRefused and
    TemporarilyUnavailable.
    """
    granted = response_object(content)
    token, error = granted.get("access_token"), granted.get("error")
    if isinstance(token, str) and TOKEN.fullmatch(token):
        return granted
    if token is not None:
        raise SignInRefused(
            "Zoho's sign-in gave an access token that cannot be used. Check zoho.accounts_url in "
            "the configuration."
        )
    if isinstance(error, str) and error:
        _raise_error(error, status, form, oauth_client, granted)
    if status == 429:
        raise TemporarilyUnavailable(_BUSY)
    failure = unexpected_response(status, content)
    raise TemporarilyUnavailable(f"{failure.message} {failure.remedy}")


def is_busy(status: int, answer: Mapping[str, object]) -> bool:
    """Return whether a response says that there were too many requests.

    Throttling has no code: `error` is then a sentence ("Access Denied") in the language of the
    user, with HTTP 400, or with HTTP 200 and the status "failure".
    """
    error = answer.get("error")
    is_sentence = isinstance(error, str) and bool(error) and not _ERROR_CODE.fullmatch(error)
    return status == 429 or (is_sentence and (answer.get("status") == "failure" or status == 400))


def _raise_error(
    error: str,
    status: int,
    form: Mapping[str, str],
    oauth_client: OAuthClient,
    answer: Mapping[str, object],
) -> NoReturn:
    message = _INVALID_CODE.get(form["grant_type"]) if error == "invalid_code" else None
    if message := message or _REFUSALS.get(error):
        console = DATA_CENTERS[oauth_client.data_center].console_url
        raise SignInRefused(message.format(data_center=oauth_client.data_center, console=console))
    if error == "missing_org_info":
        raise SignInRefused(
            _MISSING_ORG_INFO.format(organization_id=oauth_client.organization_id or "(none)")
        )
    if is_busy(status, answer):
        raise TemporarilyUnavailable(_BUSY)
    if status >= 500:
        raise TemporarilyUnavailable(
            f"Zoho's sign-in had a fault (HTTP {status}). Run the same command again later."
        )
    # A proxy that is set up wrongly may echo the request in its error.
    secrets = (
        form.get("refresh_token"),
        form.get("code"),
        oauth_client.client_secret.get_secret_value(),
    )
    for secret in filter(None, secrets):
        error = error.replace(secret, "…")
    code = "".join(filter(str.isprintable, error))[:_MAX_SHOWN_CODE]
    raise SignInRefused(
        f"Zoho refuses the sign-in with the code {code}. Check client id, client secret and "
        f"zoho.data_center ({oauth_client.data_center}) in the configuration, or run "
        "`batchlock login`."
    )
