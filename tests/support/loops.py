"""An event loop in a thread, for servers that run beside a test in its own process."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from typing import TypeVar

from support.commands import TIMEOUT_SECONDS

_T = TypeVar("_T")


@contextmanager
def running_loop(name: str) -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in a thread while the block runs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=name)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(TIMEOUT_SECONDS)
        loop.close()


@contextmanager
def entered(
    loop: asyncio.AbstractEventLoop, manager: AbstractAsyncContextManager[_T]
) -> Iterator[_T]:
    """Enter and leave an asynchronous context manager in the loop of another thread."""
    stack = AsyncExitStack()
    entering = asyncio.run_coroutine_threadsafe(stack.enter_async_context(manager), loop)
    value = entering.result(TIMEOUT_SECONDS)
    try:
        yield value
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(TIMEOUT_SECONDS)
