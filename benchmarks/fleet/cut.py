"""The way between a worker and the database, which can be cut while Zoho stays reachable."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Way:
    """A TCP port of this machine that leads to the socket of the database."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_open = True
        self._flows = asyncio.Event()
        self._flows.set()
        self.port = 0

    def cut(self) -> None:
        """Close all connections, and refuse new ones."""
        self._loop.call_soon_threadsafe(self._cut)

    def swallow(self) -> None:
        """Let all connections be silent: nothing arrives, and nobody is told."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def mend(self) -> None:
        """Let connections work again."""
        self._loop.call_soon_threadsafe(self._mend)

    def _cut(self) -> None:
        self._is_open = False
        for writer in self._writers:
            writer.transport.abort()

    def _mend(self) -> None:
        self._is_open = True
        self._flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._is_open:
            writer.transport.abort()
            return
        try:
            to_reader, to_writer = await asyncio.open_unix_connection(self._socket)
        except OSError:  # the database is away, too
            writer.transport.abort()
            return
        pair = {writer, to_writer}
        self._writers |= pair
        try:
            await asyncio.gather(self._copy(reader, to_writer), self._copy(to_reader, writer))
        finally:
            self._writers -= pair
            for one in pair:
                one.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while part := await reader.read(2**16):
                await self._flows.wait()
                writer.write(part)
                await writer.drain()
        writer.close()

    async def _listen(self, ready: threading.Event) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        async with server:
            await server.serve_forever()

    def run(self, ready: threading.Event) -> None:
        """Serve until the process ends."""
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen(ready))


@contextmanager
def way_to(socket: Path) -> Iterator[Way]:
    """Yield a way to a socket; it ends with the process."""
    way, ready = Way(socket), threading.Event()
    threading.Thread(target=way.run, args=(ready,), daemon=True).start()
    ready.wait()
    yield way
    way.cut()
