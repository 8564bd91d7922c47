"""The page that asks which locks to find, and the start of the run that finds them."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import ClassVar

from aiohttp import web

from batchlock.core.errors import UsageError
from batchlock.core.paths import make_private_folder
from batchlock.core.records import FIND_KIND, FindRequest, LockFilter
from batchlock.core.runs import Run
from batchlock.web import security
from batchlock.web.context import AppContext
from batchlock.web.templating import Page
from batchlock.web.translation import gettext as _

SOURCES = ("manual", "automatic", "both")
_LATEST = 10
# The end of a day is one step before the next one.
_STEP = timedelta(microseconds=1)
# The longest name of a person or a view in Zoho is much shorter.
_MAX_TEXT = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class LocksPage(Page):
    """The page that asks which locks to find."""

    template: ClassVar[str] = "locks.html"
    modules: Sequence[str]
    latest_runs: Sequence[Run]
    sources: Sequence[str] = SOURCES


class LockViews:
    """The handlers of the page Locks."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._starting = asyncio.Lock()

    async def show(self, request: web.Request) -> web.Response:
        """Show the form, and the latest runs that found locks."""
        runs = await asyncio.to_thread(self._context.all_runs)
        searches = [run for run in runs if run.info.kind == FIND_KIND]
        page = LocksPage(modules=self._context.modules, latest_runs=searches[:_LATEST])
        return self._context.templates.render_page(request, page)

    async def start(self, request: web.Request) -> web.Response:
        """Queue a run that finds locks; an unfinished one of the same request goes on."""
        form = await security.form_of(request)
        modules = form.getall("module", []) if hasattr(form, "getall") else []
        search = _request_in(form, [str(each) for each in modules], self._context.modules)
        user = request[security.NAME]

        async def start() -> str:
            async with self._starting:  # two clicks at once get the same run
                folder = await asyncio.to_thread(self._output_folder)
                output = None if folder is None else folder / f"locks-{secrets.token_hex(4)}.xlsx"
                options = replace(self._context.options, output=output)
                run = await self._context.engine(options, to_send=True).start_locks(search)
                self._context.queue.add(run, user, file_name=run.file_name)
            return run.run_id

        # Shielded, because a run that exists but is not queued would never start.
        run_id = await asyncio.shield(start())
        modules = ", ".join(search.modules)
        self._context.log(request, "searched for locks in", modules, run=run_id)
        raise web.HTTPSeeOther(f"{self._context.home}/runs/{run_id}")

    def _output_folder(self) -> Path | None:
        """Return the folder of the workbooks; None for that of the settings."""
        if self._context.settings.results.directory is not None:
            return None
        folder = self._context.store.state / "web" / "locks"
        make_private_folder(folder)
        return folder


def _request_in(
    form: Mapping[str, object], modules: Sequence[str], known: Sequence[str]
) -> FindRequest:
    """Return what a submitted form asks for. Raises UsageError for what cannot be meant."""
    chosen = tuple(module for module in known if module in modules)
    if not chosen:
        raise UsageError(_("Choose at least one module."))
    since, until = _day(form, "since"), _day(form, "until", at_end=True)
    if since is not None and until is not None and since > until:
        raise UsageError(_("The first day is later than the last one, so no lock can pass."))
    return FindRequest(
        modules=chosen,
        view=_text(form, "view") or None,
        lock_filter=LockFilter(
            locked_by=_text(form, "locked_by"),
            since=since,
            until=until,
            reason_contains=_text(form, "reason"),
            sources=tuple(one for one in SOURCES if f"source_{one}" in form),
        ),
    )


def _text(form: Mapping[str, object], name: str) -> str:
    return str(form.get(name, ""))[:_MAX_TEXT].strip()


def _day(form: Mapping[str, object], name: str, *, at_end: bool = False) -> datetime | None:
    """Return the beginning or the end of a day, in the time zone of this machine."""
    text = _text(form, name)
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        start = datetime.combine(day, time.min)
        return (start + timedelta(days=1) - _STEP if at_end else start).astimezone()
    except (ValueError, OverflowError):
        raise UsageError(
            _('"%(text)s" is no day. Write it as 2026-03-01.', text=text[:30])
        ) from None
