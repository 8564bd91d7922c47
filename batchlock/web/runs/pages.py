"""A run as it goes, what became of it, all runs, and the log."""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import web

from batchlock.core.cell_text import display_text
from batchlock.core.errors import BatchlockError
from batchlock.core.results import Result
from batchlock.report.summaries import stop_reason_of, summary_of
from batchlock.store.journal import Journal, RowFilter
from batchlock.store.page import ACTIVE, QueuedRun, State
from batchlock.web import security
from batchlock.web.auth.passwords import key_of
from batchlock.web.context import AppContext
from batchlock.web.runs.chart import chart
from batchlock.web.runs.list import ListedRun, shown_name
from batchlock.web.runs.live import SPANS, RunView, Watches, look
from batchlock.web.runs.table import COLUMNS, PAGE, page_number
from batchlock.web.templating import WORKBOOK, saved_as

_ALIVE = 15.0
"""Seconds after which a watcher hears that the connection stands, although nothing has changed."""
_REPORTS = 2
"""Results that are written together."""
_LOG_PAGE = 100
_PIECE = 1 << 20
_KINDS = {
    "xlsx": WORKBOOK,
    "csv": "text/csv; charset=utf-8",
}


class Runs:
    """The pages of runs."""

    def __init__(self, site: AppContext) -> None:
        self._site = site
        self._watches = Watches(self._draw)
        self._reports = asyncio.Semaphore(_REPORTS)
        self._making = asyncio.Lock()

    # -- home ----------------------------------------------------------------------------

    async def home(self, request: web.Request) -> web.Response:
        """Show where to begin: the upload, what is under way, what came last."""
        past = await self._past()
        files = self._site.store.files(self._site.history.org, most=100)
        return self._site.look.page(
            request,
            "home.html",
            active=[one for one in past if one.stands in ACTIVE],
            files=files,
            latest=[one for one in past if one.stands not in ACTIVE][:5],
            most=self._site.settings.web.max_upload,
        )

    # -- one run -------------------------------------------------------------------------

    async def show(self, request: web.Request) -> web.Response:
        """Show a run: as it goes, or what became of it."""
        run_id, path = self._run(request)
        asked = self._site.store.run(self._site.history.org, run_id)
        state = self._state(run_id)
        if state in ACTIVE:
            view = await asyncio.to_thread(look, path, self._site.queue.desk(run_id))
            told = self._told(run_id, view, state)
            return self._site.look.page(
                request,
                "running.html",
                who=asked.who if asked else "the command line",
                file_name=self._name(run_id, path),
                run_id=run_id,
                elsewhere=self._site.queue.elsewhere(run_id),
                **told,
            )
        told = await asyncio.to_thread(self._results, run_id, path, asked, request.query)
        return self._site.look.page(request, "results.html", run_id=run_id, asked=asked, **told)

    def _results(
        self, run_id: str, path: Path, asked: QueuedRun | None, query: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return what the page of results shows."""
        with Journal.open(path) as journal:
            about, end = journal.info, journal.end
            summary = summary_of(journal, about, stop_reason_of(journal), run_id)
            if asked is not None and asked.why and summary.resume:
                summary = replace(summary, ended_by=asked.why)
            shows = query.get("show", "all")
            results = frozenset(Result(one) for one in shows.split(",") if one in set(Result))
            wanted = RowFilter(results=results, text=query.get("words", "")[:200])
            found = journal.count_rows(wanted)
            number = page_number(query, found)
            lines = journal.page(wanted, offset=(number - 1) * PAGE, limit=PAGE)
            pace = journal.throughput(SPANS)
            to_retry = journal.to_retry()
        return {
            "summary": summary,
            "about": about,
            "file_name": asked.name if asked else shown_name(about.file),
            "end": end,
            "titles": about.titles[:COLUMNS],
            "more": max(0, len(about.titles) - COLUMNS),
            "lines": [(row, [display_text(one) for one in row.cells[:COLUMNS]]) for row in lines],
            "shows": ",".join(results) or "all",
            "words": wanted.text,
            "found": found,
            "number": number,
            "pages": max(1, -(-found // PAGE)),
            "chart": chart(pace),
            "to_retry": to_retry,
            "invalid": summary.counts[Result.INVALID],
        }

    def _told(self, run_id: str, view: RunView, state: State) -> dict[str, Any]:
        """Return what is told of a run that goes on, the same for everybody."""
        asked = self._site.store.run(self._site.history.org, run_id)
        wish = self._site.queue.desk(run_id).wished if state is State.WORKING else None
        return {
            "view": view,
            "state": state.value,
            "why": asked.why if asked else "",
            "ahead": self._site.queue.ahead(run_id) if state is State.WAITING else 0,
            "blocked": self._site.queue.blocked() if state is State.WAITING else "",
            "ending": wish.why if wish else "",
            "chart": chart(view.pace),
        }

    def _state(self, run_id: str) -> State:
        """Return how a run stands, whoever has started it."""
        if self._site.queue.is_at_work(run_id):
            return State.WORKING
        asked = self._site.store.run(self._site.history.org, run_id)
        return asked.state if asked is not None else State.ENDED

    def _name(self, run_id: str, path: Path) -> str:
        """Return the name of a run's file."""
        asked = self._site.store.run(self._site.history.org, run_id)
        if asked is not None:
            return asked.name
        with Journal.open(path) as journal:
            return shown_name(journal.info.file)

    def _draw(self, run_id: str, view: RunView) -> str:
        """Return a view of a run as the script takes it: parts of the page, by their ids."""
        told = self._told(run_id, view, self._state(run_id))
        part = self._site.look.part
        return json.dumps(
            {
                "state": told["state"],
                "title": f"{100 * view.done // max(1, view.rows)} %",
                "parts": {
                    name: part(f"live/{name}.html", **told)
                    for name in ("status", "bar", "figures", "causes", "chart")
                },
            }
        )

    async def now(self, request: web.Request) -> web.Response:
        """Answer with how a run goes now, for those whom events do not reach."""
        run_id, path = self._run(request)
        desk = self._site.queue.desk(run_id)
        try:
            async with self._watches.watching(run_id, path, desk) as following, asyncio.timeout(30):
                drawn = await following("")
        except TimeoutError:
            raise web.HTTPServiceUnavailable(text="There is no word of this run yet.") from None
        return web.Response(text=drawn, content_type="application/json")

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Send how a run goes whenever that changes, until the watcher leaves."""
        run_id, path = self._run(request)
        response = web.StreamResponse(headers={"X-Accel-Buffering": "no"})
        response.content_type = "text/event-stream"
        await response.prepare(request)
        desk, last, seen = self._site.queue.desk(run_id), "", time.monotonic()
        async with self._watches.watching(run_id, path, desk) as following:
            while time.monotonic() - seen < _ALIVE or self._is_signed_in(request):
                if time.monotonic() - seen >= _ALIVE:
                    seen = time.monotonic()
                try:
                    async with asyncio.timeout(_ALIVE):
                        last = await following(last)
                except TimeoutError:
                    await response.write(b":\n\n")
                else:
                    await response.write(f"data: {last}\n\n".encode())
        return response

    def _is_signed_in(self, request: web.Request) -> bool:
        key = key_of(request[security.COOKIE])
        return self._site.store.session(key, longest=self._site.settings.web.session) is not None

    # -- changes -------------------------------------------------------------------------

    async def pause(self, request: web.Request) -> web.Response:
        """Pause a run, until somebody says that it goes on."""
        run_id, _ = self._run(request)
        self._site.queue.pause(run_id, request[security.NAME])
        raise self._changed(request, "paused", run_id)

    async def stop(self, request: web.Request) -> web.Response:
        """Stop a run."""
        run_id, _ = self._run(request)
        self._site.queue.stop(run_id, request[security.NAME])
        raise self._changed(request, "stopped", run_id)

    async def go_on(self, request: web.Request) -> web.Response:
        """Go on with a run that was paused, or that ended before its last row."""
        run_id, path = self._run(request)
        with Journal.open(path) as journal:
            end = journal.end
        if end is not None and end.closed:
            raise web.HTTPConflict(text="Nothing is left of this run to go on with.")
        self._site.queue.add(run_id, self._name(run_id, path), request[security.NAME])
        raise self._changed(request, "went on with", run_id)

    async def retry(self, request: web.Request) -> web.Response:
        """Put a new run in line, of the rows that were not updated."""
        run_id, path = self._run(request)
        refused = (await security.form_of(request)).get("only") != "failed"
        if self._state(run_id) in ACTIVE:
            raise web.HTTPConflict(text="This run has not ended yet. Stop it first.")
        runner = self._site.runner()
        who, name = request[security.NAME], self._name(run_id, path)

        async def make() -> str:
            async with self._making:  # so that two who ask at once get the same run
                new = await asyncio.to_thread(runner.start_retry, run_id, refused=refused)
                if new is None:
                    raise BatchlockError("Every row of this run is as its file asks.")
                self._site.queue.add(new, name, who)
                return new

        new = await asyncio.shield(make())  # whoever has asked may be gone
        raise self._changed(request, f"ran again the rest of {run_id}, as", new)

    def _changed(self, request: web.Request, what: str, run_id: str) -> web.HTTPSeeOther:
        self._site.log(request[security.NAME], what, f"run {run_id}")
        return web.HTTPSeeOther(f"/runs/{run_id}")

    # -- downloads -----------------------------------------------------------------------

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Answer with the results of a run as far as it has come, fresh from its journal."""
        run_id, path = self._run(request)
        kind = request.match_info["kind"]
        name = f"{Path(self._name(run_id, path)).stem}-results-{run_id}.{kind}"
        with tempfile.TemporaryDirectory(prefix="batchlock-") as folder:
            results = Path(folder) / f"results.{kind}"
            async with self._reports:
                await self._report(run_id, results)
            self._site.log(request[security.NAME], "downloaded", name)
            response = web.StreamResponse(headers={"Content-Disposition": saved_as(name)})
            response.headers["Content-Type"] = _KINDS[kind]
            response.content_length = results.stat().st_size
            await response.prepare(request)
            with results.open("rb") as file:
                while piece := await asyncio.to_thread(file.read, _PIECE):
                    await response.write(piece)
            return response

    async def _report(self, run_id: str, results: Path) -> None:
        """Write the results in a process of their own, which takes its memory with it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "batchlock", "report", run_id, "--output", str(results),
            "--quiet", *self._site.options,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            _, said = await process.communicate()
        except BaseException:
            process.kill()
            await process.wait()
            raise
        if not await asyncio.to_thread(results.exists):
            raise BatchlockError(said.decode(errors="replace").strip() or "They are not there.")

    # -- all runs ------------------------------------------------------------------------

    async def history(self, request: web.Request) -> web.Response:
        """Show all runs of this org, those of the command line too."""
        words = request.query.get("words", "")[:200]
        past = await self._past()
        found = [one for one in past if _fits(one, words)]
        number = page_number(request.query, len(found))
        return self._site.look.page(
            request,
            "history.html",
            runs=found[(number - 1) * PAGE : number * PAGE],
            words=words,
            found=len(found),
            number=number,
            pages=max(1, -(-len(found) // PAGE)),
            keep=self._site.settings.web.keep,
        )

    async def log(self, request: web.Request) -> web.Response:
        """Show who did what."""
        count = self._site.store.log_lines(self._site.history.org)
        number = page_number(request.query, count, _LOG_PAGE)
        entries = self._site.store.log(
            self._site.history.org, offset=(number - 1) * _LOG_PAGE, limit=_LOG_PAGE
        )
        pages = max(1, -(-count // _LOG_PAGE))
        return self._site.look.page(
            request, "log.html", entries=entries, number=number, pages=pages, found=count, words=""
        )

    async def _past(self) -> list[ListedRun]:
        """Return all runs, newest first."""
        asked, holder = self._site.store.all_runs(self._site.history.org), self._site.queue.holder()
        return await asyncio.to_thread(
            self._site.pasts.all, asked, holder.run_id if holder else None
        )

    # -- below ---------------------------------------------------------------------------

    def _run(self, request: web.Request) -> tuple[str, Path]:
        """Return the run that is asked for: one that is there, never a path from outside."""
        run_id = request.match_info["run"]
        if run_id not in self._site.history.ids():
            raise web.HTTPNotFound
        return run_id, self._site.history.path(run_id)


def _fits(past: ListedRun, words: str) -> bool:
    """Tell whether all the words are somewhere in what is shown of a run."""
    who = past.asked.who if past.asked else "command line"
    told = f"{past.name} {past.about.run_id} {who} {past.about.started_at:%Y-%m-%d} {past.stands}"
    return all(word in told.casefold() for word in words.casefold().split())
