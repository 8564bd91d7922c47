"""A plain client of the simulator: no retries, no redirects, one connection for each call."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from batchlock.simulator import (
    MAGIC_RECORDS,
    Behaviour,
    Fault,
    Kind,
    MagicRecord,
    Simulator,
    serving,
)
from batchlock.simulator.answers import CannedResponse
from batchlock.simulator.magic import FAULT_ANSWERS

RECORD = "5843104000000425565"
LOCK = "5843104000000804005"
KEY = f"Leads/{RECORD}"
CREDENTIALS = {
    "grant_type": "refresh_token",
    "refresh_token": "mine",
    "client_id": "me",
    "client_secret": "hush",
}
# The faults after which the change was made all the same.
CHANGING = {Fault.DROPPED_AFTER, Fault.CUT_BODY, Fault.CUT_CONNECTION, Fault.HANG}


def magic_record(effect: object, *, once: bool = False) -> str:
    (record_id,) = [
        magic.record_id
        for magic in MAGIC_RECORDS
        if magic.effect == effect and bool(magic.times) == once and Kind.PUT in magic.calls
    ]
    return record_id


def fixed_answer(magic: MagicRecord) -> CannedResponse | None:
    """Return the answer that a magic record gets; None where its effect is not an answer."""
    if isinstance(magic.effect, CannedResponse):
        return magic.effect
    return FAULT_ANSWERS.get(magic.effect) if isinstance(magic.effect, Fault) else None


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def content(self) -> Any:
        return orjson.loads(self.body)

    @property
    def item(self) -> Any:
        content = self.content
        return content["data"][0] if "data" in content else content

    @property
    def code(self) -> str:
        return str(self.item["code"])


class SimulatorClient:
    """A client of one simulator; each call returns the response as it came."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession) -> None:
        self.simulator = simulator
        self.authorization = ""
        self._session = session

    async def call(self, method: str, path: str, **more: Any) -> Response:
        headers = {"Authorization": self.authorization} | more.pop("headers", {})
        async with self._session.request(
            method, self.simulator.url + path, headers=headers, allow_redirects=False, **more
        ) as response:
            return Response(response.status, await response.read(), response.headers)

    async def sign_in(self, **form: str) -> Response:
        response = await self.call("POST", "/oauth/v2/token", data=CREDENTIALS | form)
        if response.status == 200 and b"access_token" in response.body:
            self.authorization = f"Zoho-oauthtoken {response.content['access_token']}"
        return response

    async def put(
        self,
        record_id: str = RECORD,
        lock_id: str = LOCK,
        *,
        module: str = "Leads",
        reason: object = "new",
        **more: Any,
    ) -> Response:
        body = orjson.dumps({"data": [{"Locked_Reason__s": reason}]})
        path = f"/crm/v7/{module}/{record_id}/Locking_Information__s/{lock_id}"
        return await self.call("PUT", path, data=body, **more)

    async def control(self, method: str, path: str, content: object = None) -> Response:
        return await self.call(method, f"/simulator/{path}", data=orjson.dumps(content))

    async def query(self, text: str) -> Response:
        return await self.call("POST", "/crm/v8/coql", data=orjson.dumps({"select_query": text}))

    async def post(self, record_id: str = RECORD, *, reason: object = "again") -> Response:
        body = orjson.dumps({"data": [{"Locked_Reason__s": reason}]})
        path = f"/crm/v7/Leads/{record_id}/Locking_Information__s"
        return await self.call("POST", path, data=body)

    async def get(self, record_id: str = RECORD, lock_id: str = "", *, query: str = "") -> Response:
        path = f"/crm/v7/Leads/{record_id}/Locking_Information__s/{lock_id}".rstrip("/")
        return await self.call("GET", path + query)

    async def delete(self, record_id: str = RECORD, lock_id: str = LOCK) -> Response:
        path = f"/crm/v7/Leads/{record_id}/Locking_Information__s/{lock_id}"
        return await self.call("DELETE", path)


@asynccontextmanager
async def connected(
    behaviour: Behaviour | None = None, **more: Any
) -> AsyncIterator[SimulatorClient]:
    connector = aiohttp.TCPConnector(force_close=True)
    async with (
        serving(behaviour, **more) as simulator,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        # aiohttp repeats an idempotent call by itself when the connection drops.
        session._retry_connection = False
        client = SimulatorClient(simulator, session)
        await client.sign_in()
        yield client


def run_script(
    script: Callable[[SimulatorClient], Awaitable[None]],
    behaviour: Behaviour | None = None,
    **more: Any,
) -> None:
    async def run() -> None:
        async with connected(behaviour, **more) as client:
            await script(client)

    asyncio.run(run())


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  the simulator sends no signal
            await asyncio.sleep(0.001)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
