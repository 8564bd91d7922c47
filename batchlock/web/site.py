"""What all pages of one org share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from batchlock.brake import Brake
from batchlock.config import Settings
from batchlock.history import History
from batchlock.run import Choices, Runner
from batchlock.web.line import Line
from batchlock.web.look import Look
from batchlock.web.past import Pasts
from batchlock.web.silence import Silence
from batchlock.web.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What all pages of one org share."""

    settings: Settings
    choices: Choices
    store: Store
    look: Look
    history: History
    pasts: Pasts
    line: Line
    options: Sequence[str]
    """Those of the command line, for the processes that are started."""

    def log(self, who: str, what: str, about: str = "") -> None:
        """Write down who did what."""
        self.store.write(self.history.org, who, what, about)

    def runner(self, **chosen: Any) -> Runner:
        """Return what makes plans and runs here, with choices of its own."""
        return Runner(self.settings, replace(self.choices, **chosen), Brake(), Silence())
