"""Uploads on their way: onto the disk, and into a plan."""

import asyncio
import logging
import secrets
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from aiohttp import BodyPartReader, MultipartReader, web

from batchlock.core.errors import BatchlockError
from batchlock.store.journal import Journal
from batchlock.store.page import File, ReadState
from batchlock.web import security
from batchlock.web.context import AppContext
from batchlock.web.uploads.files import safe_name, short, write

_MOST_FILES = 20
_SOON = 1.5
"""Seconds that an upload waits for its check."""
_AT_ONCE = 2
"""Files that are read together."""

_log = logging.getLogger(__name__)


class Uploads:
    """Takes uploads in and has each checked."""

    def __init__(self, site: AppContext) -> None:
        self._site = site
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._reading: dict[str, asyncio.Task[None]] = {}

    # -- upload --------------------------------------------------------------------------

    @security.checks_itself
    async def upload(self, request: web.Request) -> web.Response:
        """Take in files, have each checked, and lead to the check of the first."""
        if not request.content_type.startswith("multipart/form-data"):
            raise web.HTTPUnsupportedMediaType(text="This takes files only.")
        meant = security.csrf_fits(request, request.headers.get("X-CSRF-Token"))
        taken: list[str] = []
        refused: list[str] = []
        try:
            parts = await request.multipart()
            while (part := await parts.next()) is not None:
                if isinstance(part, MultipartReader):
                    raise web.HTTPBadRequest
                if part.name == "csrf":
                    meant = meant or security.csrf_fits(request, await short(part))
                    continue
                if not meant:
                    raise security.refuse_change()
                if part.name != "file" or not part.filename:
                    continue
                name = safe_name(part.filename)
                if len(taken) == _MOST_FILES:
                    refused.append(f"{name} was not taken: at most {_MOST_FILES} files at once.")
                    continue
                try:
                    taken.append(await self._take(request, part, name))
                except BatchlockError as refusal:
                    refused.append(str(refusal))
        except (ValueError, LookupError):
            raise web.HTTPBadRequest from None
        if refused:
            who = request[security.NAME]
            self._site.log(who, "was refused", " ".join(refused))
            kept = f"The other files ({len(taken)}) were taken." if taken else ""
            raise web.HTTPRequestEntityTooLarge(0, 0, text=" ".join([*refused, kept]).strip())
        if not taken:
            raise web.HTTPBadRequest(text="Choose a file first.")
        await self.wait(*taken)
        to = f"/files/{taken[0]}" if len(taken) == 1 else "/"
        if "application/json" in request.headers.get("Accept", ""):
            return web.json_response({"to": to})
        raise web.HTTPSeeOther(to)

    async def _take(self, request: web.Request, part: BodyPartReader, name: str) -> str:
        """Write a file to the disk, piece by piece, and begin to read it."""
        file_id = secrets.token_hex(8)
        folder = self._site.store.place(file_id) / "upload"  # apart from what we make beside it
        await asyncio.to_thread(partial(folder.mkdir, mode=0o700, parents=True))
        try:
            await write(part, folder / name, most=self._site.settings.web.max_upload)
        except BaseException:
            shutil.rmtree(folder.parent, ignore_errors=True)
            raise
        who = request[security.NAME]
        self._site.store.add_file(file_id, self._site.history.org, name, who)
        self._site.log(who, "uploaded", name)
        self.begin(file_id, {}, None)
        return file_id

    # -- reading -------------------------------------------------------------------------

    def go_on(self) -> None:
        """Read what was being read when the last server ended."""
        for file in self._site.store.unread(self._site.history.org):
            self.begin(file.id, file.chosen, file.sheet)

    async def wait(self, *file_ids: str) -> None:
        """Wait a moment for what is read of these, so that most people never see the waiting."""
        reading = [self._reading[one] for one in file_ids if one in self._reading]
        if reading:
            await asyncio.wait(reading, timeout=_SOON)

    async def stop(self, file_id: str) -> None:
        """Stop reading an upload."""
        if (task := self._reading.get(file_id)) is not None:
            task.cancel()
            await asyncio.wait([task])

    async def end(self) -> None:
        """Stop reading; it is begun anew by the next server."""
        for task in self._reading.values():
            task.cancel()
        await asyncio.gather(*self._reading.values(), return_exceptions=True)

    def begin(
        self,
        file_id: str,
        chosen: Mapping[str, str],
        sheet: str | None,
        *,
        by_hand: bool = False,
    ) -> None:
        """Begin to read an upload, with a sheet and columns that were chosen; not twice at once."""
        if file_id in self._reading:
            return
        self._site.store.set_file(
            file_id, ReadState.READING, chosen=dict(chosen), sheet=sheet, refusal="", remembered=0
        )
        task = asyncio.create_task(self._read(file_id, dict(chosen), sheet, by_hand=by_hand))
        self._reading[file_id] = task
        task.add_done_callback(lambda _: self._reading.pop(file_id, None))

    async def _read(
        self, file_id: str, chosen: dict[str, str], sheet: str | None, *, by_hand: bool
    ) -> None:
        """Read a file, with the columns that were chosen last for such titles unless `by_hand`."""
        file = self._site.store.file(self._site.history.org, file_id)
        assert file is not None
        try:
            async with self._slots:
                await self._plan(file, chosen, sheet)
            if chosen:
                with Journal.open(self.plan_of(file)) as journal:
                    self._site.store.remember_columns(journal.info.titles, chosen)
            self._site.store.set_file(file_id, ReadState.CHECKED, chosen=chosen, sheet=sheet)
        except BatchlockError as refusal:
            known = self._site.store.columns(refusal.columns) if refusal.columns else {}
            if known and not by_hand:
                self._site.store.set_file(file_id, ReadState.READING, remembered=1)
                await self._read(file_id, known, sheet, by_hand=True)
                return
            self._site.store.set_file(
                file_id,
                ReadState.REFUSED,
                refusal=str(refusal),
                columns=refusal.columns,
                sheets=refusal.sheets,
                chosen=chosen,
            )
        except Exception:
            _log.exception("reading %s", file.name)
            said = f"{file.name} cannot be read; the details are in the log of batchlock."
            self._site.store.set_file(file_id, ReadState.REFUSED, refusal=said)

    async def _plan(self, file: File, chosen: Mapping[str, str], sheet: str | None) -> None:
        plan = self.plan_of(file)
        plan.unlink(missing_ok=True)
        runner = self._site.runner(sheet=sheet, columns=chosen)
        await runner.plan(self._site.store.place(file.id) / "upload" / file.name, plan)

    def plan_of(self, file: File) -> Path:
        """Return where the plan of an upload is, once it is checked."""
        return self._site.store.place(file.id) / "plan.journal"
