"""Cancellation: one request to end a run early, from a signal, a stop rule or the page."""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from batchlock.core.stop import Cancelled, StopReason

_T = TypeVar("_T")


class CancelToken:
    """A token that is cancelled at most once, and calls its callbacks then."""

    def __init__(self) -> None:
        self.reason: StopReason | None = None
        self._callbacks: list[Callable[[], object]] = []

    def cancel(self, reason: StopReason) -> None:
        """Cancel and call all callbacks; only the first reason counts."""
        if self.reason is None:
            self.reason = reason
            # The stack calls every callback even if one raises, in the order of their addition.
            with ExitStack() as stack:
                for callback in reversed(self._callbacks):
                    stack.callback(callback)

    def add_callback(self, callback: Callable[[], object]) -> None:
        """Call `callback` when the token is cancelled; at once when it already is."""
        if self.reason is None:
            self._callbacks.append(callback)
        else:
            callback()

    def raise_if_cancelled(self) -> None:
        """Raise Cancelled if the token is cancelled."""
        if self.reason is not None:
            raise Cancelled(self.reason)

    @contextmanager
    def child(self) -> Iterator["CancelToken"]:
        """Yield a token that is cancelled with this one; to cancel it does not cancel this one."""
        child = CancelToken()

        def cancel_child() -> None:
            if self.reason is not None:
                child.cancel(self.reason)

        with self.callbacks_while(cancel_child):
            yield child

    @contextmanager
    def callbacks_while(self, *callbacks: Callable[[], object]) -> Iterator[None]:
        """Call all `callbacks` if the token is cancelled while the block runs."""
        for callback in callbacks:
            self.add_callback(callback)
        try:
            yield
        finally:
            self._callbacks = [
                callback for callback in self._callbacks if callback not in callbacks
            ]


async def until_cancelled(work: Coroutine[Any, Any, _T], cancel_token: CancelToken) -> _T:
    """Await `work`; raise Cancelled as soon as the token is cancelled."""
    # Here, because the signal handlers import this module, and asyncio takes long to load.
    import asyncio

    task = asyncio.ensure_future(work)
    try:
        with cancel_token.callbacks_while(task.cancel):
            return await task
    except asyncio.CancelledError:
        if cancel_token.reason is None:
            raise
        raise Cancelled(cancel_token.reason) from None
