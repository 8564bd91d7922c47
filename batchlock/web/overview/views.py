"""The handlers of the overview: the page, and its parts for the script."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlencode

from aiohttp import web

from batchlock.store.overview import OrgRuns, OrgState, ScheduleState
from batchlock.store.workers import StoredWorker
from batchlock.web.conditional import conditional_response
from batchlock.web.overview.lines import OrgLine, filtered, org_line
from batchlock.web.overview.reader import OverviewReader
from batchlock.web.runs.table import search_words
from batchlock.web.site import Site
from batchlock.web.templating import Page, home_of

# The parts of the page that the script replaces: templates live/overview_<part>.html.
_PARTS = ("orgs", "workers", "schedules")


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage(Page):
    """The page of all orgs that a person may see."""

    template: ClassVar[str] = "overview.html"
    lines: Sequence[OrgLine]
    """Those that the filter leaves, those that need attention first."""
    org_count: int
    problem_count: int
    """How many orgs need attention, whatever the filter is."""
    workers: Sequence[StoredWorker]
    schedules: Sequence[ScheduleState]
    words: str
    only_problems: bool
    has_server: bool
    """Whether workers send the runs."""

    @property
    def query(self) -> str:
        """The filter as it stands in an address."""
        show = "problems" if self.only_problems else "all"
        return urlencode({"words": self.words, "show": show})


@dataclass(frozen=True, slots=True)
class NoOrgPage(Page):
    """The page for a person who may see no org."""

    template: ClassVar[str] = "no_org.html"


class OverviewPages:
    """The handlers of the overview."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._reader = OverviewReader(site.store)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Show how all orgs stand, or lead to the only org that the person may see."""
        orgs = self._site.visible_orgs(request)
        if len(orgs) == 1:
            raise web.HTTPSeeOther(home_of(orgs[0]))
        page = await self._page(request, orgs) if orgs else NoOrgPage()
        return self._site.templates.render_page(request, page)

    async def now(self, request: web.Request) -> web.StreamResponse:
        """Answer with the parts of the page; with 304 when the script has them already."""
        page = await self._page(request, self._site.visible_orgs(request))
        parts = {
            part: self._site.templates.render_part(f"live/overview_{part}.html", page)
            for part in _PARTS
        }
        body = json.dumps({"parts": parts}).encode()
        return conditional_response(request, body, "application/json")

    async def _page(self, request: web.Request, orgs: Sequence[str]) -> OverviewPage:
        reading = await self._reader.read(self._site.served_orgs.names())
        labels = [self._site.served_orgs.label(org) for org in orgs]
        lines = [
            org_line(
                label,
                reading.orgs.get(label.name, OrgState()),
                reading.runs.get(label.name, OrgRuns()),
                reading.rates,
            )
            for label in labels
        ]
        words, only_problems = search_words(request.query), request.query.get("show") == "problems"
        visible_lines = filtered(lines, words, only_problems=only_problems)
        names = {line.label.name for line in visible_lines}
        return OverviewPage(
            lines=sorted(visible_lines, key=lambda line: not line.problem),  # a stable sort
            org_count=len(orgs),
            problem_count=sum(bool(line.problem) for line in lines),
            workers=reading.workers,
            schedules=[one for one in reading.schedules if one.org in names],
            words=words,
            only_problems=only_problems,
            has_server=self._site.store.database_url is not None,
        )
