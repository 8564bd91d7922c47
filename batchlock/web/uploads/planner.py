"""The check of uploads: each is planned in the background, as `batchlock check` does it."""

import asyncio
import logging
from dataclasses import replace

from batchlock.core.errors import BatchlockError
from batchlock.store.journal import Journal
from batchlock.store.journals import remove_drafts
from batchlock.store.uploads import ReadChoices, Upload, UploadState
from batchlock.web.context import AppContext

_log = logging.getLogger(__name__)

# A small file is checked within this time, and then most people never see the waiting page.
_WAIT_SECONDS = 1.5


class UploadPlanner:
    """Plans uploads, a few at a time, and records the result of each in the store."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._uploads = context.store.uploads
        self._files = context.store.upload_files
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def upload_count(self) -> int:
        """How many uploads are being planned here, or wait for that."""
        return len(self._tasks)

    def start(
        self, upload_id: str, choices: ReadChoices, *, by_hand: bool = False, person: str = ""
    ) -> bool:
        """Start to plan an upload with what a person chose, unless that is under way.

        `person` is who chose it; the choice is remembered for that person, who cannot approve the
        upload any more, and a request for approval that waits is withdrawn. Unless `by_hand`, the
        encoding is tried too that the person who uploaded it chose for such titles before. Columns
        are never: they are proposed where the file is refused. Returns whether a request was
        withdrawn.
        """
        if upload_id in self._tasks:
            return False
        is_withdrawn = bool(person) and self._record_change(upload_id, person)
        self._uploads.set_reading(upload_id, choices, remembered=False)
        self._start_task(upload_id, by_hand=by_hand, person=person)
        return is_withdrawn

    async def replan(self, upload: Upload, person: str) -> bool:
        """Plan an upload again as it was read, because a person has corrected cells of it.

        The store says already that it is being read. Returns as `start` does.
        """
        if (task := self._tasks.get(upload.id)) is not None:  # it has recorded its plan
            await asyncio.wait([task])
        is_withdrawn = self._record_change(upload.id, person)
        self._start_task(upload.id, by_hand=not upload.are_remembered, person=None)
        return is_withdrawn

    def _record_change(self, upload_id: str, person: str) -> bool:
        approvals = self._context.store.approvals
        return approvals.record_change(self._context.org, upload_id, person)

    def resume(self) -> None:
        """Start again what was being planned by a server that has ended."""
        for upload in self._uploads.unread(self._context.org):
            if upload.id not in self._tasks:
                self._start_task(upload.id, by_hand=False)

    def _start_task(self, upload_id: str, *, by_hand: bool, person: str | None = "") -> None:
        """Start a plan; `person` is who made its choices.

        Empty: who uploaded the file; None: the choices are remembered already.
        """
        task = asyncio.create_task(self._check(upload_id, by_hand=by_hand, person=person))
        self._tasks[upload_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(upload_id, None))

    async def wait(self, *upload_ids: str) -> None:
        """Wait a short time for the plans of these uploads."""
        tasks = [self._tasks[upload_id] for upload_id in upload_ids if upload_id in self._tasks]
        if tasks:
            await asyncio.wait(tasks, timeout=_WAIT_SECONDS)

    async def cancel(self, upload_id: str) -> None:
        """Stop planning an upload."""
        if (task := self._tasks.get(upload_id)) is not None:
            task.cancel()
            await asyncio.wait([task])

    async def cancel_all(self) -> None:
        """Stop planning; the next server starts these plans again."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _check(self, upload_id: str, *, by_hand: bool, person: str | None) -> None:
        """Plan an upload and record the result, unless another server does that."""
        claim = self._files.claim(upload_id)
        async with self._context.limits.planning:
            is_claimed = await asyncio.to_thread(claim.__enter__)
            try:
                upload = self._uploads.get(self._context.org, upload_id)
                # Another server may have planned it while it waited here.
                if is_claimed and upload is not None and upload.state is UploadState.READING:
                    await self._plan_and_record(
                        upload,
                        upload.choices,
                        by_hand=by_hand,
                        person=upload.user if person == "" else person,
                    )
            finally:
                await asyncio.shield(asyncio.to_thread(claim.__exit__, None, None, None))

    async def _plan_and_record(
        self, upload: Upload, choices: ReadChoices, *, by_hand: bool, person: str | None
    ) -> None:
        try:
            await self._plan(upload, choices, by_hand=by_hand, person=person)
            self._uploads.set_checked(upload.id)
        except BatchlockError as error:
            remembered = self._remembered(error, choices, person or upload.user)
            if remembered is not None and not by_hand:
                self._uploads.set_reading(upload.id, remembered, remembered=True)
                await self._plan_and_record(upload, remembered, by_hand=False, person=person)
                return
            self._uploads.set_refused(
                upload.id,
                error.page_message,
                columns=error.columns,
                samples=error.samples,
                sheets=error.sheets,
                readings=error.readings,
            )
        except Exception:
            _log.exception("reading %s", upload.name)
            message = f"{upload.name} cannot be read; the details are in the log of batchlock."
            self._uploads.set_refused(upload.id, message)

    def _remembered(
        self, error: BatchlockError, choices: ReadChoices, person: str
    ) -> ReadChoices | None:
        """Return the encoding that a person chose for a file with the same titles, if it is new."""
        if not error.columns or not error.readings or choices.encoding is not None:
            return None
        encoding = self._context.store.choices.encoding(error.columns, person)
        return None if encoding is None else replace(choices, encoding=encoding)

    async def _plan(
        self, upload: Upload, choices: ReadChoices, *, by_hand: bool, person: str | None
    ) -> None:
        file = await asyncio.to_thread(self._files.file, upload.id, upload.name)
        path = self._files.new_plan(upload.id)
        remove_drafts(path.parent)  # of a server that was killed while it planned this upload
        options = replace(
            self._context.options,
            sheet=choices.sheet,
            columns=choices.columns,
            constants=choices.constants,
            visible_only=choices.visible_only,
            header_row=choices.header_row,
            corrections=self._context.store.corrections.of_upload(upload.id),
            encoding=choices.encoding if by_hand else None,
            earlier_encoding=None if by_hand else choices.encoding,
        )
        await self._context.engine(options).plan(file, path)
        await asyncio.to_thread(self._files.add_plan, upload.id, path)
        if person is not None and (choices.columns or choices.encoding):
            with Journal.open(path) as journal:
                titles = journal.info.titles
            if choices.columns:
                self._context.store.choices.save_columns(titles, choices.columns, person)
            if choices.encoding:
                ascii_titles = [title for title in titles if title.isascii()]
                self._context.store.choices.save_encoding(ascii_titles, choices.encoding, person)
