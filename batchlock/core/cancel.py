"""What ends a run early, whoever asks for it: a signal, a rule, a refused sign-in."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from batchlock.core.errors import BatchlockError


class CancelToken:
    """Pulled once, by whoever comes first."""

    def __init__(self) -> None:
        self.reason: BatchlockError | None = None
        self._stops: list[Callable[[], object]] = []

    def cancel(self, reason: BatchlockError) -> None:
        """Ask for the end; only the first reason counts."""
        if self.reason is None:
            self.reason = reason
            with ExitStack() as all_of_them:  # even if one raises
                for stop in reversed(self._stops):
                    all_of_them.callback(stop)

    def add_callback(self, stop: Callable[[], object]) -> None:
        """Call `stop` once the brake is pulled; at once when it has been."""
        if self.reason is None:
            self._stops.append(stop)
        else:
            stop()

    @contextmanager
    def callbacks_while(self, *stops: Callable[[], object]) -> Iterator[None]:
        """Call all `stops` once the brake is pulled while the block runs, and not after it."""
        for stop in stops:
            self.add_callback(stop)
        try:
            yield
        finally:
            self._stops = [stop for stop in self._stops if stop not in stops]
