"""The live page of a run: the first rendering, and its updates by server-sent events."""

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from aiohttp import web

from batchlock.store.page import QueueState
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
    state: QueueState
    reason: str
    """Why it is not running, in a sentence; empty when there is nothing to say."""
    runs_before: int
    blocked_by: str
    """What holds up the queue, in a sentence; empty when nothing does."""
    stop_reason: str
    """Who requested its end, in a sentence; empty when nobody did."""
    chart: Chart | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningPage(Page):
    """The page of an active run."""

    template: ClassVar[str] = "running.html"
    run_id: str
    file_name: str
    user: str
    is_at_terminal: bool
    live: LiveRun


class LiveViews:
    """The handlers of the live page."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._watchers = RunWatchers(self._render)

    async def running_page(self, run_id: str, path: Path, state: QueueState) -> RunningPage:
        """Return the page of an active run."""
        folder = self._context.queue.worker_folder(run_id)
        view = await asyncio.to_thread(read_view, path, folder)
        queued = self._context.queued(run_id)
        return RunningPage(
            run_id=run_id,
            file_name=self._context.file_name(run_id, path),
            user=queued.user if queued else "the command line",
            is_at_terminal=self._context.queue.is_at_terminal(run_id),
            live=self._live_run(run_id, view, state),
        )

    async def now(self, request: web.Request) -> web.Response:
        """Answer with the present view, for browsers that events do not reach."""
        run_id, path = self._context.run_in(request)
        folder = self._context.queue.worker_folder(run_id)
        try:
            async with (
                self._watchers.watch(run_id, path, folder) as next_after,
                asyncio.timeout(_POLL_TIMEOUT_SECONDS),
            ):
                rendered = await next_after("")
        except TimeoutError:
            raise web.HTTPServiceUnavailable(text="There is no word of this run yet.") from None
        return web.Response(text=rendered, content_type="application/json")

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Send the view whenever it changes, until the viewer leaves or is signed out."""
        run_id, path = self._context.run_in(request)
        # nginx buffers answers unless this header forbids it, and would keep the events back.
        response = web.StreamResponse(headers={"X-Accel-Buffering": "no"})
        response.content_type = "text/event-stream"
        await response.prepare(request)
        folder = self._context.queue.worker_folder(run_id)
        last, checked_monotonic = "", time.monotonic()
        async with self._watchers.watch(run_id, path, folder) as next_after:
            while True:
                if time.monotonic() - checked_monotonic >= _KEEP_ALIVE_SECONDS:
                    if not self._is_signed_in(request):
                        return response
                    checked_monotonic = time.monotonic()
                try:
                    async with asyncio.timeout(_KEEP_ALIVE_SECONDS):
                        last = await next_after(last)
                except TimeoutError:
                    await response.write(b":\n\n")  # a comment: the connection stays open
                else:
                    await response.write(f"data: {last}\n\n".encode())

    def _is_signed_in(self, request: web.Request) -> bool:
        key = session_key(request[security.COOKIE])
        idle_seconds = self._context.settings.web.session
        return self._context.store.sessions.name(key, max_idle_seconds=idle_seconds) is not None

    def _live_run(self, run_id: str, view: RunView, state: QueueState) -> LiveRun:
        queue, queued = self._context.queue, self._context.queued(run_id)
        is_waiting = state is QueueState.WAITING
        request = None
        if state is QueueState.WORKING:
            request = queue.worker_folder(run_id).stop_request()
        return LiveRun(
            view=view,
            state=state,
            reason=queued.reason if queued else "",
            runs_before=queue.runs_before(run_id) if is_waiting else 0,
            blocked_by=queue.blocked_by() if is_waiting else "",
            stop_reason=request.reason if request else "",
            chart=chart(view.throughput),
        )

    def _render(self, run_id: str, view: RunView) -> str:
        """Return the JSON that the script expects: state, title, and HTML of each part."""
        live = self._live_run(run_id, view, self._context.state_of(run_id))
        templates = self._context.templates
        return json.dumps(
            {
                "state": live.state,
                "title": f"{100 * view.done // max(1, view.rows)} %",
                "parts": {
                    part: templates.render_part(f"live/{part}.html", live) for part in _PARTS
                },
            }
        )
