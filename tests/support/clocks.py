"""Time that jumps, so that tests of pacing wait for nothing."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, TypeVarTuple

from batchlock.send.pacing.clock import SystemClock

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
THE_DAY = datetime(2026, 1, 1, tzinfo=UTC)
"""When a loop's time is 0."""


class Jumping(selectors.SelectSelector):
    """Waits for nothing: time jumps to the next thing that is to happen."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("Everybody waits, and nothing is left to happen.")
        self.now += timeout
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps, and whose threads are over at once."""

    def __init__(self) -> None:
        self._jumping = Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class LoopClock(SystemClock):
    """The time of the running loop."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def now_utc(self) -> datetime:
        try:
            return THE_DAY + timedelta(seconds=self.monotonic())
        except RuntimeError:  # it has not begun to run
            return THE_DAY


def jump_through(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` with no real waiting; everybody waiting for ever is an error."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)
