"""Simulated time, so that no test of pacing has to wait."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, TypeVarTuple

from batchlock.send.pacing.clock import Clock

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
START_UTC = datetime(2026, 1, 1, tzinfo=UTC)
"""The wall-clock time when a loop's monotonic time is 0."""


class SimulatedSelector(selectors.SelectSelector):
    """Never blocks: instead of waiting it advances the time to the next timer."""

    now_monotonic = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("Every task waits, and no timer is left to wake one.")
        self.now_monotonic += timeout
        return super().select(0)


class SimulatedTimeLoop(asyncio.SelectorEventLoop):
    """An event loop in simulated time, whose executor runs each function at once."""

    def __init__(self) -> None:
        self._simulated = SimulatedSelector()
        super().__init__(self._simulated)

    def time(self) -> float:
        return self._simulated.now_monotonic

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        # A real thread would need real time, during which the simulated time runs ahead.
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class LoopClock(Clock):
    """The clock of the running loop."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def now_utc(self) -> datetime:
        try:
            return START_UTC + timedelta(seconds=self.monotonic())
        except RuntimeError:  # no loop runs yet
            return START_UTC


class FastClock(Clock):
    """A clock that runs a hundred times as fast as this machine's."""

    def monotonic(self) -> float:
        return super().monotonic() * 100

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        await super().wait(event, None if seconds is None else seconds / 100)


def run_simulated(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` in simulated time; AssertionError if every task waits for ever."""
    with asyncio.Runner(loop_factory=SimulatedTimeLoop) as runner:
        return runner.run(main)
