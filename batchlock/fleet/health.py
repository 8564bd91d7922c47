"""The small HTTP server of a process: is it alive, can it work, and its figures.

/healthz   200 while the event loop answers
/readyz    200 when it can work; 503 and a sentence when it cannot
/metrics   the figures for Prometheus
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from batchlock.core.errors import BatchlockError, UsageError
from batchlock.fleet.settings import host_and_port

_log = logging.getLogger(__name__)

# A probe waits for a few seconds only, and asks again.
_TIMEOUT_SECONDS = 3.0
# The answers are small, so a connection that is open at the end waits for nothing.
_SHUTDOWN_SECONDS = 1.0


class HealthPages:
    """The handlers."""

    def __init__(self, figures: Callable[[], Awaitable[bytes]], problem: Callable[[], str]) -> None:
        """Call `problem` in a thread: why the process cannot work, empty when it can."""
        self._figures = figures
        self._problem = problem
        self._check: asyncio.Task[str] | None = None

    async def alive(self, _: web.Request) -> web.Response:
        """Answer that the event loop works."""
        return web.Response(text="ok\n")

    async def ready(self, _: web.Request) -> web.Response:
        """Answer whether the process can work."""
        # Whoever asks often must not take the threads that renew the leases: all who ask at the
        # same time wait for one check.
        if self._check is None or self._check.done():
            self._check = asyncio.create_task(asyncio.to_thread(self._problem))
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                problem = await asyncio.shield(self._check)
        except TimeoutError:
            problem = "The database does not answer."
        except BatchlockError as error:
            problem = str(error)
        return web.Response(status=503 if problem else 200, text=f"{problem or 'ok'}\n")

    async def figures(self, _: web.Request) -> web.Response:
        """Answer with the figures."""
        headers = {"Content-Type": CONTENT_TYPE_LATEST}
        return web.Response(body=await self._figures(), headers=headers)


@asynccontextmanager
async def health_server(
    listen: str | None,
    figures: Callable[[], Awaitable[bytes]],
    problem: Callable[[], str],
    *,
    setting: str,
) -> AsyncIterator[int | None]:
    """Answer at the address `listen` during the block, and yield the port; None for no address.

    Raises UsageError, which names the setting, when the address cannot be used.
    """
    if listen is None:
        yield None
        return
    pages = HealthPages(figures, problem)
    app = web.Application()
    app.router.add_get("/healthz", pages.alive)
    app.router.add_get("/readyz", pages.ready)
    app.router.add_get("/metrics", pages.figures)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        host, port = host_and_port(listen)
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise UsageError(
                f"{setting}: {listen} cannot be used: {error.strerror or error}. Name another "
                "address; each process of a machine needs its own port."
            ) from None
        used_port: int = runner.addresses[0][1]
        _log.info("Health and figures are at http://%s:%s.", host, used_port)
        yield used_port
    finally:
        await runner.cleanup()
