"""What the check shows of an upload, and what is made of it."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiohttp import web

from batchlock.core.cell_text import display_text
from batchlock.core.errors import BatchlockError
from batchlock.core.results import COMPLETED, Result, ResultRow
from batchlock.core.rows import MODULES, Field, Problem
from batchlock.report.summaries import causes_of, summary_of
from batchlock.report.template import write_template
from batchlock.report.workbook import write_workbook
from batchlock.store.journal import Journal, RowFilter
from batchlock.store.page import File, ReadState
from batchlock.web import security
from batchlock.web.context import AppContext
from batchlock.web.runs.list import ListedRun
from batchlock.web.runs.table import COLUMNS, PAGE, page_number
from batchlock.web.templating import attached
from batchlock.web.uploads.intake import Uploads

_CHOICES = 200
"""Columns that one can be chosen from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What sending a file would take."""

    calls: int
    seconds: float
    measured: bool
    """Whether an earlier run of this org has shown the pace."""


class Files:
    """The pages of uploads."""

    def __init__(self, site: AppContext, intake: Uploads) -> None:
        self._site = site
        self._intake = intake
        self._making = asyncio.Lock()
        self._writing = asyncio.Lock()

    # -- check ---------------------------------------------------------------------------

    async def show(self, request: web.Request) -> web.Response:
        """Show what the check has found, or that it is not done, or why there is none."""
        file = self._file(request)
        if file.state is ReadState.READING:
            return self._site.look.page(request, "reading.html", file=file)
        if file.state is ReadState.REFUSED:
            return self._site.look.page(
                request,
                "refused.html",
                file=replace(file, columns=file.columns[:_CHOICES]),
                guesses=_guesses(file),
                fields=_FIELDS,
            )
        told = await asyncio.to_thread(self._look_at, file, request.query)
        return self._site.look.page(request, "check.html", file=file, **told)

    def _look_at(self, file: File, query: Mapping[str, str]) -> dict[str, Any]:
        """Return what the page of a check shows."""
        with Journal.open(self._intake.plan_of(file)) as journal:
            about, counts = journal.info, journal.counts()
            invalid, ready = counts[Result.INVALID], counts[Result.NOT_SENT]
            shows = query.get("show", "problems" if invalid else "all")
            wanted = RowFilter(
                results=_SHOWN.get(shows, frozenset()), text=query.get("words", "")[:200]
            )
            found = journal.count_rows(wanted)
            number = page_number(query, found)
            lines = journal.page(wanted, offset=(number - 1) * PAGE, limit=PAGE)
            problems = list(journal.problems([row.row for row in lines]))
            lookups = journal.to_look_up()
            causes = causes_of(journal)
        past = self._site.pasts.bare()
        same = [one for one in past if one.about.identity == about.identity]
        before = next((one.end for one in same if one.end and one.end.closed), None)
        left = self._site.history.unfinished(about.identity) if same else None
        return {
            "counts": counts,
            "rows": sum(counts.values()),
            "ready": ready,
            "lookups": lookups,
            "forecast": self._forecast(ready + lookups, past),
            "about": about,
            "causes": [cause for cause in causes if cause.result is Result.INVALID],
            "titles": about.titles[:COLUMNS],
            "choices": about.titles[:_CHOICES],
            "more": max(0, len(about.titles) - COLUMNS),
            "lines": [_row(row, about.titles, problems) for row in lines],
            "strict": self._site.settings.input.strict,
            "shows": shows,
            "words": wanted.text,
            "found": found,
            "number": number,
            "pages": max(1, -(-found // PAGE)),
            "finished_before": before.finished_at if before else None,
            "unfinished": left.stem if left else None,
            "fields": _FIELDS,
        }

    def _forecast(self, calls: int, past: Sequence[ListedRun]) -> Forecast:
        """Say how long so many calls take: at the pace of the last run, else of a usual org."""
        for totals in (one.totals for one in past):
            if totals.requests >= _ENOUGH and totals.seconds > 0:
                took = calls * totals.seconds / totals.requests
                return Forecast(calls=calls, seconds=took, measured=True)
        limits = self._site.settings.limits
        in_flight = limits.max_in_flight if limits.in_flight == "auto" else limits.in_flight
        pace = min(in_flight / _USUAL, limits.per_second or in_flight / _USUAL)
        return Forecast(calls=calls, seconds=calls / pace, measured=False)

    async def read_again(self, request: web.Request) -> web.Response:
        """Read a file with the sheet and the columns that were chosen by hand."""
        file = self._file(request)
        form = await security.form_of(request)
        chosen = {
            field.value: title
            for field in Field
            if isinstance(title := form.get(field.value, ""), str) and title
        }
        sheet = form.get("sheet") or None
        if file.state is not ReadState.READING:
            self._intake.begin(file.id, chosen, str(sheet) if sheet else None, by_hand=True)
            told = ", ".join(f"{title} as {field}" for field, title in chosen.items())
            about = f"{file.name}: {sheet or ''} {told}".strip()
            self._site.log(request[security.NAME], "read again", about)
            await self._intake.wait(file.id)
        raise web.HTTPSeeOther(f"/files/{file.id}")

    async def start(self, request: web.Request) -> web.Response:
        """Make a run of a checked file and put it in line; an unfinished one goes on."""
        file, who = self._file(request), request[security.NAME]
        if file.state is not ReadState.CHECKED:
            raise web.HTTPConflict(text=f"{file.name} has not been checked yet.")
        seen = (await security.form_of(request)).get("finished", "")

        async def make() -> str:
            async with self._making:  # so that two who start it at once get the same run
                run_id = await asyncio.to_thread(self._start, file, seen)
                self._site.queue.add(run_id, file.name, who, file=file.id)
            self._site.log(who, "started", f"{file.name}, run {run_id}")
            return run_id

        run_id = await asyncio.shield(make())  # whoever has asked may be gone
        raise web.HTTPSeeOther(f"/runs/{run_id}")

    def _start(self, file: File, seen: object) -> str:
        """Make the run of a file, unless there is one to go on with, and return its id.

        `seen` says when it was finished last, as the page knew that asks for it.
        """
        plan = self._intake.plan_of(file)
        with Journal.open(plan) as journal:
            identity, invalid = journal.info.identity, journal.counts()[Result.INVALID]
        if self._site.settings.input.strict and invalid:
            raise BatchlockError(
                "Nothing was sent: some rows have problems, and input.strict says that then none "
                "is. Correct them first."
            )
        if (left := self._site.history.unfinished(identity)) is not None:
            return left.stem
        before = self._site.history.finished(identity)
        if before is not None and before.finished_at.isoformat() != seen:
            raise BatchlockError(
                f"This file was finished meanwhile, at {before.finished_at:%H:%M} UTC. See its "
                "results first; to send every row again, open its check anew and start there."
            )
        return self._site.runner().start(plan)

    async def remove(self, request: web.Request) -> web.Response:
        """Remove an upload of which nothing was sent."""
        file = self._file(request)
        async with self._making:  # no run of it is being made meanwhile
            await self._remove(file)
        self._site.log(request[security.NAME], "removed", file.name)
        raise web.HTTPSeeOther("/")

    async def _remove(self, file: File) -> None:
        if self._site.store.has_run(file.id):
            raise web.HTTPConflict(text=f"{file.name} belongs to a run, so it stays.")
        await self._intake.stop(file.id)
        self._site.store.remove_file(file.id)
        await asyncio.to_thread(shutil.rmtree, self._site.store.place(file.id), ignore_errors=True)

    async def problems(self, request: web.Request) -> web.StreamResponse:
        """Answer with a workbook of the rows that have problems, to be corrected and given back."""
        file = self._file(request)
        if file.state is not ReadState.CHECKED:
            raise web.HTTPNotFound

        def make() -> bytes:
            with (
                Journal.open(self._intake.plan_of(file)) as journal,
                tempfile.TemporaryDirectory(prefix="batchlock-") as folder,
            ):
                about = journal.info
                summary = summary_of(journal, about, COMPLETED, "")
                rows = summary.counts[Result.INVALID]
                counts = dict.fromkeys(Result, 0) | {Result.INVALID: rows}
                causes = tuple(one for one in summary.causes if one.result is Result.INVALID)
                few = replace(summary, rows=rows, settled=0, counts=counts, causes=causes,
                              resume=None)  # fmt: skip
                bad = (row for row in journal.result_rows() if row.result is Result.INVALID)
                path = Path(folder) / "problems.xlsx"
                write_workbook(path, about.titles, bad, few)
                return path.read_bytes()

        async with self._writing:
            content = await asyncio.to_thread(make)
        self._site.log(request[security.NAME], "downloaded problems", file.name)
        return attached(content, f"{Path(file.name).stem}-problems.xlsx")

    async def template(self, request: web.Request) -> web.StreamResponse:
        """Answer with a blank input workbook."""

        def make() -> bytes:
            with tempfile.TemporaryDirectory(prefix="batchlock-") as folder:
                path = Path(folder) / "template.xlsx"
                write_template(path, (*MODULES, *self._site.settings.input.custom_modules))
                return path.read_bytes()

        self._site.log(request[security.NAME], "downloaded", "the template")
        return attached(await asyncio.to_thread(make), "locks.xlsx")

    def _file(self, request: web.Request) -> File:
        file = self._site.store.file(self._site.history.org, request.match_info["id"])
        if file is None:
            raise web.HTTPNotFound
        return file


_ENOUGH = 50
"""Calls that show a pace."""
_USUAL = 0.3
"""Seconds that a call usually takes."""
_FIELDS: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("module", "Module", lambda title: "modul" in title),
    ("record_id", "Record id", lambda title: "id" in title and "lock" not in title),
    ("lock_id", "Lock id", lambda title: "lock" in title and "reason" not in title),
    ("reason", "Reason", lambda title: "reason" in title or "note" in title),
)
_SHOWN = {
    "problems": frozenset({Result.INVALID}),
    "ready": frozenset({Result.NOT_SENT}),
    "duplicates": frozenset({Result.DUPLICATE}),
    "done": frozenset({Result.UNCHANGED}),
}


def _guesses(file: File) -> dict[str, str]:
    """Return for each field the column that a person most probably means."""
    guessed: dict[str, str] = {}
    for field, _, fits in _FIELDS:
        free = (title for title in file.columns if title not in guessed.values())
        guessed[field] = file.chosen.get(field) or next(
            (title for title in free if fits(title.casefold())), ""
        )
    return guessed


def _row(row: ResultRow, titles: tuple[str, ...], problems: list[Problem]) -> dict[str, Any]:
    """Return a row of the table, each problem on its cell or, where it has none, on the row."""
    own = [one for one in problems if one.row == row.row]
    shows = titles[:COLUMNS]
    return {
        "line": row,
        "cells": [
            (title, display_text(value), [one.message for one in own if one.column == title])
            for title, value in zip(shows, row.cells, strict=False)
        ],
        "others": [one for one in own if one.column not in shows],
    }
