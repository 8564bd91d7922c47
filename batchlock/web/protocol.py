"""The connections of the page: what is answered where a request cannot even be read."""

import asyncio

from aiohttp import web

from batchlock.web import security

_UNREADABLE = "This is no request that the page can read.\n"


class PageConnection(web.RequestHandler):
    """A connection of a browser."""

    __slots__ = ()

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


def connection_of(server: web.Server, loop: asyncio.AbstractEventLoop) -> PageConnection:
    """Return the protocol of a new connection to a server."""
    # As aiohttp's runner makes it; None switches off the log of requests.
    return PageConnection(server, loop=loop, access_log=None)  # type: ignore[arg-type]
