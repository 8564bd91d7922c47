"""A token endpoint of Zoho, and tokens that use it."""

import asyncio
import contextlib
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import orjson
from pydantic import SecretStr

from batchlock.zoho.oauth import OAuthClient
from batchlock.zoho.token_file import TokenFile
from batchlock.zoho.tokens import Tokens

SECRET = "s3cr3t-of-the-client"
REFRESH = "1000.refresh.token"
CODE = "1000.grant.code"
TOKEN = "1000.access.token"
OAUTH_CLIENT = OAuthClient(
    accounts_url="http://replaced.invalid",
    client_id="1000.CLIENT",
    client_secret=SecretStr(SECRET),
    refresh_token=SecretStr(REFRESH),
    data_center="eu",
    environment="production",
)
THROTTLED = {"error": "Access Denied", "error_description": "too many", "status": "failure"}
HTML = b"<html>Sign in to the proxy</html>"

Handler = Callable[[int], Awaitable[tuple[int, bytes]]]


@dataclass
class Endpoint:
    """A token endpoint; the handler gets the number of each request, from 1."""

    handler: Handler
    url: str = ""
    forms: list[dict[str, list[str]]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                _, _, rest = head.lower().partition("content-length: ")
                body = await reader.readexactly(int(rest.split("\r\n")[0]))
                self.heads.append(head)
                self.forms.append(parse_qs(body.decode()))
                status, answer = await self.handler(len(self.forms))
                length = f"Content-Length: {len(answer)}"
                moved = "Location: http://127.0.0.1:9/"
                writer.write(f"HTTP/1.1 {status} Reason\r\n{length}\r\n{moved}\r\n\r\n".encode())
                writer.write(answer)
                await writer.drain()


@contextlib.asynccontextmanager
async def token_endpoint(handler: Handler) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint(handler)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await endpoint.serve(reader, writer)
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(serve(reader, writer)))

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    endpoint.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield endpoint
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Time:
    """A clock that only `sleep` advances."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def grant(**changed: object) -> Handler:
    """Grant token-1, token-2 and so on."""

    async def handler(number: int) -> tuple[int, bytes]:
        granted = {
            "access_token": f"token-{number}",
            "api_domain": "http://elsewhere.invalid",
            "token_type": "Bearer",
            "expires_in": 3600,
        }
        return 200, orjson.dumps(granted | changed)

    return handler


def answer_in_turn(*answers: tuple[int, object]) -> Handler:
    """Give each answer in turn, and the last one to all further requests."""

    async def handler(number: int) -> tuple[int, bytes]:
        status, body = answers[min(number, len(answers)) - 1]
        return status, body if isinstance(body, bytes) else orjson.dumps(body)

    return handler


GRANTED = (200, {"access_token": TOKEN, "expires_in": 3600})


@contextlib.asynccontextmanager
async def tokens_at(
    endpoint: Endpoint, path: Path | None, *, time: Time | None = None, **changed: Any
) -> AsyncIterator[Tokens]:
    """Yield tokens that are kept in a file at `path`, or in another `cache`."""
    time = time or Time()
    async with aiohttp.ClientSession() as session:
        options: dict[str, Any] = {
            "cache": None if path is None else TokenFile(path),
            "max_wait": 900.0,
            "timeout": 20.0,
            "wall_clock": time,
            "clock": time,
            "sleep": time.sleep,
            "random": lambda: 1.0,
        }
        oauth_client = changed.pop("oauth_client", replace(OAUTH_CLIENT, accounts_url=endpoint.url))
        yield Tokens(oauth_client, session=session, **{**options, **changed})


def request_once(
    handler: Handler, path: Path, *, time: Time | None = None, **changed: Any
) -> tuple[str, Endpoint]:
    """Request a token once; return it and the endpoint."""

    async def main() -> tuple[str, Endpoint]:
        async with (
            token_endpoint(handler) as endpoint,
            tokens_at(endpoint, path, time=time, **changed) as tokens,
        ):
            return await tokens.token(), endpoint

    return asyncio.run(main())


def tokens_of_processes(path: Path, *steps: Callable[[Time], Mapping[str, Any]]) -> list[str]:
    """Return the tokens of several processes, one after the other; a step prepares each."""

    async def main() -> list[str]:
        time = Time()
        values = []
        async with token_endpoint(grant()) as endpoint:
            for step in steps:
                changed = dict(step(time))
                oauth_client = replace(
                    OAUTH_CLIENT, accounts_url=endpoint.url, **changed.pop("oauth_client", {})
                )
                async with tokens_at(
                    endpoint, path, time=time, oauth_client=oauth_client, **changed
                ) as tokens:
                    values.append(await tokens.token())
        return values

    return asyncio.run(main())


def at_once(_: Time) -> Mapping[str, Any]:
    return {}


def after(seconds: float) -> Callable[[Time], Mapping[str, Any]]:
    def step(time: Time) -> Mapping[str, Any]:
        time.now += seconds
        return {}

    return step


def of(**oauth_client: Any) -> Callable[[Time], Mapping[str, Any]]:
    return lambda _: {"oauth_client": oauth_client}


def formatted(error: BaseException) -> str:
    """Return an error as a log may show it, with its causes."""
    return "".join(traceback.format_exception(error)) + repr(error)
