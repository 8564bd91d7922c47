"""Whether this server is alive, and whether it can work: for whatever starts and watches it.

Both answers are open to all and say nothing but yes or no, under whatever host name they are asked.
"""

import asyncio
import logging

from aiohttp import web

from batchlock.core.errors import BatchlockError
from batchlock.store.store import Store
from batchlock.web import security

_log = logging.getLogger(__name__)

# The caller asks again in a few seconds, and a database that answers later is of no use.
_TIMEOUT_SECONDS = 5.0


class HealthChecks:
    """The handlers of the checks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @security.for_machines
    async def alive(self, _: web.Request) -> web.Response:
        """Answer that the process is alive."""
        return web.Response(text="ok\n")

    @security.for_machines
    async def ready(self, _: web.Request) -> web.Response:
        """Answer whether the store can be reached, and has the tables of this version."""
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                problem = await asyncio.to_thread(self._store.schema_problem)
        except (BatchlockError, TimeoutError) as error:
            problem = str(error) or "The store does not answer."
        if problem:
            _log.warning("not ready: %s", problem)
            return web.Response(status=503, text="not ready\n")
        return web.Response(text="ok\n")
