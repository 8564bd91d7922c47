"""A stand-in with several orgs, and a client for each."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from batchlock.simulator import Behaviour, Identity, Orgs, make_orgs, serving_orgs
from support.simulator_client import Response, SimulatorClient


@dataclass(frozen=True, slots=True)
class Clients:
    """The clients of one stand-in."""

    orgs: Orgs
    by_number: dict[int, SimulatorClient]
    session: aiohttp.ClientSession

    def __getitem__(self, number: int) -> SimulatorClient:
        return self.by_number[number]

    async def control(self, method: str, path: str, content: object = None) -> Response:
        url = f"{self.orgs.url}/simulator/{path}"
        async with self.session.request(method, url, data=orjson.dumps(content)) as response:
            return Response(response.status, await response.read(), response.headers)


def sign_in_of(identity: Identity) -> dict[str, str]:
    return {
        "client_id": identity.client_id,
        "client_secret": identity.client_secret,
        "refresh_token": identity.refresh_token,
    }


@asynccontextmanager
async def connected_orgs(
    count: int, behaviour: Behaviour | None = None, **more: Any
) -> AsyncIterator[Clients]:
    """Run a stand-in with so many orgs, and sign in to each."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with (
        serving_orgs(make_orgs(count, behaviour, **more)) as orgs,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        clients = {}
        for org in orgs:
            client = clients[org.identity.number] = SimulatorClient(org, session)
            await client.sign_in(**sign_in_of(org.identity))
        yield Clients(orgs, clients, session)


def run_with_orgs(
    script: Callable[[Clients], Awaitable[None]],
    count: int = 2,
    behaviour: Behaviour | None = None,
    **more: Any,
) -> None:
    async def run() -> None:
        async with connected_orgs(count, behaviour, **more) as clients:
            await script(clients)

    asyncio.run(run())
