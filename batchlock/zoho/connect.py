"""Access to an org: the real one, or the stand-in of a rehearsal."""

import asyncio
import importlib
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import SecretStr

from batchlock.config import SIMULATOR, Settings
from batchlock.config import credentials as secrets_of
from batchlock.core.errors import BatchlockError, SignInRefused, Stopped, UsageError
from batchlock.core.reply import Verdict
from batchlock.send.pacing.limiter import CallLimiter
from batchlock.send.pacing.settings import Retry
from batchlock.zoho.network import Network

if TYPE_CHECKING:
    from batchlock.zoho.client import Client

REHEARSAL = "the built-in stand-in"
"""Stands for the API's address in a rehearsal, whose port is another one each time."""

_LATENCY, _JITTER = 0.05, 0.02
"""Of the stand-in, in seconds: enough to see a run at work, and short enough to wait for."""


_ERRORS = {
    Verdict.REFUSED: UsageError,
    Verdict.DENIED: SignInRefused,
    Verdict.EXPIRED: SignInRefused,
}
"""What it means that Zoho does not confirm the org; all else may pass."""


def address(settings: Settings, org: str) -> tuple[str, str]:
    """Return environment and API address of an org, as a run remembers them."""
    if org == SIMULATOR:
        return "rehearsal", REHEARSAL
    return settings.zoho.environment, settings.zoho.api


@dataclass(frozen=True, slots=True)
class Credentials:
    """What signing in takes."""

    org: str
    client_id: str
    client_secret: SecretStr
    refresh_token: SecretStr


def load_credentials(settings: Settings, org: str) -> Credentials:
    """Return what signing in to an org takes; UsageError says what is missing for it."""
    if org != SIMULATOR:
        settings.network.check(settings.zoho.api, settings.zoho.accounts)
        return Credentials(org, *secrets_of(settings.zoho))
    made_up = secrets.token_hex(8)  # each stand-in gives tokens of its own
    return Credentials(org, "rehearsal", SecretStr(made_up), SecretStr(made_up))


@dataclass(frozen=True, slots=True)
class Connection:
    """A client, and its first token on the way."""

    client: "Client"
    _first_token: "asyncio.Task[str]"
    _org_id: str | None
    _retry: Retry

    async def ready(self, limiter: CallLimiter) -> None:
        """Return once there is a token, and it is one of the right org.

        The org is asked through the gate, as rows are sent. Raises SignInRefused, UsageError for
        another org than zoho.organization_id, and Stopped when nothing is to be had for now.
        """
        await asyncio.shield(self._first_token)
        if self._org_id is None:
            return
        failures, renewed = 0, False
        while (permit := await limiter.acquire()) is not None:
            try:
                reply = await self.client.check_org(self._org_id)
            except BaseException:
                limiter.abandon()
                raise
            limiter.release(permit, reply, cost=0)
            match reply.verdict:
                case Verdict.ACCEPTED:
                    return
                case Verdict.THROTTLED | Verdict.UNREACHABLE:
                    continue
                case Verdict.EXPIRED if not renewed:
                    renewed = True
                    continue
                case Verdict.BROKEN | Verdict.LOST:
                    failures += 1
                    if failures < self._retry.attempts:
                        await limiter.back_off(failures)
                        continue
            raise _ERRORS.get(reply.verdict, Stopped)(reply.told)


@asynccontextmanager
async def connect(settings: Settings, credentials: Credentials) -> AsyncIterator[Connection]:
    """Open the way to an org, and ask for its token at once."""
    for heavy in ("batchlock.zoho.client", "batchlock.zoho.tokens"):
        await asyncio.to_thread(importlib.import_module, heavy)
    from batchlock.zoho.client import Client, Endpoint, session
    from batchlock.zoho.oauth import OAuthClient
    from batchlock.zoho.tokens import Tokens

    zoho, retry = settings.zoho, settings.retry
    network = settings.network
    async with AsyncExitStack() as stack:
        if credentials.org == SIMULATOR:
            from batchlock.simulator import Behaviour, serving

            behaviour = Behaviour(latency=_LATENCY, jitter=_JITTER)
            api = accounts = (await stack.enter_async_context(serving(behaviour))).url
            network = Network()
        else:
            api, accounts = zoho.api, zoho.accounts
        trusted = network.trusted()
        calls, signing_in = [
            await stack.enter_async_context(
                session(limit=0, proxy=network.proxy_to(url), trusted=trusted)
            )
            for url in (api, accounts)
        ]
        account = OAuthClient(
            accounts_url=accounts,
            client_id=credentials.client_id,
            client_secret=credentials.client_secret,
            refresh_token=credentials.refresh_token,
            data_center=zoho.data_center,
            environment=zoho.environment,
        )
        folder = settings.state / "tokens"
        tokens = Tokens(
            account,
            path=folder / f"{credentials.org}.json",
            session=signing_in,
            max_wait=retry.give_up_after,
            timeout=retry.timeout,
        )
        endpoint = Endpoint(api_url=api, version=zoho.api_version, timeout=retry.timeout)
        first_token = asyncio.create_task(tokens.token())
        try:
            org_id = None if credentials.org == SIMULATOR else zoho.organization_id
            yield Connection(Client(endpoint, tokens, calls), first_token, org_id, retry)
        finally:
            first_token.cancel()
            with suppress(asyncio.CancelledError, BatchlockError):
                await first_token
