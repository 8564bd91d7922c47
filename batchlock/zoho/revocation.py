"""Revoke a token at Zoho.

Source: Zoho's page "Revoke OAuth tokens". The request needs the token alone; a refresh token ends
with all its access tokens; a token that is not valid is answered with HTTP 400.
"""

from urllib.parse import quote

import aiohttp
from pydantic import SecretStr

from batchlock.core.errors import Stopped
from batchlock.zoho.failures import unexpected_response
from batchlock.zoho.oauth import (
    OAuthClient,
    TemporarilyUnavailable,
    is_busy,
    post_form,
    response_object,
)

_PATH = "/oauth/v2/token/revoke"


async def revoke(
    token: SecretStr,
    oauth_client: OAuthClient,
    *,
    session: aiohttp.ClientSession,
    timeout_seconds: float,
) -> bool:
    """Revoke a refresh token or an access token; return False when it was not valid any more.

    Only the accounts server of `oauth_client` is used. Raises Stopped when Zoho gives no usable
    answer, and UsageError for wrong network settings.
    """
    # Zoho documents the token in the query only.
    path = f"{_PATH}?token={quote(token.get_secret_value(), safe='')}"
    try:
        status, content = await post_form(
            oauth_client, path, {}, session=session, timeout_seconds=timeout_seconds
        )
    except TemporarilyUnavailable as error:
        raise Stopped(str(error)) from None
    answer = response_object(content)
    if status == 200 and answer.get("status") == "success":
        return True
    if is_busy(status, answer):
        raise Stopped(
            "Zoho's sign-in has had too many requests and asks to wait. Run the same command again "
            "later."
        )
    if status == 400:
        return False
    failure = unexpected_response(status, content)
    raise Stopped(f"{failure.message} {failure.remedy}")
