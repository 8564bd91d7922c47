"""The handlers of the audit log: of one org, or of all orgs that a person may see."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar
from urllib.parse import urlencode

from aiohttp import web

from batchlock.store.audit_log import LogEntry, LogFilter
from batchlock.store.grants import Right
from batchlock.web import security
from batchlock.web.log.csv_lines import csv_lines
from batchlock.web.runs.table import PageOfTable
from batchlock.web.site import Site
from batchlock.web.templating import Page, attachment, home_of
from batchlock.web.translation import gettext as _

_PAGE_ROWS = 100
# In one query of a download, so that no browser with a slow line keeps a transaction open.
_CHUNK_ROWS = 2_000
_FIELDS = ("words", "person", "org", "from", "until")
_MAX_FIELD = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage(Page):
    """The audit log."""

    template: ClassVar[str] = "log.html"
    entries: Sequence[LogEntry]
    table: PageOfTable
    fields: Mapping[str, str]
    """What is searched for, by the names of the form."""
    orgs: Sequence[str]
    """The orgs to choose from; empty on the page of one org."""
    keep_seconds: float | None
    """How long entries are kept; None for ever."""

    @property
    def query(self) -> str:
        """The search as it stands in an address."""
        return urlencode({name: text for name, text in self.fields.items() if text})


class LogPages:
    """The handlers of the audit log."""

    def __init__(self, site: Site, *, main_org: str, keep_seconds: float | None) -> None:
        """Record in `main_org` what belongs to no org, such as a download of all."""
        self._site = site
        self._log = site.store.audit_log
        self._main_org = main_org
        self._keep_seconds = keep_seconds

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Show who did what."""
        orgs = self._orgs(request)
        log_filter = _filter(orgs, request.query)
        total = await asyncio.to_thread(self._log.count, log_filter)
        table = PageOfTable.requested(request.query, total, size=_PAGE_ROWS)
        entries = await asyncio.to_thread(
            self._log.entries, log_filter, limit=table.size, offset=table.offset
        )
        page = LogPage(
            entries=entries,
            table=table,
            fields=_fields(request.query),
            orgs=() if "org" in request.match_info else orgs,
            keep_seconds=self._keep_seconds,
        )
        return self._site.templates.render_page(request, page)

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Answer with the entries that the search finds, as CSV."""
        log_filter = _filter(self._orgs(request), request.query)
        org = request.match_info.get("org", self._main_org)
        person, address = request[security.NAME], request[security.ADDRESS]
        self._log.add(org, person, "downloaded the log", _in_words(request.query), address=address)
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/csv; charset=utf-8",
                "Content-Disposition": attachment(f"batchlock-log-{datetime.now(UTC):%Y%m%d}.csv"),
            }
        )
        await response.prepare(request)
        last: LogEntry | None = None
        while True:
            entries = await asyncio.to_thread(
                self._log.entries, log_filter, limit=_CHUNK_ROWS, older_than=last
            )
            await response.write(csv_lines(entries, has_titles=last is None))
            if len(entries) < _CHUNK_ROWS:
                break
            last = entries[-1]
        await response.write_eof()
        return response

    def _orgs(self, request: web.Request) -> Sequence[str]:
        """Return the org of the request, or all that the person may see.

        Without an org in the address, it leads a person of one org there.
        """
        if (org := request.match_info.get("org")) is not None:
            self._site.enter(request, org, Right.SEE)
            return (org,)
        orgs = self._site.visible_orgs(request)
        if not orgs:
            raise web.HTTPNotFound
        if len(orgs) == 1:
            raise web.HTTPSeeOther(home_of(orgs[0]) + request.path_qs)
        return orgs


def _fields(query: Mapping[str, str]) -> dict[str, str]:
    # Printable only: PostgreSQL takes no text with a character NUL.
    return {
        name: "".join(filter(str.isprintable, query.get(name, ""))).strip()[:_MAX_FIELD]
        for name in _FIELDS
    }


def _filter(orgs: Sequence[str], query: Mapping[str, str]) -> LogFilter:
    """Return the filter of a search. Raises HTTPBadRequest for a day that is none."""
    fields = _fields(query)
    last_day = _midnight(fields["until"])
    log_filter = LogFilter(
        orgs=orgs,
        words=fields["words"],
        person=fields["person"],
        since=None if (first_day := _midnight(fields["from"])) is None else first_day.timestamp(),
        before=None if last_day is None else (last_day + timedelta(days=1)).timestamp(),
    )
    if fields["org"]:
        log_filter = replace(log_filter, orgs=[org for org in orgs if org == fields["org"]])
    return log_filter


def _midnight(text: str) -> datetime | None:
    """Return the beginning of a day in UTC; None for no day."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        return datetime.combine(day, time.min, UTC) if day.year < date.max.year else None
    except ValueError:
        raise web.HTTPBadRequest(
            text=_('"%(text)s" is not a day. Go back, and write it as 2026-11-27.', text=text)
        ) from None


def _in_words(query: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {text}" for name, text in _fields(query).items() if text)
