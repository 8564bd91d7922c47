"""Access to an org: the real one, or the stand-in of a rehearsal."""

import asyncio
import importlib
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import SecretStr

from batchlock.config import SIMULATOR, Settings, credentials
from batchlock.errors import BatchlockError, SignInRefused, Stopped, UsageError
from batchlock.model import Verdict
from batchlock.network import Network
from batchlock.pacing import Gate, Retry

if TYPE_CHECKING:
    from batchlock.client import Client

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
class SignIn:
    """What signing in takes."""

    org: str
    client_id: str
    client_secret: SecretStr
    refresh_token: SecretStr


def sign_in(settings: Settings, org: str) -> SignIn:
    """Return what signing in to an org takes; UsageError says what is missing for it."""
    if org != SIMULATOR:
        settings.network.check(settings.zoho.api, settings.zoho.accounts)
        return SignIn(org, *credentials(settings.zoho))
    made_up = secrets.token_hex(8)  # each stand-in gives tokens of its own
    return SignIn(org, "rehearsal", SecretStr(made_up), SecretStr(made_up))


@dataclass(frozen=True, slots=True)
class Access:
    """A client, and its first token on the way."""

    client: "Client"
    _first_token: "asyncio.Task[str]"
    _org_id: str | None
    _retry: Retry

    async def signed_in(self, gate: Gate) -> None:
        """Return once there is a token, and it is one of the right org.

        The org is asked through the gate, as rows are sent. Raises SignInRefused, UsageError for
        another org than zoho.organization_id, and Stopped when nothing is to be had for now.
        """
        await asyncio.shield(self._first_token)
        if self._org_id is None:
            return
        failures, renewed = 0, False
        while (ticket := await gate.enter()) is not None:
            try:
                reply = await self.client.check_org(self._org_id)
            except BaseException:
                gate.cancel()
                raise
            gate.leave(ticket, reply, cost=0)
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
                        await gate.back_off(failures)
                        continue
            raise _ERRORS.get(reply.verdict, Stopped)(reply.told)


@asynccontextmanager
async def access(settings: Settings, sign_in: SignIn) -> AsyncIterator[Access]:
    """Open the way to an org, and ask for its token at once."""
    for heavy in ("batchlock.client", "batchlock.tokens"):
        await asyncio.to_thread(importlib.import_module, heavy)
    from batchlock.client import Client, Endpoint, session
    from batchlock.signin import Account
    from batchlock.tokens import Tokens

    zoho, retry = settings.zoho, settings.retry
    network = settings.network
    async with AsyncExitStack() as stack:
        if sign_in.org == SIMULATOR:
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
        account = Account(
            accounts_url=accounts,
            client_id=sign_in.client_id,
            client_secret=sign_in.client_secret,
            refresh_token=sign_in.refresh_token,
            data_center=zoho.data_center,
            environment=zoho.environment,
        )
        folder = settings.state / "tokens"
        tokens = Tokens(
            account,
            path=folder / f"{sign_in.org}.json",
            session=signing_in,
            patience=retry.give_up_after,
            timeout=retry.timeout,
        )
        endpoint = Endpoint(api_url=api, version=zoho.api_version, timeout=retry.timeout)
        first_token = asyncio.create_task(tokens.current())
        try:
            org_id = None if sign_in.org == SIMULATOR else zoho.organization_id
            yield Access(Client(endpoint, tokens, calls), first_token, org_id, retry)
        finally:
            first_token.cancel()
            with suppress(asyncio.CancelledError, BatchlockError):
                await first_token
