"""Exchange the code of a Zoho Self Client for a refresh token: `batchlock login`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
import platformdirs
from pydantic import SecretStr

from batchlock.cli.context import Context
from batchlock.cli.streams import echo
from batchlock.config import Settings
from batchlock.core.cancel import until_cancelled
from batchlock.core.errors import UsageError
from batchlock.zoho.datacenters import DATA_CENTERS
from batchlock.zoho.scopes import SCOPES

if TYPE_CHECKING:
    from batchlock.store.store import Store

# As long as one call may take by default (retry.timeout).
_TIMEOUT_SECONDS = 60.0


def login(context: Context, settings: Settings, store: "Store | None") -> None:
    """Ask for client id, secret and code, exchange the code, and store both secrets.

    With a `store` that has the org, they are sealed in it. Else they are written to two files that
    only the current user can read. Raises SignInRefused when Zoho refuses the code, UsageError when
    a file cannot be written, and Interrupted.
    """
    stored = None if store is None else store.orgs.get(settings.org)
    if store is None or stored is None:
        _write_files(settings, sign_in(context, settings))
        return
    from batchlock.org_settings import keys_for_new_secrets, put_orgs

    keys_for_new_secrets(settings, store)  # a person types nothing in vain
    put_orgs(settings, store, [(stored, sign_in(context, settings))])
    echo(f"\nSigned in. The new sign-in of {settings.org} is in the store.")


def sign_in(context: Context, settings: Settings) -> dict[str, SecretStr]:
    """Ask for client id, secret and code, and return the three secrets by their field.

    Raises as `login` does.
    """
    zoho = settings.zoho
    console = DATA_CENTERS[zoho.data_center].console_url
    echo(
        f"Signing in the org {settings.org} at the data centre {zoho.data_center}"
        " (zoho.data_center).\n\n"
        f"1. Open {console} as the CRM user whose rights batchlock should have.\n"
        "2. Self Client, Create; the tab Client Secret shows the client id and secret.\n"
        "3. The tab Generate Code: enter these scopes, 10 minutes and any description:\n\n"
        f"   {','.join(SCOPES)}\n\n"
        f"4. Choose the org and the environment ({zoho.environment}), create, copy the code.\n"
    )
    signals = context.signals
    with signals.interruptible():
        client_id = click.prompt("Client id", default=zoho.client_id).strip()
        client_secret = SecretStr(
            click.prompt("Client secret (not shown)", hide_input=True).strip()
        )
        code = SecretStr(click.prompt("Code (not shown)", hide_input=True).strip())
    exchange = _exchange(settings, client_id, client_secret, code)
    # A signal ends the exchange at once: it loses nothing but the code, valid for ten minutes.
    token = SecretStr(signals.run_async(until_cancelled(exchange, signals.cancel_token)))
    return {
        "client_id": SecretStr(client_id),
        "client_secret": client_secret,
        "refresh_token": token,
    }


def _write_files(settings: Settings, secrets: dict[str, SecretStr]) -> None:
    zoho = settings.zoho
    folder = platformdirs.user_config_path("batchlock", appauthor=False)
    secret_file = _store(folder / f"{settings.org}.client_secret", secrets["client_secret"])
    token_file = _store(folder / f"{settings.org}.refresh_token", secrets["refresh_token"])
    echo(
        "\nSigned in. Put these lines into your config.yaml; the two files can be read by you "
        "only:\n\n"
        f"org: {settings.org}\n"
        "zoho:\n"
        f"  data_center: {zoho.data_center}\n"
        f"  environment: {zoho.environment}\n"
        f"  client_id: {secrets['client_id'].get_secret_value()}\n"
        f"  client_secret_file: {secret_file}\n"
        f"  refresh_token_file: {token_file}"
    )


async def _exchange(
    settings: Settings, client_id: str, client_secret: SecretStr, code: SecretStr
) -> str:
    from batchlock.zoho.client import session
    from batchlock.zoho.oauth import OAuthClient, exchange

    client = OAuthClient(
        accounts_url=settings.zoho.accounts,
        client_id=client_id,
        client_secret=client_secret,
        refresh_token=SecretStr(""),
        data_center=settings.zoho.data_center,
        environment=settings.zoho.environment,
    )
    network = settings.network
    proxy, ssl_context = network.proxy_to(client.accounts_url), network.ssl_context()
    async with session(limit=1, proxy=proxy, ssl_context=ssl_context) as calls:
        return await exchange(
            code.get_secret_value(), client, session=calls, timeout_seconds=_TIMEOUT_SECONDS
        )


def _store(path: Path, secret: SecretStr) -> Path:
    from batchlock.zoho.token_file import write_private

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return write_private(path, secret.get_secret_value().encode())
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}. The code is used up; make room, then "
            "generate a new one."
        ) from None
