"""Signals: the first asks a command to end, the second ends it.

They are taken over before nearly all else is loaded, so this imports as little as it can.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from batchlock.core.cancel import CancelToken
from batchlock.core.errors import Interrupted

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine
    from types import FrameType

_T = TypeVar("_T")


class Signals:
    """The first signal asks for the end, the second is the end."""

    def __init__(self) -> None:
        self.cancel_token = CancelToken()
        self.number: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._interruptible = False

    def install(self) -> None:
        """Take over the signals that end a command, for as long as the process lives.

        One that is ignored stays so: whoever started us wants it, as nohup does.
        """
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)

    def run_async(self, work: "Coroutine[Any, Any, _T]") -> _T:
        """Run until the work is done."""
        import asyncio

        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            self._loop = runner.get_loop()
            try:
                return runner.run(work)
            finally:
                self._loop = None

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let a signal end the block at once, since a person is asked: with KeyboardInterrupt."""
        self._interruptible = True
        try:
            if self.number is not None:
                raise KeyboardInterrupt
            yield
        finally:
            self._interruptible = False

    def _handle(self, number: int, _: "FrameType | None") -> None:
        if self.number is not None:
            os._exit(128 + self.number)
        self.number = number
        if self._interruptible:
            raise KeyboardInterrupt
        why = Interrupted(f"Interrupted by {signal.Signals(number).name}.", signal_number=number)
        if self._loop is None:
            self.cancel_token.cancel(why)
        else:
            self._loop.call_soon_threadsafe(self.cancel_token.cancel, why)


def _loop_factory() -> "Callable[[], asyncio.AbstractEventLoop] | None":
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
