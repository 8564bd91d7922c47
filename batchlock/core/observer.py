"""How a run reports its progress to the code that started it.

`RunObserver` is a null object: every method does nothing, and an observer overrides those it needs.
The phases call it and never ask what it does with the call.
"""

from typing import TYPE_CHECKING, NamedTuple

from batchlock.core.preview import Preview
from batchlock.core.results import Outcome

if TYPE_CHECKING:
    from batchlock.core.runs import RunFigures


class LimiterSnapshot(NamedTuple):
    """The state of the call limiter at one moment."""

    in_flight: int
    window: int
    """How many calls may be in flight."""
    reason: str
    """Why all calls wait; empty when none has to."""
    seconds: float
    """Seconds that all calls still wait."""
    credits_left: int | None = None
    """Credits of the day that Zoho last reported as left; None before it reported any."""
    throttled: int = 0
    """Calls of this session that Zoho has refused because there were too many."""


class RunObserver:
    """Receives the events of one run."""

    def on_message(self, sentence: str) -> None:
        """Receive a sentence for the person who started the run."""

    def on_preview(self, preview: Preview) -> None:
        """Receive what the run is going to send, before its first call."""

    def on_sending(self, *, rows: int, remaining: int, only_looks: bool = False) -> None:
        """Receive the start of sending: `remaining` of the run's `rows` are still to be sent.

        `only_looks`: each row is a look at a lock, which changes nothing.
        """

    def on_row(self, outcome: Outcome) -> None:
        """Receive the outcome of a row, once per row, when the row reaches its final status."""

    def on_progress(self, snapshot: LimiterSnapshot) -> None:
        """Receive the state of the limiter, about twice a second while rows are sent."""

    def on_figures(self, figures: "RunFigures") -> None:
        """Receive how far a run has come that another process sends, in place of its rows."""


class RunObservers(RunObserver):
    """Passes each event on to several observers."""

    def __init__(self, *observers: RunObserver) -> None:
        self._observers = observers

    def on_message(self, sentence: str) -> None:
        """Pass on a sentence."""
        for observer in self._observers:
            observer.on_message(sentence)

    def on_preview(self, preview: Preview) -> None:
        """Pass on what is going to be sent."""
        for observer in self._observers:
            observer.on_preview(preview)

    def on_sending(self, *, rows: int, remaining: int, only_looks: bool = False) -> None:
        """Pass on that the sending begins."""
        for observer in self._observers:
            observer.on_sending(rows=rows, remaining=remaining, only_looks=only_looks)

    def on_row(self, outcome: Outcome) -> None:
        """Pass on an outcome."""
        for observer in self._observers:
            observer.on_row(outcome)

    def on_progress(self, snapshot: LimiterSnapshot) -> None:
        """Pass on the state of the limiter."""
        for observer in self._observers:
            observer.on_progress(snapshot)

    def on_figures(self, figures: "RunFigures") -> None:
        """Pass on how far the run has come."""
        for observer in self._observers:
            observer.on_figures(figures)
