"""A raw HTTP server, which answers with exactly the bytes that a test chooses."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

# The first byte of a TLS handshake, which no HTTP request has.
TLS_HELLO = b"\x16"
HTML = b"<!DOCTYPE html><html><body>Access blocked</body></html>"

# A key and a certificate of its own for 127.0.0.1, made for these tests.
SELF_SIGNED = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgTqU+pFkriy3NA4F7
2/tmPHA3DBggaimsQrEN4u2IuQyhRANCAATieLg8Ogzr65HoAgjhFc1Ykan1Rz64
SMnddOcFV51iN/MnoJlAGINoCDfCJzaqVm76X04VG8cxrKKr9k/3avBU
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBjzCCATagAwIBAgIUbMcwXdjb2ncF8x7CnzA7SUVOJWkwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDAxNDMzNFoYDzIxMjYxMDMx
MDE0MzM0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATieLg8Ogzr65HoAgjhFc1Ykan1Rz64SMnddOcFV51iN/MnoJlAGINo
CDfCJzaqVm76X04VG8cxrKKr9k/3avBUo2QwYjAdBgNVHQ4EFgQUPS97krS+slgQ
aPv1GRtONe8LbhQwHwYDVR0jBBgwFoAUPS97krS+slgQaPv1GRtONe8LbhQwDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0cAMEQC
IHsHUL0JOhVBwLFa4BvB2O41TaUrnVVISojLXnDk8VQOAiASu27yuY7/6mgZDVpN
tTJaI/8sq4hIEfy2su1PS8LHCg==
-----END CERTIFICATE-----
"""

PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE")
"""What changes the way of calls, in upper case."""

Handler = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A server that records the requests and leaves the answers to a handler."""

    def __init__(self, handler: Handler) -> None:
        self.requests: list[bytes] = []
        self.url = ""
        self._handler = handler

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                start = await reader.readexactly(1)
                if start == TLS_HELLO:
                    writer.write(http_response(400))
                    break
                head = start + await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: ([0-9]+)", head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                self.requests.append(head + body)
                await self._handler(head + body, writer)


@contextlib.asynccontextmanager
async def raw_server(
    handler: Handler, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    server = Server(handler)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await server.serve(reader, writer)
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(serve(reader, writer)))

    listening = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def tls_of(pem: Path) -> ssl.SSLContext:
    """Return the TLS context of a server with the key and certificate in `pem`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    return context


def http_response(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Reason", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def answer_with(answer: bytes) -> Handler:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return handler


def close_after(answer: bytes = b"") -> Handler:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    return handler
