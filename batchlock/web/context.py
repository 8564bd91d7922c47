"""What all pages of one org share."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from aiohttp import web

from batchlock.config import Settings
from batchlock.confirming import ConfirmUnlocks, refuse_unlocks
from batchlock.core.cancel import CancelToken
from batchlock.core.observer import RunObserver
from batchlock.core.options import RunOptions
from batchlock.core.rows import MODULES
from batchlock.core.runs import Run, RunInfo, RunState
from batchlock.engine import Engine
from batchlock.report.story import Stories
from batchlock.store.store import Store
from batchlock.web import security
from batchlock.web.queue import RunQueue
from batchlock.web.served_orgs import ServedOrgs
from batchlock.web.templating import OrgLabel, Templates, home_of

# Each plan is a child process that may use much memory.
_CONCURRENT_PLANS = 2
# Each report is a process, which keeps a core busy; the runs that are being sent need cores too.
_CONCURRENT_REPORTS = 2


@dataclass(frozen=True, slots=True)
class WorkLimits:
    """How much work the pages of all orgs together do at a time."""

    planning: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(_CONCURRENT_PLANS)
    )
    reporting: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(_CONCURRENT_REPORTS)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AppContext:
    """What all pages of one org share."""

    org: str
    """The org of all runs here."""
    served_orgs: ServedOrgs
    options: RunOptions
    store: Store
    templates: Templates
    queue: RunQueue
    limits: WorkLimits
    stories: Stories

    @property
    def command_options(self) -> Sequence[str]:
        """Options of the command line, for the commands that the page starts."""
        return self.served_orgs.command_options(self.org)

    @property
    def settings(self) -> Settings:
        """The settings of the org."""
        return self.served_orgs.settings_of(self.org)

    @property
    def home(self) -> str:
        """The path of the org's first page; those of its other pages begin with it."""
        return home_of(self.org)

    @property
    def label(self) -> OrgLabel:
        """What every page says about the org."""
        return self.served_orgs.label(self.org)

    @property
    def modules(self) -> Sequence[str]:
        """The modules whose records can be locked, the custom ones last."""
        return tuple(dict.fromkeys((*MODULES, *self.settings.input.custom_modules)))

    def log(
        self,
        request: web.Request,
        action: str,
        subject: str = "",
        *,
        run: str | None = None,
        upload: str | None = None,
    ) -> None:
        """Record in the audit log what the signed-in person did, with the ids of what it is about.

        The log shows the subject behind the action.
        """
        name, address = request[security.NAME], request[security.ADDRESS]
        self.store.audit_log.add(
            self.org, name, action, subject, address=address, run=run, upload=upload
        )

    def engine(
        self,
        options: RunOptions | None = None,
        *,
        confirm_unlocks: ConfirmUnlocks = refuse_unlocks,
        to_send: bool = False,
    ) -> Engine:
        """Return an engine, with other options than those of the command line if given.

        `confirm_unlocks` is called before a run is stored that unlocks records. With `to_send` it
        may call Zoho; that raises UsageError for a disabled org.
        """
        orgs = self.served_orgs
        return Engine(
            orgs.sending_settings(self.org) if to_send else self.settings,
            options or self.options,
            CancelToken(),
            RunObserver(),
            store=self.store,
            confirm_unlocks=confirm_unlocks,
        )

    def run_in(self, request: web.Request) -> Run:
        """Return the requested run; raises HTTPNotFound."""
        run = self.store.runs.get(request.match_info["run"])
        if run is None or run.info.org != self.org:
            raise web.HTTPNotFound
        return self.as_it_stands(run)

    def as_it_stands(self, run: Run) -> Run:
        """Return a run; one at a terminal is stopped if its process is gone.

        One of the queue stays as its record says: the queue starts it again in a moment.
        """
        is_gone = run.state is RunState.RUNNING and not run.is_alive
        if is_gone and run.queued_at is None:
            # Its record is as old as its last heartbeat.
            return replace(run, state=RunState.STOPPED, figures=self.store.figures(run))
        return run

    def same_content(self, info: RunInfo) -> list[Run]:
        """Return the other runs of the same content, newest first."""
        return [self.as_it_stands(run) for run in self.store.runs.same_content(info)]

    def family(self, run: Run) -> list[Run]:
        """Return a run and the runs that belong to it, oldest first."""
        return [self.as_it_stands(each) for each in self.store.runs.family(run)]

    def all_runs(self) -> list[Run]:
        """Return all runs of the org, newest first."""
        return [self.as_it_stands(run) for run in self.store.runs.of_orgs([self.org])]
