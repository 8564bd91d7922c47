"""Search for the locked records of modules, page by page, in the best way that Zoho accepts.

    query ─ refused ─▶ stock view of locked records ─ refused ─▶ list of all records

Each page is committed with the place where it ends. So a killed search continues there, and a page
that comes twice adds no record twice.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from batchlock.core.errors import Stopped
from batchlock.core.observer import RunObserver
from batchlock.core.records import WAY_NAMES, FindPlan, RecordPage, Search, View, Way
from batchlock.core.reply import Reply, Verdict, sentences
from batchlock.send.calls import Calls, CallState
from batchlock.store.journal import Journal

# What Zoho charges, in credits: a query by its LIMIT, a list of a view more than one of records.
_PRICES = {Way.COQL: 3, Way.VIEW: 3, Way.RECORDS: 1}
# Refusals that are about the sign-in, or about the field Locked__s, and not about one module.
_FOR_ALL_MODULES = frozenset({"OAUTH_SCOPE_MISMATCH", "INVALID_QUERY", "SYNTAX_ERROR"})


class RecordApi(Protocol):
    """The calls of a search."""

    async def query(self, module: str, cursor: str | None) -> Reply:
        """Find the next locked records by a query."""

    async def views(self, module: str) -> Reply:
        """List the custom views of a module."""

    async def records(self, module: str, view_id: str | None, cursor: str | None) -> Reply:
        """Find the next locked records in a list."""


async def search_modules(
    journal: Journal, api: RecordApi, calls: Calls, observer: RunObserver
) -> None:
    """Search all modules whose search is not complete; return early when the run is cancelled.

    Raises Stopped when Zoho gives no usable answer, so that the search can be resumed, and what
    `Calls.call_with_retries` raises.
    """
    plan = await asyncio.to_thread(lambda: journal.find_plan)
    searcher = _Searcher(journal, api, calls, observer, plan)
    for search in plan.searches:
        if not search.is_complete and not await searcher.finish(search):
            return


@dataclass(slots=True)
class _Searcher:
    """The searches of one session, one module after the other."""

    journal: Journal
    api: RecordApi
    calls: Calls
    observer: RunObserver
    plan: FindPlan
    unusable: dict[Way, str] = field(default_factory=dict)
    """Why a way cannot be used for any module."""

    async def finish(self, search: Search) -> bool:
        """Search one module to its end; return False when the run ends first."""
        refusals = [f"{WAY_NAMES[way]}: {why}" for way, why in self.unusable.items()]
        for way in self._ways(search):
            search = search if search.way is way else replace(search, way=way, cursor=None)
            refusal = await self._search_by(way, search)
            if refusal is None:
                return False
            if not refusal:
                return True
            refusals.append(f"{WAY_NAMES[way]}: {refusal}")
            self.observer.on_message(f"{search.module}: Zoho refuses {WAY_NAMES[way]}: {refusal}")
        why = sentences(f"Zoho refused every way to find the locked records of {search.module}")
        refused = replace(search, is_complete=True, refusal=f"{why} {' '.join(refusals)}")
        await self._commit(refused, RecordPage((), None))
        return True

    def _ways(self, search: Search) -> Iterator[Way]:
        """Yield the ways to try, that of an earlier session first."""
        ways = [Way.VIEW] if self.plan.view is not None else [Way.COQL, Way.VIEW, Way.RECORDS]
        start = ways.index(search.way) if search.way in ways else 0
        for way in ways[start:]:
            if way not in self.unusable:
                yield way

    async def _search_by(self, way: Way, search: Search) -> str | None:
        """Search a module in one way; return why Zoho refuses it, empty when it is complete.

        None when the run ends first.
        """
        if way is Way.VIEW and search.view_id is None:
            view = await self._view(search.module)
            if not isinstance(view, View):
                return view
            search = replace(search, view_id=view.view_id)
        has_begun_again = False
        while not search.is_complete:
            reply = await self._page(way, search)
            if reply is None:
                return None
            if reply.page is None:
                # The token of a page lives for a day: after that the list is read again from its
                # beginning, and the records that are known already are left out.
                if search.cursor is not None and not has_begun_again and way is not Way.COQL:
                    has_begun_again = True
                    search = replace(search, cursor=None)
                    continue
                return self._refusal(way, reply)
            search = await self._commit(
                replace(search, cursor=reply.page.cursor, is_complete=reply.page.cursor is None),
                reply.page,
            )
        records = f"{search.records:,} record{'' if search.records == 1 else 's'}"
        self.observer.on_message(f"{search.module}: {records} found by {WAY_NAMES[way]}.")
        return ""

    async def _page(self, way: Way, search: Search) -> Reply | None:
        module, cursor = search.module, search.cursor
        if way is Way.COQL:
            call = lambda: self.api.query(module, cursor)  # noqa: E731  one of two
        else:
            view_id = search.view_id if way is Way.VIEW else None
            call = lambda: self.api.records(module, view_id, cursor)  # noqa: E731  one of two
        reply = await self.calls.call_with_retries(CallState(), call, price=_PRICES[way])
        return self._usable(module, reply)

    async def _view(self, module: str) -> View | str | None:
        """Return the view to search, why there is none, or None when the run ends first."""
        reply = self._usable(
            module,
            await self.calls.call_with_retries(CallState(), lambda: self.api.views(module)),
        )
        if reply is None:
            return None
        if reply.verdict is not Verdict.ACCEPTED:
            return self._refusal(Way.VIEW, reply)
        if (name := self.plan.view) is None:
            stock = [view for view in reply.views if view.is_of_locked_records]
            return stock[0] if stock else "the module has no such view."
        named = [view for view in reply.views if view.name.casefold() == name.casefold()]
        if named:
            return named[0]
        names = ", ".join(f'"{view.name}"' for view in reply.views)
        return f'the module has no view "{name}". Its views are: {names}.'

    def _usable(self, module: str, reply: Reply | None) -> Reply | None:
        if reply is not None and reply.verdict in (Verdict.LOST, Verdict.BROKEN):
            why = reply.message.rstrip(".")
            raise Stopped(
                f"Stopped: the records of {module} could not be listed: {why}. Resume when Zoho "
                "works again."
            )
        return reply

    def _refusal(self, way: Way, reply: Reply) -> str:
        code = f" ({reply.code})" if reply.code else ""
        refusal = f"{reply.message.rstrip('.')}{code}."
        if reply.code in _FOR_ALL_MODULES:
            self.unusable[way] = refusal
        return refusal

    async def _commit(self, search: Search, page: RecordPage) -> Search:
        limiter = self.calls.limiter
        costs = self.calls.costs.drain(now=limiter.clock.monotonic(), peak=limiter.peak)
        # In a thread, as every commit, so that heartbeats and signals are not held up.
        return await asyncio.to_thread(
            self.journal.commit_page, search, page.record_ids, costs=costs
        )
