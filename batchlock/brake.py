"""What ends a run early, whoever asks for it: a signal, a rule, a refused sign-in."""

from collections.abc import Callable

from batchlock.errors import BatchlockError


class Brake:
    """Pulled once, by whoever comes first."""

    def __init__(self) -> None:
        self.why: BatchlockError | None = None
        self._stops: list[Callable[[], object]] = []

    def pull(self, why: BatchlockError) -> None:
        """Ask for the end; only the first reason counts."""
        if self.why is None:
            self.why = why
            for stop in self._stops:
                stop()

    def on_pull(self, stop: Callable[[], object]) -> None:
        """Call `stop` once the brake is pulled; at once when it has been."""
        if self.why is None:
            self._stops.append(stop)
        else:
            stop()
