"""Zoho's device flow: a person approves a short code in any browser, and a client waits for that.

Source: Zoho's page "OAuth for limited-input devices". It documents one poll in 30 seconds; the
answers name 5. The times of the first answer are milliseconds, as two clients read them, although
the page does not name the unit.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
from pydantic import SecretStr

from batchlock.core.errors import SignInRefused, Stopped
from batchlock.zoho.oauth import (
    TOKEN,
    OAuthClient,
    TemporarilyUnavailable,
    interpret,
    post_form,
    response_object,
)
from batchlock.zoho.scopes import SCOPES

_CODE_PATH = "/oauth/v3/device/code"
_TOKEN_PATH = "/oauth/v3/device/token"  # noqa: S105  a path
LEAST_POLL_SECONDS = 30.0
"""Zoho's page allows one poll in this time."""
# Numbers above these are milliseconds: a code is approved within minutes.
_MOST_INTERVAL_SECONDS = 600
_MOST_LIFETIME_SECONDS = 24 * 3600
_USUAL_LIFETIME_SECONDS = 300.0
# Zoho's codes have about 8 characters, its addresses about 60.
_MAX_CODE_LENGTH = 40
_MAX_URL_LENGTH = 500

_REFUSALS = {
    "access_denied": "The sign-in was rejected at Zoho. Begin again if that was not meant.",
    "expired": "The time for the code is over. Begin again, and accept it within its minutes.",
    "other_dc": (
        "The account that accepted the code belongs to another data centre than {data_center}. "
        "Choose the data centre of the org, and begin again."
    ),
}
_WAITING = ("authorization_pending", "slow_down")

_log = logging.getLogger(__name__)


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    """Wait until the event is set, for at most these seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """A code that a person approves."""

    device_code: SecretStr
    """What the polls are made with."""
    user_code: str
    """What the person types at `url`."""
    url: str
    lifetime_seconds: float
    interval_seconds: float
    """The least time between two polls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAnswer:
    """What a poll has shown."""

    refresh_token: SecretStr | None = None
    """None: the person has not decided yet."""
    scopes: str = ""
    """What Zoho says that the token may do; empty when it does not say."""
    is_too_fast: bool = False
    """Whether the next poll must wait for twice the time."""


async def request_device_code(
    oauth_client: OAuthClient, *, session: aiohttp.ClientSession, timeout_seconds: float
) -> DeviceCode:
    """Ask for a code for all scopes of batchlock.

    Neither secret nor refresh token of `oauth_client` is used. Raises SignInRefused, UsageError for
    wrong network settings, and Stopped when there is no answer for now.
    """
    form = {
        "grant_type": "device_request",
        "client_id": oauth_client.client_id,
        "scope": ",".join(SCOPES),
        "access_type": "offline",
        "prompt": "consent",
    }
    answer = await _post(_CODE_PATH, form, oauth_client, session, timeout_seconds)
    device_code, user_code = answer.get("device_code"), answer.get("user_code")
    url = answer.get("verification_uri_complete") or answer.get("verification_url")
    if not (
        isinstance(device_code, str)
        and TOKEN.fullmatch(device_code)
        and isinstance(user_code, str)
        and user_code.isprintable()
        and 0 < len(user_code) <= _MAX_CODE_LENGTH
        and isinstance(url, str)
        and _is_link(url, oauth_client)
    ):
        raise SignInRefused(
            "Zoho's answer has no code that can be used. Is the client of the type Non-browser "
            "Application? Check that in the API console, and begin again."
        )
    return DeviceCode(
        device_code=SecretStr(device_code),
        user_code=user_code,
        url=url,
        lifetime_seconds=_seconds(
            answer.get("expires_in"), _MOST_LIFETIME_SECONDS, _USUAL_LIFETIME_SECONDS
        ),
        interval_seconds=max(
            LEAST_POLL_SECONDS,
            _seconds(answer.get("interval"), _MOST_INTERVAL_SECONDS, LEAST_POLL_SECONDS),
        ),
    )


async def poll(
    oauth_client: OAuthClient,
    device_code: SecretStr,
    *,
    session: aiohttp.ClientSession,
    timeout_seconds: float,
) -> DeviceAnswer:
    """Ask once whether a person has approved the code.

    Raises SignInRefused when the code cannot be approved any more, UsageError for wrong network
    settings, and Stopped when there is no answer for now.
    """
    form = {
        "grant_type": "device_token",
        "client_id": oauth_client.client_id,
        "client_secret": oauth_client.client_secret.get_secret_value(),
        "code": device_code.get_secret_value(),
    }
    answer = await _post(_TOKEN_PATH, form, oauth_client, session, timeout_seconds)
    if (error := answer.get("error")) in _WAITING:
        return DeviceAnswer(is_too_fast=error == "slow_down")
    token, scopes = answer.get("refresh_token"), answer.get("scope")
    if not isinstance(token, str) or not TOKEN.fullmatch(token):
        raise SignInRefused("Zoho accepted the code and gave no refresh token for it. Begin again.")
    return DeviceAnswer(
        refresh_token=SecretStr(token), scopes=scopes if isinstance(scopes, str) else ""
    )


async def wait_for_approval(
    oauth_client: OAuthClient,
    code: DeviceCode,
    *,
    session: aiohttp.ClientSession,
    timeout_seconds: float,
    accepted: asyncio.Event,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[asyncio.Event, float], Awaitable[None]] = _wait_for,
) -> DeviceAnswer:
    """Poll until the code is approved, as often as Zoho allows.

    Whoever has approved it sets `accepted`, and the next poll is made as soon as it is allowed; the
    first one at once. While Zoho gives no answer, the polls go on. `clock` is monotonic and returns
    seconds. Raises SignInRefused when the code is rejected, or its time is over.
    """
    interval = code.interval_seconds
    ends_at, poll_at, allowed_at = clock() + code.lifetime_seconds, clock() + interval, clock()
    while True:
        await sleep(accepted, poll_at - clock())
        accepted.clear()
        if (left := allowed_at - clock()) > 0:
            await sleep(asyncio.Event(), left)
        is_over = clock() >= ends_at
        try:
            answer = await poll(
                oauth_client,
                code.device_code,
                session=session,
                timeout_seconds=timeout_seconds,
            )
        except Stopped as error:
            _log.warning("%s The code is still valid, so it is asked again.", error)
            answer = DeviceAnswer()
        if answer.refresh_token is not None:
            return answer
        if is_over:
            raise SignInRefused(_REFUSALS["expired"])
        if answer.is_too_fast:
            interval *= 2
        poll_at = allowed_at = clock() + interval


async def _post(
    path: str,
    form: Mapping[str, str],
    oauth_client: OAuthClient,
    session: aiohttp.ClientSession,
    timeout_seconds: float,
) -> Mapping[str, object]:
    try:
        status, content = await post_form(
            oauth_client, path, form, session=session, timeout_seconds=timeout_seconds
        )
        answer = response_object(content)
        error = answer.get("error")
        if "device_code" in answer or error in _WAITING:
            return answer
        if isinstance(error, str) and (message := _REFUSALS.get(error)) is not None:
            raise SignInRefused(message.format(data_center=oauth_client.data_center.upper()))
        return interpret(status, content, form, oauth_client)
    except TemporarilyUnavailable as error:
        raise Stopped(str(error)) from None


def _is_link(url: str, oauth_client: OAuthClient) -> bool:
    """Return whether an address can be shown as a link: with TLS, or that of a stand-in."""
    is_accounts_url = url.startswith(f"{oauth_client.accounts_url}/")  # a stand-in has no TLS
    return (
        url.isprintable()
        and len(url) <= _MAX_URL_LENGTH
        and " " not in url
        and (is_accounts_url or url.startswith("https://"))
    )


def _seconds(value: object, most: float, usual: float) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not value > 0:
        return usual
    return value / 1000 if value > most else float(value)
