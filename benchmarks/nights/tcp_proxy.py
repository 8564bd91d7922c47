"""A proxy between batchlock and the stand-in that can refuse connections."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class TcpProxy:
    """A TCP port of this machine that leads to the stand-in."""

    def __init__(self, url: str) -> None:
        """Lead to the server at `url`."""
        self._port_there = urlsplit(url).port
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._port = 0

    @property
    def url(self) -> str:
        """The address of this end."""
        return f"http://127.0.0.1:{self._port}"

    def listen(self) -> None:
        """Accept connections."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    def refuse(self) -> None:
        """Close all connections, and refuse new ones."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()

    def run(self) -> None:
        """Serve until `end`."""
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def end(self) -> None:
        """Serve no longer."""
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._port_there)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, to_writer}
        self._writers |= pair
        try:
            await asyncio.gather(_copy(reader, to_writer), _copy(to_reader, writer))
        finally:
            self._writers -= pair


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(2**16):
            writer.write(part)
            await writer.drain()
    writer.close()


@contextmanager
def tcp_proxies(url: str, count: int) -> Iterator[list[TcpProxy]]:
    """Yield proxies of a server, each with a port of its own."""
    proxies = [TcpProxy(url) for _ in range(count)]
    threads = [threading.Thread(target=proxy.run) for proxy in proxies]
    for proxy, thread in zip(proxies, threads, strict=True):
        thread.start()
        proxy.listen()
    try:
        yield proxies
    finally:
        for proxy, thread in zip(proxies, threads, strict=True):
            proxy.end()
            thread.join()
