"""What all pages of one org share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from batchlock.config import Settings
from batchlock.core.cancel import CancelToken
from batchlock.core.observer import RunObserver
from batchlock.core.options import RunOptions
from batchlock.run import Runner
from batchlock.store.history import History
from batchlock.store.page import Store
from batchlock.web.queue import RunQueue
from batchlock.web.runs.list import RunList
from batchlock.web.templating import Templates


@dataclass(frozen=True, slots=True, kw_only=True)
class AppContext:
    """What all pages of one org share."""

    settings: Settings
    choices: RunOptions
    store: Store
    look: Templates
    history: History
    pasts: RunList
    queue: RunQueue
    options: Sequence[str]
    """Those of the command line, for the processes that are started."""

    def log(self, who: str, what: str, about: str = "") -> None:
        """Write down who did what."""
        self.store.write(self.history.org, who, what, about)

    def runner(self, **chosen: Any) -> Runner:
        """Return what makes plans and runs here, with choices of its own."""
        return Runner(self.settings, replace(self.choices, **chosen), CancelToken(), RunObserver())
