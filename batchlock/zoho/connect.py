"""A connection to an org: the real one, or the simulator in a rehearsal."""

import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from batchlock.core.access_token import TokenCache
from batchlock.core.errors import BatchlockError
from batchlock.zoho.credentials import Credentials
from batchlock.zoho.network import NetworkSettings
from batchlock.zoho.settings import SIMULATOR, ZohoSettings

if TYPE_CHECKING:
    from batchlock.zoho.client import CallGuard, Client
    from batchlock.zoho.oauth import OAuthClient
    from batchlock.zoho.records import Records
    from batchlock.zoho.tokens import Tokens

# Half of an access token's life. A command that begins with an older one requests another, so that
# a sign-in that was revoked is noticed before the first row, and not within the hour.
_TOKEN_AGE_SECONDS = 1800.0

# In the record of a run this stands for the address of the simulator, whose port differs each
# time: otherwise no rehearsal could be resumed.
REHEARSAL = "the built-in stand-in"

# Seconds. A rehearsal of a few hundred rows takes long enough to watch, and short enough to wait.
_LATENCY, _JITTER = 0.05, 0.02


class Address(NamedTuple):
    """Where the calls for an org go, as the record of a run holds it."""

    environment: str
    api_url: str


def address(zoho: ZohoSettings, org: str) -> Address:
    """Return the address of `org`; two runs can be the same thing only if it is the same."""
    if org == SIMULATOR:
        return Address("rehearsal", REHEARSAL)
    return Address(zoho.environment, zoho.api)


@dataclass(frozen=True, slots=True)
class Connection:
    """A client for one org, whose first access token is already being fetched."""

    client: "Client"
    # zoho.organization_id, with which the org of the sign-in is to be compared; None: no check.
    org_id: str | None
    # zoho.environment, with which the type of the org is to be compared; None: no check.
    environment: str | None
    # A hash that differs for each sign-in, so that facts about one org are not taken for another's.
    sign_in: str
    _first_token: "asyncio.Task[str]"
    _tokens: "Tokens"

    @property
    def records(self) -> "Records":
        """The record lists of the org."""
        from batchlock.zoho.records import Records

        return Records(self.client)

    async def first_token(self) -> None:
        """Wait until there is an access token.

        Raises SignInRefused, Stopped when the endpoint gives no token for too long, and UsageError
        when the token file cannot be written.
        """
        # The task is shared: cancelling one who waits must not cancel the request.
        await asyncio.shield(self._first_token)

    async def verify(self, *, max_age_seconds: float) -> None:
        """Have an access token that Zoho granted in the last `max_age_seconds`, or a new one.

        Raises the exceptions of `first_token`.
        """
        await self.first_token()
        await self._tokens.recent(max_age_seconds=max_age_seconds, or_older=False)

    @property
    def granted_scopes(self) -> str:
        """The scopes of the access token as Zoho names them; empty when that is not known."""
        return self._tokens.scopes


@asynccontextmanager
async def connect(
    zoho: ZohoSettings,
    network: NetworkSettings,
    credentials: Credentials,
    *,
    call_timeout: float,
    max_wait: float,
    token_folder: Path,
    token_cache: TokenCache | None = None,
    guard: "CallGuard | None" = None,
) -> AsyncIterator[Connection]:
    """Open the sessions to an org and start fetching its access token.

    Before each call the check of `guard` raises LeaseLost when this process may not send any more.

    One request may take `call_timeout` seconds; a busy token endpoint is tried again for `max_wait`
    seconds. Tokens are kept in `token_cache`, or without one in a file of `token_folder`. Raises
    UsageError when the proxy or the certificates cannot be used.
    """
    # Importing aiohttp blocks for a noticeable time; in a thread, the event loop goes on with
    # signals and the plan's child process.
    for module in ("batchlock.zoho.client", "batchlock.zoho.tokens"):
        await asyncio.to_thread(importlib.import_module, module)
    from batchlock.zoho.client import Client, Endpoint, session
    from batchlock.zoho.token_file import TokenFile
    from batchlock.zoho.tokens import Tokens

    async with AsyncExitStack() as stack:
        if credentials.org == SIMULATOR:
            from batchlock.simulator import Behaviour, Unlisted, serving

            behaviour = Behaviour(latency=_LATENCY, jitter=_JITTER, unlisted=Unlisted.EITHER)
            api = accounts = (await stack.enter_async_context(serving(behaviour))).url
            network = NetworkSettings()  # a proxy could not reach this machine
            org_id = environment = None
        else:
            api, accounts = zoho.api, zoho.accounts
            org_id, environment = zoho.organization_id, zoho.environment
        ssl_context = network.ssl_context()
        # Two sessions, since the two addresses may need different proxies. The limiter bounds the
        # calls, so the session of calls needs no limit of its own (0).
        calls, token_calls = [
            await stack.enter_async_context(
                session(
                    limit=0, proxy=network.proxy_to(url), ssl_context=ssl_context, guard=url_guard
                )
            )
            for url, url_guard in ((api, guard), (accounts, None))
        ]
        oauth_client = oauth_client_of(zoho, accounts, credentials)
        tokens = Tokens(
            oauth_client,
            cache=token_cache or TokenFile(token_folder / f"{credentials.org}.json"),
            session=token_calls,
            max_wait=max_wait,
            timeout=call_timeout,
        )
        endpoint = Endpoint(api_url=api, version=zoho.api_version, timeout=call_timeout)
        first_token = asyncio.create_task(
            tokens.recent(max_age_seconds=_TOKEN_AGE_SECONDS, or_older=True)
        )
        try:
            yield Connection(
                client=Client(endpoint, tokens, calls, guard=guard),
                org_id=org_id,
                environment=environment,
                # The address of a stand-in differs each time, and so would its key.
                sign_in=SIMULATOR if credentials.org == SIMULATOR else oauth_client.key,
                _first_token=first_token,
                _tokens=tokens,
            )
        finally:
            first_token.cancel()
            # Its exception was raised by `first_token()`, or the run ended by something else.
            with suppress(asyncio.CancelledError, BatchlockError):
                await first_token


def oauth_client_of(
    zoho: ZohoSettings, accounts_url: str, credentials: Credentials
) -> "OAuthClient":
    """Return the client that these credentials are for, at an accounts server."""
    from batchlock.zoho.oauth import OAuthClient

    return OAuthClient(
        accounts_url=accounts_url,
        client_id=credentials.client_id,
        client_secret=credentials.client_secret,
        refresh_token=credentials.refresh_token,
        data_center=zoho.data_center,
        environment=zoho.environment,
        grant=credentials.grant,
        organization_id=zoho.organization_id or "",
    )
