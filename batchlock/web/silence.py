"""The voice of a run to which nobody listens."""

from batchlock.model import Outcome
from batchlock.pacing import Pulse


class Silence:
    """Takes in how a run goes, and says nothing."""

    def says(self, sentence: str) -> None:
        """Say nothing of a sentence."""

    def starts(self, *, rows: int, left: int) -> None:
        """Say nothing of the start."""

    def ended(self, outcome: Outcome) -> None:
        """Say nothing of a row."""

    def beat(self, pulse: Pulse) -> None:
        """Say nothing of how the gate stands."""
