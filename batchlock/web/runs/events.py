"""The live page of a run: the first rendering, and its updates by server-sent events."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from batchlock.core.runs import Run, RunState
from batchlock.web import security
from batchlock.web.auth.tokens import session_key
from batchlock.web.context import AppContext
from batchlock.web.runs.chart import Chart, chart
from batchlock.web.runs.live import RunView, RunWatchers, read_view
from batchlock.web.templating import Page

# Proxies cut connections that are silent for longer (nginx after 60 s); at the same interval it is
# checked whether the viewer is still signed in.
_KEEP_ALIVE_SECONDS = 15.0
# Shorter than the time-outs of proxies (nginx: 60 s), so that the script reads our sentence.
_POLL_TIMEOUT_SECONDS = 30
# The parts of the page that the script replaces: templates live/<part>.html, ids live-<part>.
_PARTS = ("status", "bar", "figures", "causes", "chart")


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRun:
    """An active run, as every viewer sees it."""

    view: RunView
    runs_before: int
    waits_for_other_orgs: bool
    chart: Chart | None

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


class LiveViews:
    """The handlers of the live page."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._watchers = RunWatchers(context, self._render)

    async def running_page(self, run: Run) -> RunningPage:
        """Return the page of an active run."""
        view = await asyncio.to_thread(read_view, self._context, run.run_id)
        return RunningPage(run=view.run, live=self._live_run(view))

    async def now(self, request: web.Request) -> web.Response:
        """Answer with the present view, for browsers that events do not reach."""
        run = self._context.run_in(request)
        try:
            async with (
                self._watchers.watch(run.run_id) as next_after,
                asyncio.timeout(_POLL_TIMEOUT_SECONDS),
            ):
                rendered = await next_after("")
        except TimeoutError:
            raise web.HTTPServiceUnavailable(text="There is no word of this run yet.") from None
        return web.Response(text=rendered, content_type="application/json")

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Send the view whenever it changes, until the viewer leaves or is signed out."""
        run = self._context.run_in(request)
        # nginx buffers answers unless this header forbids it, and would keep the events back.
        response = web.StreamResponse(headers={"X-Accel-Buffering": "no"})
        response.content_type = "text/event-stream"
        await response.prepare(request)
        last, checked_monotonic = "", time.monotonic()
        async with self._watchers.watch(run.run_id) as next_after:
            while True:
                if time.monotonic() - checked_monotonic >= _KEEP_ALIVE_SECONDS:
                    if not self._may_see(request):
                        return response
                    checked_monotonic = time.monotonic()
                try:
                    async with asyncio.timeout(_KEEP_ALIVE_SECONDS):
                        last = await next_after(last)
                except TimeoutError:
                    await response.write(b":\n\n")  # a comment: the connection stays open
                else:
                    await response.write(f"data: {last}\n\n".encode())

    def _may_see(self, request: web.Request) -> bool:
        """Return whether the viewer is still signed in, and may still see the org."""
        store, key = self._context.store, session_key(request[security.COOKIE])
        idle_seconds = self._context.settings.web.session
        name = store.sessions.name(key, max_idle_seconds=idle_seconds)
        return name is not None and store.grants.access(name).may_see(self._context.org)

    def _live_run(self, view: RunView) -> LiveRun:
        is_queued = view.run.state is RunState.QUEUED
        return LiveRun(
            view=view,
            runs_before=self._context.queue.runs_before(view.run.run_id) if is_queued else 0,
            waits_for_other_orgs=self._context.queue.waits_for_other_orgs,
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
