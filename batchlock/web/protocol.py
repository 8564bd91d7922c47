"""The connections of the page: how long a client may take, and what it is told without HTTP.

aiohttp bounds only the time between two requests, so that a client could keep a connection for ever
by half a header, half a body, or by not reading its answer.

waiting   for a request: `idle_seconds`, and `header_seconds` from its first byte; a new connection
          must send its first header in `header_seconds`
reading   a body: it must not be slower than a slow line in any `transfer_seconds`
working   on the answer: no limit
writing   the answer, while the client does not read fast enough: as for a body
"""

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from typing import cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader

from batchlock.web import security
from batchlock.web.connections import OpenConnections

_UNREADABLE = "This is no request that the page can read.\n"
# Less than any line that a person would use; 100 MiB take two days.
_MIN_BYTES_PER_SECOND = 512.0
# After an answer that did not need the body, the rest of it is read and thrown away for so long:
# else the browser would show "connection reset" instead of the answer.
_LINGERING_SECONDS = 5.0
_NO_ROOM = b"Too many connections are open. Try again in a few seconds."


class PageConnection(web.RequestHandler):
    """A connection of a browser."""

    __slots__ = (
        "_body",
        "_connections",
        "_has_begun",
        "_is_working",
        "_limits",
        "_link",
        "_received",
        "_timer",
        "_transferred_at",
        "_was_paused",
    )

    def __init__(
        self, server: web.Server, loop: asyncio.AbstractEventLoop, connections: OpenConnections
    ) -> None:
        limits = connections.limits
        # As aiohttp's runner makes it; None switches off the log of requests.
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # aiohttp takes None; its types do not
            keepalive_timeout=limits.idle_seconds,
            lingering_time=_LINGERING_SECONDS,
        )
        self._connections = connections
        self._limits = limits
        self._link: asyncio.Transport | None = None
        """The transport; aiohttp forgets its own before it is closed."""
        self._timer: asyncio.TimerHandle | None = None
        self._received = 0
        """Bytes that came from the client."""
        self._transferred_at = loop.time()
        """When bytes were last transferred in either direction, by the clock of the loop."""
        self._has_begun = True
        """Whether the time for the header of the next request runs."""
        self._is_working = False
        """Whether a request is being answered."""
        self._body: StreamReader | None = None
        """The body of that request, while it is not complete."""
        self._was_paused = False
        """Whether we did not read for a moment, because the handler was busy."""

    @property
    def waits_since(self) -> float | None:
        """When bytes were last transferred; None while the client waits for the server."""
        is_client_late = self._body is not None and not self._was_paused
        if self._is_working and not is_client_late and not self.writing_paused:
            return None
        return self._transferred_at

    def abort(self) -> None:
        """Close the connection at once, whatever was not written yet."""
        if self._link is not None:
            self._link.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request, if there is room for the connection."""
        # uvloop has transports of its own.
        self._link = link = cast("asyncio.Transport", transport)
        peer = link.get_extra_info("peername")
        # As aiohttp's `request.remote`.
        address = str(peer[0]) if isinstance(peer, (list, tuple)) else str(peer)
        if not self._connections.admit(self, address):
            link.write(_no_room())
            link.close()
            return
        super().connection_made(transport)
        self._after(self._limits.header_seconds, self.abort)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End everything that belongs to the connection."""
        self._stop_timer()
        self._link = None
        self._connections.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what the client has sent, and pass it on."""
        if data:  # aiohttp calls this without any, to go on with what it has
            self._received += len(data)
            self._transferred_at = self._loop.time()
            if not self._is_working and not self._has_begun:
                self._has_begun = True
                self._after(self._limits.header_seconds, self.abort)
        super().data_received(data)

    def begin_request(self, body: StreamReader) -> None:
        """Note that a header is complete, and its request is being answered."""
        self._is_working = True
        self._stop_timer()
        if not body.is_eof():
            self._body = body
            self._was_paused = False
            self._watch_body()
            body.on_eof(self._end_body)

    def log_access(
        self, request: web.BaseRequest, response: web.StreamResponse, time: float | None
    ) -> None:
        """Note that an answer was written; aiohttp calls this after each."""
        super().log_access(request, response, time)
        self._is_working = self._has_begun = False
        self._body = None
        self._after(self._limits.idle_seconds, self._end_idle)

    def pause_reading(self) -> None:
        """Stop reading, because the handler is slower than the client."""
        self._was_paused = True
        super().pause_reading()

    def pause_writing(self) -> None:
        """Begin to watch how fast the client reads."""
        super().pause_writing()
        self._watch_answer()

    def resume_writing(self) -> None:
        """Stop watching how fast the client reads."""
        super().resume_writing()
        if not self._is_working:
            self._after(self._limits.idle_seconds, self._end_idle)
        elif self._body is not None:
            self._watch_body()
        else:
            self._stop_timer()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to a request that is not HTTP, or that no handler has answered.

        aiohttp's own answer names its version and repeats what was sent. It also writes a traceback
        to the log for each such request, of which anybody can send any number.
        """
        if status >= 500 or request.writer.output_size > 0:
            response = super().handle_error(request, status, exc, message)
        else:
            response = web.Response(status=status, text=_UNREADABLE)
            response.force_close()
        security.add_headers(response)
        # Otherwise aiohttp sets the header, with the versions of itself and of Python.
        response.headers["Server"] = "batchlock"
        return response

    def log_exception(self, *args: object, **more: object) -> None:
        """Log an error of the server, and none of a client, who could fill the log."""
        if not isinstance(sys.exception(), web.RequestPayloadError):
            super().log_exception(*args, **more)

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._stop_timer()
        if self._link is not None:
            self._timer = self._loop.call_later(seconds, action)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def _min_bytes(self) -> float:
        return _MIN_BYTES_PER_SECOND * self._limits.transfer_seconds

    def _watch_body(self) -> None:
        self._after(self._limits.transfer_seconds, partial(self._check_body, self._received))

    def _check_body(self, received_before: int) -> None:
        assert self._link is not None
        is_slow = self._received - received_before < self._min_bytes
        if is_slow and not self._was_paused:
            self.abort()
            return
        self._was_paused = not self._link.is_reading()
        self._watch_body()

    def _end_body(self) -> None:
        if self._body is not None:
            self._body = None
            self._stop_timer()

    def _watch_answer(self) -> None:
        if self._link is not None:
            self._transferred_at = self._loop.time()
            unsent = self._link.get_write_buffer_size()
            self._after(self._limits.transfer_seconds, partial(self._check_answer, unsent))

    def _check_answer(self, unsent_before: int) -> None:
        assert self._link is not None
        if self._link.get_write_buffer_size() > max(0.0, unsent_before - self._min_bytes):
            self.abort()
        else:
            self._watch_answer()

    def _end_idle(self) -> None:
        if self._link is not None and self._link.get_write_buffer_size():
            self._watch_answer()
        else:
            self.abort()


def _no_room() -> bytes:
    """Return the answer to a new connection for which there is no room."""
    response = web.Response(
        headers={
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(len(_NO_ROOM)),
            "Retry-After": "5",
            "Connection": "close",
        }
    )
    security.add_headers(response)
    headers = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    return f"HTTP/1.1 503 Service Unavailable\r\n{headers}\r\n".encode() + _NO_ROOM


def connection_factory(
    server: web.Server, loop: asyncio.AbstractEventLoop, connections: OpenConnections
) -> Callable[[], PageConnection]:
    """Return what makes the protocol of each new connection to a server."""
    make = server.request_factory

    def make_request(
        message: RawRequestMessage,
        body: StreamReader,
        connection: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: "asyncio.Task[None]",
    ) -> web.BaseRequest:
        assert isinstance(connection, PageConnection)
        connection.begin_request(body)
        return make(message, body, connection, writer, task)

    server.request_factory = make_request
    return partial(PageConnection, server, loop, connections)
