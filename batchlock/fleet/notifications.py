"""Wait for the notifications that say that a person has requested something."""

import asyncio
import logging
from collections.abc import Callable

import psycopg

from batchlock.store.postgres import connect_arguments
from batchlock.store.shared_runs import NOTIFICATIONS

_log = logging.getLogger(__name__)

_RETRY_SECONDS = 0.5


async def listen(url: str, on_notification: Callable[[], None]) -> None:
    """Call a function for each notification, for ever; connect again after the database was away.

    Notifications only save time: what persons have requested is also polled.
    """
    arguments = connect_arguments(url)
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(
                autocommit=True,
                **arguments,  # type: ignore[arg-type]
            )
            async with connection:
                await connection.execute(f"LISTEN {NOTIFICATIONS}")
                async for _ in connection.notifies():
                    on_notification()
        except psycopg.Error as error:
            _log.info("Requests are polled, because notifications fail: %s", error)
        await asyncio.sleep(_RETRY_SECONDS)
