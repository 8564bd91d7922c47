"""What all pages of one org share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from batchlock.config import Settings
from batchlock.core.cancel import CancelToken
from batchlock.core.observer import RunObserver
from batchlock.core.options import RunOptions
from batchlock.core.rows import MODULES
from batchlock.run import Runner
from batchlock.store.history import History
from batchlock.store.journal import Journal
from batchlock.store.page import PageStore, QueuedRun, QueueState
from batchlock.web import security
from batchlock.web.queue import RunQueue
from batchlock.web.runs.list import RunList, displayable_name
from batchlock.web.templating import Templates


@dataclass(frozen=True, slots=True, kw_only=True)
class AppContext:
    """What all pages of one org share."""

    settings: Settings
    options: RunOptions
    store: PageStore
    templates: Templates
    history: History
    run_list: RunList
    queue: RunQueue
    command_options: Sequence[str]
    """Options of the command line, for the commands that the page starts."""

    @property
    def org(self) -> str:
        """The org of all runs here."""
        return self.history.org

    @property
    def modules(self) -> Sequence[str]:
        """The modules whose records can be locked, the custom ones last."""
        return tuple(dict.fromkeys((*MODULES, *self.settings.input.custom_modules)))

    def log(self, request: web.Request, action: str, subject: str = "") -> None:
        """Record in the audit log what the signed-in person did."""
        self.store.audit_log.add(self.org, request[security.NAME], action, subject)

    def runner(self, options: RunOptions | None = None) -> Runner:
        """Return a runner, with other options than those of the command line if given."""
        return Runner(self.settings, options or self.options, CancelToken(), RunObserver())

    def run_in(self, request: web.Request) -> tuple[str, Path]:
        """Return id and journal of the requested run; raises HTTPNotFound.

        The id must be one of the history's, so a path from outside never reaches the disk.
        """
        run_id = request.match_info["run"]
        if run_id not in self.history.ids():
            raise web.HTTPNotFound
        return run_id, self.history.path(run_id)

    def queued(self, run_id: str) -> QueuedRun | None:
        """Return what the page's queue has about a run; None for a run of the command line."""
        return self.store.queue.get(self.org, run_id)

    def state_of(self, run_id: str) -> QueueState:
        """Return the state of a run, whoever started it."""
        if self.queue.is_at_work(run_id):
            return QueueState.WORKING
        queued = self.queued(run_id)
        return queued.state if queued is not None else QueueState.ENDED

    def file_name(self, run_id: str, path: Path) -> str:
        """Return the name of a run's file as people see it."""
        queued = self.queued(run_id)
        if queued is not None:
            return queued.file_name
        with Journal.open(path) as journal:
            return displayable_name(journal.info.file)
