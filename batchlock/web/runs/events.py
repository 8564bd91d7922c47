"""The live page of a run: the first rendering, and the views that its script asks for."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from aiohttp import web

from batchlock.core.records import FIND_KIND
from batchlock.core.runs import Run, RunState
from batchlock.web.approvals.rule import ApprovalView, FourEyes
from batchlock.web.conditional import conditional_response
from batchlock.web.context import AppContext
from batchlock.web.runs.chart import Chart, chart
from batchlock.web.runs.live import RunView, RunWatchers, read_view
from batchlock.web.templating import Page
from batchlock.web.translation import gettext as _

# Shorter than the time-outs of proxies (nginx: 60 s), so that the script gets our answer.
_FIRST_VIEW_SECONDS = 30
# The parts of the page that the script replaces: templates live/<part>.html, ids live-<part>.
_PARTS = ("status", "bar", "figures", "causes", "chart")

# Before, the pace of a run is that of its sign-in and of a growing window.
_MIN_MEASURED_ROWS = 20


def expected_end(runs: Sequence[Run]) -> datetime | None:
    """Return when all of some runs will have ended, at the pace of the first one.

    None when there is no run, and when the first has sent too little to have a pace.
    """
    first = runs[0] if runs else None
    if first is None or first.heartbeat_at is None:
        return None
    done = first.figures.rows - first.figures.remaining
    # The totals have the sessions that have ended; this one began when the run was requested, or
    # later, so that the expected end is late rather than early.
    began_at = first.queued_at or first.info.started_at
    this_session = (first.heartbeat_at - began_at).total_seconds()
    seconds = first.figures.totals.seconds + this_session
    if done < _MIN_MEASURED_ROWS or seconds <= 0:
        return None
    remaining = sum(run.figures.remaining for run in runs)
    return first.heartbeat_at + timedelta(seconds=remaining * seconds / done)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRun:
    """An active run, as every viewer sees it."""

    view: RunView
    runs_before: Sequence[Run]
    """The runs that come first, the one that is being sent first."""
    waits_for_other_orgs: bool
    problem: str
    """Why the runs of the org can neither be started nor recorded; empty when they can be."""
    chart: Chart | None

    @property
    def end_of_runs_before(self) -> datetime | None:
        """When the runs that come first will probably have ended; None while nothing tells that."""
        return expected_end(self.runs_before)

    @property
    def state(self) -> RunState:
        """The state of the run."""
        return self.view.run.state

    @property
    def reason(self) -> str:
        """Why it is not running, in a sentence; empty when there is nothing to say."""
        reason = self.view.run.reason
        return "" if reason is None else reason.sentence

    @property
    def stop_reason(self) -> str:
        """Who requested its end, in a sentence; empty when nobody did."""
        request = self.view.run.stop_requested
        return "" if request is None else request.sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningPage(Page):
    """The page of an active run."""

    template: ClassVar[str] = "running.html"
    run: Run
    live: LiveRun
    approval: ApprovalView | None
    """How the request about the run stands; None where a start needs no approval."""
    is_approved: bool
    """Whether it may be resumed as it is: two people have started it, or that is not required."""


class LiveViews:
    """The handlers of the live page."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._watchers = RunWatchers(context, self._render)

    async def running_page(self, run: Run, person: str) -> RunningPage:
        """Return the page of an active run for a person."""
        view = await asyncio.to_thread(read_view, self._context, run.run_id)
        four_eyes = FourEyes(self._context)
        is_search = run.info.kind == FIND_KIND
        return RunningPage(
            run=view.run,
            live=self._live_run(view),
            approval=None if is_search else four_eyes.view_of_run(run, person),
            is_approved=is_search or not four_eyes.is_on or four_eyes.is_approved(run),
        )

    async def now(self, request: web.Request) -> web.Response:
        """Answer with the present view; with 304 when the script has it.

        The header Age says how many seconds old the view is: the store may not answer.
        """
        run = self._context.run_in(request)
        try:
            async with asyncio.timeout(_FIRST_VIEW_SECONDS):
                rendering = await self._watchers.rendering(run.run_id)
        except TimeoutError:
            raise web.HTTPServiceUnavailable(text=_("There is no word of this run yet.")) from None
        return conditional_response(
            request,
            rendering.text.encode(),
            "application/json",
            {"Age": f"{rendering.age_seconds:.0f}"},
        )

    def _live_run(self, view: RunView) -> LiveRun:
        is_queued = view.run.state is RunState.QUEUED
        return LiveRun(
            view=view,
            runs_before=self._context.queue.runs_before(view.run.run_id) if is_queued else (),
            waits_for_other_orgs=self._context.queue.waits_for_other_orgs,
            problem=self._context.queue.problem,
            chart=chart(view.throughput),
        )

    def _render(self, view: RunView) -> str:
        """Return the JSON that the script expects: state, title, and HTML of each part."""
        live = self._live_run(view)
        templates, org = self._context.templates, self._context.label
        return json.dumps(
            {
                "state": live.state,
                "title": f"{100 * view.done // max(1, view.rows)} %",
                "parts": {
                    part: templates.render_part(f"live/{part}.html", live, org) for part in _PARTS
                },
            }
        )
