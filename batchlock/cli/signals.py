"""Handle signals: the first one stops a command cleanly, the second one at once.

The handlers are installed before almost everything else is loaded, so this module imports little.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from batchlock.core.cancel import CancelToken
from batchlock.core.stop import StopCode, StopReason

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine
    from types import FrameType

_T = TypeVar("_T")


class Signals:
    """The signal handlers of the process and the cancel token that they set."""

    def __init__(self) -> None:
        self.cancel_token = CancelToken()
        self.number: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._interruptible = False

    def install(self) -> None:
        """Install the handlers for the rest of the process's life."""
        # SIGBREAK is Ctrl-Break, which only Windows has; SIGHUP is missing there.
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            number = getattr(signal, name, None)
            # A signal that the caller made us ignore stays ignored: nohup does that with SIGHUP.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)

    def run_async(self, work: "Coroutine[Any, Any, _T]") -> _T:
        """Run a coroutine to its end in an event loop that the handlers can wake."""
        import asyncio

        from batchlock.core.event_loop import loop_factory

        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            self._loop = runner.get_loop()
            try:
                return runner.run(work)
            finally:
                self._loop = None

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Raise KeyboardInterrupt in the block when a signal arrives.

        For blocks that wait for a person at a prompt, where nothing has to be finished.
        """
        self._interruptible = True
        try:
            if self.number is not None:
                raise KeyboardInterrupt
            yield
        finally:
            self._interruptible = False

    def _handle(self, number: int, _: "FrameType | None") -> None:
        if self.number is not None:
            # The exit must not wait for calls in flight, as a normal one does. The journal is
            # consistent after every commit, so nothing is lost but those answers.
            os._exit(128 + self.number)
        self.number = number
        if self._interruptible:
            raise KeyboardInterrupt
        reason = StopReason(
            code=StopCode.SIGNAL,
            sentence=f"Interrupted by {signal.Signals(number).name}.",
            exit_code=128 + number,  # as a shell reports it
        )
        if self._loop is None:
            self.cancel_token.cancel(reason)
        else:
            # The handler may run while the loop waits for sockets: only the thread-safe call
            # wakes it.
            self._loop.call_soon_threadsafe(self.cancel_token.cancel, reason)
