"""Calls of the client to a raw HTTP server, and bodies as Zoho sends them."""

import asyncio

import orjson

from batchlock.core.reply import Reply
from batchlock.core.rows import LockId, RecordId, Update
from batchlock.zoho.client import Client, Endpoint, session
from support.http_server import Handler, answer_with, http_response, raw_server

LOCK = LockId("5843104000000804005")
RECORD = RecordId("5843104000000425565")
UPDATE = Update(row=2, module="Leads", record_id=RECORD, lock_id=LOCK, reason="Ärger = 'groß' 🔒")
NO_LOCK_ID = Update(row=3, module="Leads", record_id=RECORD, lock_id=None, reason="x")
NOW = 1_700_000_000.0


class RotatingTokens:
    """A token source that returns token-1, token-2 and so on, and records the rejected ones."""

    def __init__(self) -> None:
        self.number = 1
        self.rejected: list[str] = []

    async def token(self) -> str:
        return f"token-{self.number}"

    async def refresh(self, rejected: str) -> str:
        self.rejected.append(rejected)
        self.number += 1
        return await self.token()


async def put(url: str, *, tokens: RotatingTokens | None = None, seconds: float = 20) -> Reply:
    async with session(limit=1) as http_session:
        endpoint = Endpoint(api_url=url, timeout=seconds)
        client = Client(endpoint, tokens or RotatingTokens(), http_session, wall_clock=lambda: NOW)
        return await client.put_reason(UPDATE, LOCK)


async def find(url: str, update: Update) -> Reply:
    async with session(limit=1) as http_session:
        return await Client(Endpoint(api_url=url), RotatingTokens(), http_session).find_lock(update)


def put_against(
    handler: Handler, *, tokens: RotatingTokens | None = None, seconds: float = 20
) -> tuple[Reply, list[bytes]]:
    async def main() -> tuple[Reply, list[bytes]]:
        async with raw_server(handler) as server:
            reply = await put(server.url, tokens=tokens, seconds=seconds)
            return reply, server.requests

    return asyncio.run(main())


def find_against(answer: bytes, update: Update) -> tuple[Reply, list[bytes]]:
    async def main() -> tuple[Reply, list[bytes]]:
        async with raw_server(answer_with(answer)) as server:
            return await find(server.url, update), server.requests

    return asyncio.run(main())


def envelope(
    code: object, message: str = "message of Zoho", /, **details: object
) -> dict[str, object]:
    return {"code": code, "details": details, "message": message, "status": "error"}


def success(lock_id: str = LOCK, **changed: object) -> dict[str, object]:
    row = {
        "code": "SUCCESS",
        "details": {"id": lock_id},
        "message": "relation updated",
        "status": "success",
    }
    return {"data": [row | changed]}


ACCEPTING = answer_with(http_response(200, orjson.dumps(success())))
