"""Time, as everything that waits is given it."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time."""

    def now(self) -> float:
        """Return seconds since some fixed moment."""

    def today(self) -> datetime:
        """Return the time of day, with its zone."""

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Return when the event is set, or after so many seconds."""


class SystemClock:
    """The time of this machine."""

    def now(self) -> float:
        """Return seconds since some fixed moment."""
        return time.monotonic()

    def today(self) -> datetime:
        """Return the time of day, with its zone."""
        return datetime.now(UTC)

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Return when the event is set, or after so many seconds."""
        if seconds is None:
            await event.wait()
            return
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass
