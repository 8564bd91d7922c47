"""A proxy between the client and a server of the tests."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from support.http_server import http_response

PASSWORD = "hush-hush"
PAGE = b"<html><body>Access denied by policy</body></html>"


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(2**16):
            writer.write(part)
            await writer.drain()
    with suppress(OSError, RuntimeError):
        writer.close()


async def connect_both(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int, head: bytes
) -> None:
    """Copy everything in both directions, `head` first."""
    server_reader, server_writer = await asyncio.open_connection(host, port)
    try:
        server_writer.write(head)
        await asyncio.gather(forward(reader, server_writer), forward(server_reader, writer))
    finally:
        # `forward` does not close it when the proxy ends first, and the next test would warn.
        server_writer.close()


@dataclass(slots=True)
class Proxy:
    """A proxy that tunnels (CONNECT) and forwards (GET http://…), or refuses with a page."""

    user: str = ""  # `name:password` that the proxy requires
    refusal_status: int = 0
    url: str = ""
    requests_seen: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests_seen.append(head)
        method, target, _ = head.split(b" ", 2)
        expected = base64.b64encode(self.user.encode())
        if self.user and b"Proxy-Authorization: Basic " + expected not in head:
            writer.write(http_response(407, PAGE, 'Proxy-Authenticate: Basic realm="proxy"'))
        elif self.refusal_status:
            writer.write(http_response(self.refusal_status, PAGE))
        elif method == b"CONNECT":
            host, _, port = target.decode().partition(":")
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await connect_both(reader, writer, host, int(port), b"")
            return
        else:
            url = urlsplit(target.decode())
            path = target.removeprefix(f"{url.scheme}://{url.netloc}".encode())
            assert url.hostname is not None
            assert url.port is not None
            await connect_both(
                reader, writer, url.hostname, url.port, head.replace(target, path, 1)
            )
            return
        await writer.drain()
        writer.close()

    def address(self, user: str = "") -> str:
        return self.url.replace("//", f"//{user}@") if user else self.url


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@asynccontextmanager
async def listening(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def handle() -> None:
            try:
                with suppress(OSError, asyncio.IncompleteReadError):
                    await serve(reader, writer)
            finally:
                writer.close()

        tasks.add(asyncio.create_task(handle()))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def proxy_server(*, user: str = "", refusal_status: int = 0) -> AsyncIterator[Proxy]:
    proxy = Proxy(user=user, refusal_status=refusal_status)
    async with listening(proxy.serve) as port:
        proxy.url = f"http://127.0.0.1:{port}"
        yield proxy
