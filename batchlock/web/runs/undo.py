"""The page that says what an undo of a run would do, before it is started."""

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from batchlock.core.records import FIND_KIND
from batchlock.core.rows import Action
from batchlock.core.runs import ACTIVE, MIXED, Run
from batchlock.store.journal import UndoForecast, undo_forecast
from batchlock.web import security
from batchlock.web.approvals.rule import ApprovalView, FourEyes
from batchlock.web.context import AppContext
from batchlock.web.templating import Page
from batchlock.web.translation import gettext as _
from batchlock.web.translation import ngettext


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoPage(Page):
    """The page of an undo that is not started yet."""

    template: ClassVar[str] = "undo.html"
    run: Run
    forecast: UndoForecast
    approval: ApprovalView | None
    """As on the page of the run."""

    @property
    def action(self) -> str:
        """What the undo does: one of the values of Action, or MIXED."""
        counts = {
            Action.UPDATE: self.forecast.reasons,
            Action.LOCK: self.forecast.locks,
            Action.UNLOCK: self.forecast.unlocks,
        }
        actions = [action for action, count in counts.items() if count]
        return actions[0].value if len(actions) == 1 else MIXED

    @property
    def sentence(self) -> str:
        """What the undo does, in words."""
        return undo_in_words(self.forecast)


class UndoPages:
    """The handler that shows an undo before it is started."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    async def show(self, request: web.Request) -> web.Response:
        """Show what an undo of a run would do; raises HTTPConflict for an active run."""
        run = self._context.run_in(request)
        if run.state in ACTIVE:
            raise web.HTTPConflict(text=_("This run has not ended yet. Stop it first."))
        forecast = await asyncio.to_thread(self._forecast, run)
        view = FourEyes(self._context).view_of_run(run, request[security.NAME])
        page = UndoPage(run=run, forecast=forecast, approval=view)
        return self._context.templates.render_page(request, page)

    def _forecast(self, run: Run) -> UndoForecast:
        with self._context.store.open_journal(run) as journal:
            return undo_forecast(journal)


def can_be_undone(run: Run, forecast: UndoForecast) -> bool:
    """Return whether a run has changed anything that can be put back."""
    return run.info.kind != FIND_KIND and forecast.rows > 0


def undo_in_words(forecast: UndoForecast) -> str:
    """Return what an undo does: `Put back 1,200 reasons, lock 3 again, unlock 5`."""
    parts = []
    if forecast.reasons:
        parts.append(
            ngettext("put back %(num)s reason", "put back %(num)s reasons", forecast.reasons)
        )
    if forecast.locks:
        parts.append(ngettext("lock %(num)s again", "lock %(num)s again", forecast.locks))
    if forecast.unlocks:
        parts.append(ngettext("unlock %(num)s", "unlock %(num)s", forecast.unlocks))
    text = ", ".join(parts)
    return text[:1].upper() + text[1:]
