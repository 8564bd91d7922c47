"""Signals: the first asks a command to end, the second ends it."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, TypeVar

from batchlock.brake import Brake
from batchlock.errors import Interrupted

_T = TypeVar("_T")


class Signals:
    """The first signal asks for the end, the second is the end."""

    def __init__(self) -> None:
        self.brake = Brake()
        self.number: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def install(self) -> None:
        """Take over the signals that end a command, for as long as the process lives."""
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            if (number := getattr(signal, name, None)) is not None:
                signal.signal(number, self._came)

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run until the work is done."""
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            self._loop = runner.get_loop()
            try:
                return runner.run(work)
            finally:
                self._loop = None

    def _came(self, number: int, _: FrameType | None) -> None:
        if self.number is not None:
            os._exit(128 + self.number)
        self.number = number
        why = Interrupted(f"Interrupted by {signal.Signals(number).name}.", signal_number=number)
        if self._loop is None:
            self.brake.pull(why)
        else:
            self._loop.call_soon_threadsafe(self.brake.pull, why)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
