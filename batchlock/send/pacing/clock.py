"""The clock that everything that waits takes as a parameter, so that no test has to wait."""

import asyncio
import time
from datetime import UTC, datetime


class Clock:
    """The clock of this machine; tests replace its methods."""

    def monotonic(self) -> float:
        """Return seconds since some fixed moment; never goes back."""
        return time.monotonic()

    def now_utc(self) -> datetime:
        """Return the wall-clock time in UTC."""
        return datetime.now(UTC)

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Return when the event is set, or after `seconds`; None waits for the event alone."""
        if seconds is None:
            await event.wait()
            return
        # Not asyncio.wait_for(), which in Python 3.11 creates a task for each wait.
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass
