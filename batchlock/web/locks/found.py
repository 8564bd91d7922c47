"""The locks that a run has found: a table, and the files that change or unlock them."""

import asyncio
import csv
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar

from aiohttp import web

from batchlock.core.errors import UsageError
from batchlock.core.paths import make_private_folder
from batchlock.core.records import FIND_KIND, LOCK_TITLES, FoundLock, locks_in_words
from batchlock.core.results import Summary
from batchlock.core.rows import LONGEST_REASON, Action, Field
from batchlock.core.runs import ACTIVE, Run
from batchlock.report.locks import reported_locks, summary_of_locks
from batchlock.report.summaries import stop_reason_of, summary_of
from batchlock.store.journal import Journal
from batchlock.store.uploads import ReadChoices
from batchlock.web import security
from batchlock.web.context import AppContext
from batchlock.web.runs.table import PageOfTable, search_words
from batchlock.web.templating import Page, grouped
from batchlock.web.translation import gettext as _
from batchlock.web.uploads.planner import UploadPlanner

_REASON = LOCK_TITLES.index("Reason")
_TITLE_BEFORE = "Reason before"
# The columns that only the downloads have: with them the table would be wider than a laptop shows.
_DOWNLOADED_TITLES = ("Locked by id", "Rule id")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPage(Page):
    """The page of a run that has found locks."""

    template: ClassVar[str] = "found.html"
    run: Run
    summary: Summary
    sentence: str
    locks: Sequence[FoundLock]
    table: PageOfTable
    changeable: int
    """Locks that match the filter of the table and are not held by a rule alone."""
    titles: Sequence[str] = LOCK_TITLES
    downloaded_titles: Sequence[str] = _DOWNLOADED_TITLES
    longest_reason: int = LONGEST_REASON


def found_page(context: AppContext, run: Run, query: Mapping[str, str]) -> FoundPage:
    """Return the page of a run that has found locks, with the part of the table of a query."""
    words = search_words(query)
    with context.store.open_journal(run) as journal, journal.snapshot():
        reason = stop_reason_of(run, remaining=journal.remaining())
        summary = summary_of_locks(journal, summary_of(journal, run.info, reason, run.run_id))
        total = changeable = 0
        for lock in _matching(journal, words):
            total += 1
            changeable += not lock.is_automatic
        table = PageOfTable.requested(query, total)
        end = table.offset + table.size
        locks = list(islice(_matching(journal, words), table.offset, end))
    return FoundPage(
        run=run,
        summary=summary,
        sentence=locks_in_words(summary.module_locks or ()),
        locks=locks,
        table=table,
        changeable=changeable,
    )


class FoundLocks:
    """The handler that makes an upload of the locks that a run has found."""

    def __init__(self, context: AppContext, planner: UploadPlanner) -> None:
        self._context = context
        self._planner = planner

    async def use(self, request: web.Request) -> web.Response:
        """Make an upload of the locks that match the filter, and lead to its check.

        Nothing is sent: the check asks for the start, and an unlock for the number of records.
        """
        run = self._context.run_in(request)
        if run.info.kind != FIND_KIND or run.state in ACTIVE:
            raise web.HTTPConflict(text=_("The locks of this run cannot be used, or not yet."))
        form = await security.form_of(request)
        # A browser sends each line break of a text field as CR LF.
        reason = str(form.get("reason", "")).replace("\r\n", "\n").strip()
        is_unlock = form.get("action") == Action.UNLOCK
        if not is_unlock and not reason:
            raise UsageError(_("Type the new reason, or download the locks and edit them."))
        if len(reason) > LONGEST_REASON:
            raise UsageError(
                _("A reason has at most %(count)s characters.", count=grouped(LONGEST_REASON))
            )
        words = search_words({"words": str(form.get("words", ""))})
        upload_id = secrets.token_hex(8)
        name = f"{'unlock' if is_unlock else 'change'}-locks-{run.run_id[-4:]}.csv"
        files = self._context.store.upload_files
        folder = files.folder(upload_id)
        await asyncio.to_thread(make_private_folder, folder)
        new_reason = None if is_unlock else reason
        try:
            path = folder / name
            count = await asyncio.to_thread(self._write, run, path, words, new_reason)
        except BaseException:
            shutil.rmtree(folder.parent, ignore_errors=True)
            raise
        if not count:
            shutil.rmtree(folder.parent, ignore_errors=True)
            raise UsageError(_("No lock that matches can be changed by hand."))
        await asyncio.to_thread(files.add, upload_id, path)
        user = request[security.NAME]
        self._context.store.uploads.add(upload_id, self._context.org, name, user)
        self._context.log(request, f"took {count:,} locks of", run=run.run_id)
        constants = {Field.ACTION.value: Action.UNLOCK.value} if is_unlock else {}
        self._planner.start(upload_id, ReadChoices(constants=constants))
        await self._planner.wait(upload_id)
        raise web.HTTPSeeOther(f"{self._context.home}/files/{upload_id}")

    def _write(self, run: Run, path: Path, words: str, reason: str | None) -> int:
        """Write the locks that people can change, with a new reason if any; return how many."""
        count = 0
        with (
            self._context.store.open_journal(run) as journal,
            path.open("x", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file)
            writer.writerow([*LOCK_TITLES, *([] if reason is None else [_TITLE_BEFORE])])
            for lock in _matching(journal, words):
                if lock.is_automatic:
                    continue
                cells = [cell or "" for cell in lock]
                if reason is not None:
                    cells = [*cells, cells[_REASON]]
                    cells[_REASON] = reason
                writer.writerow(cells)
                count += 1
        return count


def _matching(journal: Journal, words: str) -> Iterator[FoundLock]:
    """Yield the reported locks in which every one of the words occurs."""
    search_words = words.casefold().split()
    for lock in reported_locks(journal):
        if search_words:
            text = "\n".join(cell or "" for cell in lock).casefold()
            if not all(word in text for word in search_words):
                continue
        yield lock
