"""Obtain a sign-in at the terminal, in one of four ways; nothing is stored here.

device flow         client id and secret, a code that a person approves ─▶ refresh token
client credentials  client id and secret, number of the org
Self Client         client id and secret, a code from the API console ─▶ refresh token
file                all three secrets, from a file of another program
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pydantic import SecretStr

from batchlock.cli.context import Context
from batchlock.cli.streams import echo
from batchlock.config import Settings
from batchlock.core.cancel import until_cancelled
from batchlock.new_sign_in import NewSignIn
from batchlock.zoho.credentials import load_client
from batchlock.zoho.datacenters import DATA_CENTERS
from batchlock.zoho.scopes import SCOPES
from batchlock.zoho.settings import Grant

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    import aiohttp

    from batchlock.zoho.device_flow import DeviceAnswer, DeviceCode
    from batchlock.zoho.oauth import OAuthClient

# As long as one call may take by default (retry.timeout).
_TIMEOUT_SECONDS = 60.0


class Way(StrEnum):
    """How a sign-in is obtained."""

    DEVICE = "device"
    CLIENT_CREDENTIALS = "client-credentials"
    SELF_CLIENT = "self-client"


def has_terminal() -> bool:
    """Return whether a person can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


def obtain_sign_in(
    context: Context, settings: Settings, way: Way, *, ask_client: bool = False
) -> NewSignIn:
    """Obtain a sign-in to the org of the settings.

    Client id and secret are those of the settings; they are asked for if one is missing, or with
    `ask_client`. Raises SignInRefused, Stopped, UsageError and Cancelled.
    """
    match way:
        case Way.CLIENT_CREDENTIALS:
            return _client_credentials(context, settings, ask_client=ask_client)
        case Way.SELF_CLIENT:
            return _self_client(context, settings, ask_client=ask_client)
        case _:
            return _device(context, settings, ask_client=ask_client)


def sign_in_of_file(file: Path, *, fixed: frozenset[tuple[str, ...]]) -> NewSignIn:
    """Return the sign-in in a file; `fixed` are settings that its addresses do not change.

    Raises UsageError.
    """
    from batchlock.zoho.sign_in_files import read_sign_in

    sign_in = read_sign_in(file)
    places = {
        ("zoho", "data_center"): sign_in.data_center,
        ("zoho", "environment"): sign_in.environment,
    }
    return NewSignIn(
        grant=Grant.REFRESH_TOKEN,
        client_id=sign_in.client_id,
        client_secret=sign_in.client_secret,
        refresh_token=sign_in.refresh_token,
        values={
            path: value for path, value in places.items() if value is not None and path not in fixed
        },
    )


def _device(context: Context, settings: Settings, *, ask_client: bool) -> NewSignIn:
    client_id, client_secret, is_of_settings = _client(
        context,
        settings,
        "If you have no client yet: Add Client, Non-browser Application, any name, Create.",
        ask_client=ask_client,
    )
    signals = context.signals
    work = _approved(settings, oauth_client(settings, client_id, client_secret))
    # A signal ends the wait at once: nothing is lost but the code.
    answer = signals.run_async(until_cancelled(work, signals.cancel_token))
    return NewSignIn(
        grant=Grant.REFRESH_TOKEN,
        client_id=client_id,
        client_secret=client_secret,
        refresh_token=answer.refresh_token or SecretStr(""),
        has_client_of_settings=is_of_settings,
        is_token_new=True,
    )


async def _approved(settings: Settings, client: "OAuthClient") -> "DeviceAnswer":
    from batchlock.zoho.device_flow import request_device_code, wait_for_approval

    async with accounts_session(settings) as calls:
        code = await request_device_code(client, session=calls, timeout_seconds=_TIMEOUT_SECONDS)
        with _enter_pressed() as (accepted, has_key):
            _show(code, has_key=has_key)
            return await wait_for_approval(
                client,
                code,
                session=calls,
                timeout_seconds=_TIMEOUT_SECONDS,
                accepted=accepted,
            )


@contextmanager
def _enter_pressed() -> Iterator[tuple[asyncio.Event, bool]]:
    """Yield an event that the key Enter sets, and whether there is such a key."""
    event = asyncio.Event()
    if sys.platform == "win32" or not has_terminal():  # its event loop cannot wait for a console
        yield event, False
        return
    loop, descriptor = asyncio.get_running_loop(), sys.stdin.fileno()

    def read() -> None:
        if not os.read(descriptor, 1024):  # Ctrl-D: no key comes any more
            loop.remove_reader(descriptor)
        event.set()

    is_blocking = os.get_blocking(descriptor)
    try:
        loop.add_reader(descriptor, read)
    except (NotImplementedError, OSError):  # an unusual standard input
        yield event, False
        return
    try:
        yield event, True
    finally:
        loop.remove_reader(descriptor)
        # uvloop leaves it without blocking, and the next question would read an end of the input.
        os.set_blocking(descriptor, is_blocking)


def _show(code: "DeviceCode", *, has_key: bool) -> None:
    then = (
        "Press Enter when you have accepted it."
        if has_key
        else f"Zoho is asked every {code.interval_seconds:.0f} seconds whether it is accepted."
    )
    echo(
        "\nOpen this address in any browser, on any device, as the CRM user whose rights batchlock "
        "should\nhave. Choose the org there, and accept:\n\n"
        f"   {code.url}\n"
        f"   code: {code.user_code}\n\n"
        f"The code is valid for {code.lifetime_seconds / 60:.0f} minutes. {then}"
    )


def _client_credentials(context: Context, settings: Settings, *, ask_client: bool) -> NewSignIn:
    client_id, client_secret, is_of_settings = _client(
        context,
        settings,
        "Client Credentials work with a Self Client, or a Server-based Application, of the CRM "
        "user\nwhose rights batchlock should have.",
        ask_client=ask_client,
    )
    number = settings.zoho.organization_id
    if number is None:
        with context.signals.interruptible():
            number = click.prompt(
                "Number of the org (the digits behind `org` in the address of the CRM)"
            ).strip()
    return NewSignIn(
        grant=Grant.CLIENT_CREDENTIALS,
        client_id=client_id,
        client_secret=client_secret,
        has_client_of_settings=is_of_settings,
        values={("zoho", "organization_id"): number.lower().removeprefix("org")},
    )


def _self_client(context: Context, settings: Settings, *, ask_client: bool) -> NewSignIn:
    client_id, client_secret, is_of_settings = _client(
        context,
        settings,
        "Self Client, Create; the tab Client Secret shows client id and secret. On the tab "
        "Generate Code\nenter these scopes, 10 minutes and any description:\n\n"
        f"   {','.join(SCOPES)}\n\n"
        f"Choose the org and the environment ({settings.zoho.environment}), create, and copy the "
        "code.",
        ask_client=ask_client,
        is_always_shown=True,
    )
    signals = context.signals
    with signals.interruptible():
        code = SecretStr(_ask_secret("Code"))
    work = _exchange(settings, oauth_client(settings, client_id, client_secret), code)
    # A signal ends the exchange at once: it loses nothing but the code, valid for ten minutes.
    token = SecretStr(signals.run_async(until_cancelled(work, signals.cancel_token)))
    return NewSignIn(
        grant=Grant.REFRESH_TOKEN,
        client_id=client_id,
        client_secret=client_secret,
        refresh_token=token,
        has_client_of_settings=is_of_settings,
        is_token_new=True,
    )


async def _exchange(settings: Settings, client: "OAuthClient", code: SecretStr) -> str:
    from batchlock.zoho.oauth import exchange

    async with accounts_session(settings) as calls:
        return await exchange(
            code.get_secret_value(), client, session=calls, timeout_seconds=_TIMEOUT_SECONDS
        )


def _client(
    context: Context,
    settings: Settings,
    instructions: str,
    *,
    ask_client: bool,
    is_always_shown: bool = False,
) -> tuple[str, SecretStr, bool]:
    """Return client id and secret, and whether they are those of the settings."""
    zoho = settings.zoho
    client_id, client_secret = load_client(zoho)
    is_of_settings = client_id is not None and client_secret is not None and not ask_client
    echo(f"Signing in the org {settings.org} at the data centre {zoho.data_center}.")
    if is_always_shown or not is_of_settings:
        console = DATA_CENTERS[zoho.data_center].console_url
        echo(
            f"\nOpen {console} as the CRM user whose rights batchlock should have.\n"
            f"{instructions}\n"
        )
    if client_id is not None and client_secret is not None and not ask_client:
        echo("Client id and secret are those of the settings; --ask asks for others.")
        return client_id, client_secret, is_of_settings
    with context.signals.interruptible():
        client_id = click.prompt("Client id", default=client_id).strip()
        secret = _ask_secret("Client secret")
    return client_id, SecretStr(secret), False


def _ask_secret(name: str) -> str:
    """Ask for a secret; without a terminal it is read as it comes, as a program writes it."""
    # getpass would print warnings there, as nothing could show it.
    return str(click.prompt(f"{name} (not shown)", hide_input=has_terminal())).strip()


def oauth_client(settings: Settings, client_id: str, client_secret: SecretStr) -> "OAuthClient":
    """Return the client that obtains a token at the accounts server of the settings."""
    from batchlock.zoho.oauth import OAuthClient

    return OAuthClient(
        accounts_url=settings.zoho.accounts,
        client_id=client_id,
        client_secret=client_secret,
        refresh_token=SecretStr(""),
        data_center=settings.zoho.data_center,
        environment=settings.zoho.environment,
    )


def accounts_session(
    settings: Settings,
) -> "AbstractAsyncContextManager[aiohttp.ClientSession]":
    """Return a session for the accounts server of the settings. Raises UsageError."""
    from batchlock.zoho.client import session

    network, url = settings.network, settings.zoho.accounts
    return session(limit=1, proxy=network.proxy_to(url), ssl_context=network.ssl_context())
