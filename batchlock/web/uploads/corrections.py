"""Correct cells on the page: the form, and what it changes. The uploaded file stays as it was."""

import asyncio
import re
from collections.abc import Mapping, Sequence

from aiohttp import web

from batchlock.core.corrections import Correction, change_in_words
from batchlock.core.errors import BatchlockError
from batchlock.core.results import Result
from batchlock.store.corrections import CellChange
from batchlock.store.journal import Journal, RowFilter
from batchlock.store.uploads import Upload, UploadState
from batchlock.web import security
from batchlock.web.approvals.log import log_withdrawal
from batchlock.web.context import AppContext
from batchlock.web.templating import grouped
from batchlock.web.translation import gettext as _
from batchlock.web.uploads.correction_form import (
    MAX_CELL,
    CorrectPage,
    cell_changes,
    filled_in,
    first_that_fit,
    reversal_in,
    row_inputs,
    texts_in,
)
from batchlock.web.uploads.planner import UploadPlanner
from batchlock.web.uploads.views import upload_in

# As many as a person fills in at once; the next rows follow when these are saved.
FORM_ROWS = 25
# Every plan reads them all. Whoever has more bad cells than this corrects the file.
_MAX_CORRECTIONS = 1_000


class CorrectionViews:
    """The handlers of the form."""

    def __init__(self, context: AppContext, planner: UploadPlanner, starting: asyncio.Lock) -> None:
        """Use the lock that is held while a run is made."""
        self._context = context
        self._planner = planner
        self._starting = starting

    async def show(self, request: web.Request) -> web.Response:
        """Show the form of one row, or of the first rows with problems."""
        upload = upload_in(self._context, request)
        if upload.state is not UploadState.CHECKED:
            raise web.HTTPSeeOther(f"{self._context.home}/files/{upload.id}")
        number = request.query.get("row", "")
        rows = [int(number)] if re.fullmatch("[0-9]{1,7}", number) else None
        page = await asyncio.to_thread(self._page, upload, rows)
        if rows is not None and not page.rows:
            raise web.HTTPNotFound
        return self._context.templates.render_page(request, page)

    async def save(self, request: web.Request) -> web.Response:
        """Save what was typed, and read the file again with it."""
        form = await security.form_of(request)
        upload_id = upload_in(self._context, request).id
        await self._planner.wait(upload_id)  # another person may have corrected it just now
        # Shielded, because the handler is cancelled when the browser leaves, and the file must be
        # read again after a change.
        page = await asyncio.shield(self._save(request, form))
        if page is not None:
            return self._context.templates.render_page(request, page, status=409)
        await self._planner.wait(upload_id)
        address = f"{self._context.home}/files/{upload_id}"
        row = str(form.get("row", ""))
        raise web.HTTPSeeOther(f"{address}?row={row}#row-{row}" if row.isdecimal() else address)

    async def _save(self, request: web.Request, form: Mapping[str, object]) -> CorrectPage | None:
        """Change what the form says; return the form again when another person was faster.

        Raises BatchlockError when nothing can be corrected now.
        """
        store, person = self._context.store, request[security.NAME]
        async with self._starting:
            upload = upload_in(self._context, request)
            _require_correctable(upload, store.uploads.open_run(upload.id))
            corrections = store.corrections.of_upload(upload.id)
            texts = texts_in(form)
            changes = []
            if (reversal := reversal_in(form, corrections)) is not None:
                changes.append(reversal)
                texts.pop((reversal.row, reversal.field), None)
            numbers = sorted({row for row, _ in texts})
            page = await asyncio.to_thread(self._page, upload, numbers)
            page = filled_in(page, texts, form)
            changes += cell_changes(page)
            _require_possible(changes, corrections)
            if page.is_outdated:
                return page
            if not changes:
                return None
            result = await asyncio.to_thread(store.corrections.save, upload.id, changes, person)
            if result.is_busy:
                raise _busy(upload)
            if result.outdated:  # another server was faster
                page = await asyncio.to_thread(self._page, upload, numbers)
                return filled_in(page, texts, form)
            for change in changes:
                action = "corrected" if change.new != change.in_file else "took a correction back"
                words = change_in_words(change.row, change.column, change.seen, change.new)
                subject = f"{upload.name}, {words}"
                self._context.log(request, action, subject, upload=upload.id)
            if await self._planner.replan(upload, person):
                log_withdrawal(self._context, request, upload)
        return None

    def _page(self, upload: Upload, numbers: Sequence[int] | None) -> CorrectPage:
        """Return the form of some rows, or of the first rows with problems."""
        store = self._context.store
        with Journal.open(store.upload_files.plan(upload.id)) as journal:
            info, reading = journal.info, journal.reading
            invalid = RowFilter(results=frozenset({Result.INVALID}))
            count = journal.count_rows(invalid)
            if numbers is None:
                rows = journal.page(invalid, offset=0, limit=FORM_ROWS)
            else:
                rows = journal.rows(numbers)
            problems = list(journal.problems([row.row for row in rows]))
        corrections = {(one.row, one.field): one for one in store.corrections.of_upload(upload.id)}
        inputs = [row_inputs(row, info, reading, problems, corrections) for row in rows]
        return CorrectPage(
            upload=upload,
            info=info,
            rows=[*first_that_fit(inputs)] if numbers is None else inputs,
            invalid=count,
            only_row=numbers[0] if numbers is not None and len(numbers) == 1 else None,
            modules=self._context.modules,
            open_run=store.uploads.open_run(upload.id),
        )


def _require_correctable(upload: Upload, open_run: str | None) -> None:
    if upload.state is not UploadState.CHECKED:
        raise _busy(upload)
    if open_run is not None:
        raise BatchlockError(
            _(
                "Run %(run)s of %(file)s has started, so its cells cannot be corrected here. "
                "Nothing was changed. Stop that run or wait for its end; what it has done is left "
                "alone then.",
                run=open_run,
                file=upload.name,
            )
        )


def _require_possible(changes: Sequence[CellChange], corrections: Sequence[Correction]) -> None:
    cells = {(one.row, one.field) for one in corrections}
    cells |= {(one.row, one.field) for one in changes}
    if len(cells) > _MAX_CORRECTIONS:
        raise BatchlockError(
            _(
                "At most %(count)s cells of a file can be corrected here. Nothing was changed. "
                "Correct the file, then upload it again.",
                count=grouped(_MAX_CORRECTIONS),
            )
        )
    for change in changes:
        if len(change.new) > MAX_CELL:
            raise BatchlockError(
                _(
                    "A cell holds at most %(most)s characters, and that of row %(row)s, "
                    "%(column)s, would have %(count)s. Nothing was changed. Go back and shorten "
                    "it.",
                    most=grouped(MAX_CELL),
                    row=change.row,
                    column=change.column,
                    count=grouped(len(change.new)),
                )
            )


def _busy(upload: Upload) -> BatchlockError:
    return BatchlockError(
        _(
            "%(file)s is being read, so nothing was changed. Go back in a moment and save again.",
            file=upload.name,
        )
    )
