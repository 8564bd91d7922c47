"""The handlers of uploads: receive, show, read again, start, remove."""

import asyncio
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from batchlock.core.errors import BatchlockError
from batchlock.core.paths import make_private_folder
from batchlock.core.rows import LONGEST_REASON, Field
from batchlock.store.uploads import ReadChoices, Upload, UploadState
from batchlock.web import security
from batchlock.web.approvals.log import log_withdrawal
from batchlock.web.context import AppContext
from batchlock.web.retention import remove_unreadable
from batchlock.web.templating import Page
from batchlock.web.translation import N_, ngettext
from batchlock.web.translation import gettext as _
from batchlock.web.uploads.check import check_page
from batchlock.web.uploads.columns import (
    ENCODINGS,
    FIELDS,
    ColumnChoice,
    EncodingChoice,
    FieldChoice,
    columns_in,
    constants_in,
    header_row_in,
    preselected_columns,
    refused_choices,
)
from batchlock.web.uploads.files import UploadRefused, read_field, safe_name, write_upload
from batchlock.web.uploads.planner import UploadPlanner
from batchlock.web.uploads.starting import StartRequest, run_to_send

# The first page lists what was uploaded, and each file takes a child process for its check.
_MAX_FILES = 20


@dataclass(frozen=True, slots=True)
class ReadingPage(Page):
    """The page of an upload whose check is under way."""

    template: ClassVar[str] = "reading.html"
    upload: Upload


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedPage(Page):
    """The page of an upload that cannot be read, with what a person can choose."""

    template: ClassVar[str] = "refused.html"
    upload: Upload
    choices: Sequence[ColumnChoice]
    """The columns to choose from."""
    preselected: Mapping[str, str]
    remembered: Mapping[str, str]
    """The titles that were chosen for an earlier file with the same titles, by field; they are
    proposed, and nothing is read by them before a person agrees.
    """
    modules: Sequence[str]
    """The modules that can be chosen for all rows."""
    fields: Sequence[FieldChoice] = FIELDS
    encodings: Sequence[EncodingChoice] = ENCODINGS
    longest_reason: int = LONGEST_REASON

    @property
    def can_choose_action(self) -> bool:
        """Whether one action can be chosen for all rows, because no column says the action."""
        titles = {title.strip().casefold() for title in self.upload.columns}
        return Field.ACTION not in titles


class UploadViews:
    """The handlers of uploads."""

    def __init__(self, context: AppContext, planner: UploadPlanner) -> None:
        self._context = context
        self._planner = planner
        self._files = context.store.upload_files
        self.starting = asyncio.Lock()
        """Held while a run of an upload is made, and while what it would send is changed."""

    @security.checks_csrf_itself
    async def receive(self, request: web.Request) -> web.Response:
        """Receive files, start the check of each, and lead to the check."""
        if not request.content_type.startswith("multipart/form-data"):
            raise web.HTTPUnsupportedMediaType(text=_("This takes files only."))
        upload_ids: list[str] = []
        refusals: list[BatchlockError] = []
        try:
            await self._receive_parts(request, upload_ids, refusals)
        except BadHttpMessage:  # its headers, such as a file name with a character NUL
            raise web.HTTPBadRequest(
                text=_(
                    "A file of this upload has a name that cannot be read. Rename it, then upload "
                    "it again."
                )
            ) from None
        except (ValueError, LookupError):  # aiohttp's errors for a malformed body
            raise web.HTTPBadRequest from None
        if refusals:
            self._context.log(request, "was refused", " ".join(map(str, refusals)))
            sentences = [refusal.page_message for refusal in refusals]
            if upload_ids:
                sentences.append(
                    ngettext(
                        "The other files (%(num)s) were taken.",
                        "The other files (%(num)s) were taken.",
                        len(upload_ids),
                    )
                )
            raise web.HTTPRequestEntityTooLarge(0, 0, text=" ".join(sentences))
        if not upload_ids:
            raise web.HTTPBadRequest(text=_("Choose a file first."))
        await self._planner.wait(*upload_ids)
        home = self._context.home
        location = f"{home}/files/{upload_ids[0]}" if len(upload_ids) == 1 else home
        if "application/json" in request.headers.get("Accept", ""):
            return web.json_response({"to": location})
        raise web.HTTPSeeOther(location)

    async def _receive_parts(
        self, request: web.Request, upload_ids: list[str], refusals: list[BatchlockError]
    ) -> None:
        """Read the parts of the body in their order; the CSRF token must come before any file."""
        has_token = security.csrf_fits(request, request.headers.get("X-CSRF-Token"))
        parts = await request.multipart()
        while (part := await parts.next()) is not None:
            if isinstance(part, MultipartReader):  # nested; no browser sends that
                raise web.HTTPBadRequest
            if part.name == "csrf":
                has_token = has_token or security.csrf_fits(request, await read_field(part))
                continue
            if not has_token:
                raise security.foreign_change()
            if part.name != "file" or not part.filename:
                continue
            name = safe_name(part.filename)
            if len(upload_ids) == _MAX_FILES:
                refusals.append(
                    UploadRefused(
                        N_("%(file)s was not taken: at most %(count)s files at once."),
                        file=name,
                        count=_MAX_FILES,
                    )
                )
                continue
            try:
                upload_ids.append(await self._save(request, part, name))
            except BatchlockError as error:
                refusals.append(error)

    async def _save(self, request: web.Request, part: BodyPartReader, name: str) -> str:
        """Write a file to the disk, start its check, and return the id of the upload."""
        upload_id = secrets.token_hex(8)
        folder = self._files.folder(upload_id)
        await asyncio.to_thread(make_private_folder, folder)
        try:
            max_bytes = self._context.settings.web.max_upload
            await write_upload(part, folder / name, max_bytes=max_bytes)
            await asyncio.to_thread(self._files.add, upload_id, folder / name)
        except BaseException:
            shutil.rmtree(folder.parent, ignore_errors=True)
            raise
        user = request[security.NAME]
        self._context.store.uploads.add(upload_id, self._context.org, name, user)
        self._context.log(request, "uploaded", name, upload=upload_id)
        self._planner.start(upload_id, ReadChoices())
        return upload_id

    async def show(self, request: web.Request) -> web.Response:
        """Show the check of an upload, or that it is under way, or why there is none."""
        upload = upload_in(self._context, request)
        page: Page
        if upload.state is UploadState.READING:
            page = ReadingPage(upload)
        elif upload.state is UploadState.REFUSED:
            person = request[security.NAME]
            choices = self._context.store.choices
            remembered = choices.columns(upload.columns, person) if upload.columns else {}
            page = RefusedPage(
                upload=upload,
                choices=refused_choices(upload),
                preselected=preselected_columns(upload, remembered),
                remembered=remembered,
                modules=self._context.modules,
            )
        else:
            plan = await asyncio.to_thread(self._files.plan, upload.id)
            person = request[security.NAME]
            page = await asyncio.to_thread(
                check_page, self._context, upload, plan, request.query, person
            )
        return self._context.templates.render_page(request, page)

    async def read_again(self, request: web.Request) -> web.Response:
        """Check an upload again, with the sheet, columns and values that a person chose."""
        form = await security.form_of(request)
        columns, sheet = columns_in(form), str(form.get("sheet") or "")
        constants = constants_in(form, self._context.settings.input.custom_modules)
        encoding = str(form.get("encoding") or "")
        header_row = header_row_in(form)
        choices = ReadChoices(
            columns=columns,
            constants=constants,
            sheet=sheet or None,
            encoding=encoding or None,
            visible_only="visible_only" in form,
            header_row=header_row,
        )
        words = [f"{title} as {field}" for field, title in columns.items()]
        words += [
            value if field == Field.ACTION else f"one {field} for all rows"
            for field, value in constants.items()
        ]
        words += ["visible rows only"] if choices.visible_only else []
        words += [f"titles in row {header_row}"] if header_row else []
        description = " ".join([sheet, encoding, ", ".join(words)])
        person = request[security.NAME]
        # Not between the moment at which a start is approved and the moment at which it is made.
        async with self.starting:
            upload = upload_in(self._context, request)
            if upload.state is not UploadState.READING:
                if self._planner.start(upload.id, choices, by_hand=True, person=person):
                    log_withdrawal(self._context, request, upload)
                subject = f"{upload.name}: {description.strip()}"
                self._context.log(request, "read again", subject, upload=upload.id)
        await self._planner.wait(upload.id)
        raise web.HTTPSeeOther(f"{self._context.home}/files/{upload.id}")

    async def start(self, request: web.Request) -> web.Response:
        """Queue the run of a checked upload: a new one, or the unfinished one."""
        form = await security.form_of(request)
        user, address = request[security.NAME], request[security.ADDRESS]
        requested = StartRequest.of(form, user, address)

        async def start() -> str:
            async with self.starting:  # two clicks at once get the same run
                upload = upload_in(self._context, request)
                if upload.state is not UploadState.CHECKED:
                    raise web.HTTPConflict(
                        text=_("%(file)s has not been checked yet.", file=upload.name)
                    )
                plan = await asyncio.to_thread(self._files.plan, upload.id)
                run = await asyncio.to_thread(run_to_send, self._context, upload, plan, requested)
                self._context.queue.add(
                    run, user, file_name=upload.name, upload=upload.id, start=requested.options
                )
            self._context.log(request, "started", upload.name, run=run.run_id, upload=upload.id)
            return run.run_id

        # Shielded, because the handler is cancelled when the browser leaves, and a run that
        # exists but is not queued would never start.
        run_id = await asyncio.shield(start())
        raise web.HTTPSeeOther(f"{self._context.home}/runs/{run_id}")

    async def remove_unreadable(self, request: web.Request) -> web.Response:
        """Remove all uploads of the org that cannot be read."""
        async with self.starting:
            store, org = self._context.store, self._context.org
            count = await asyncio.to_thread(remove_unreadable, store, org, time.time())
        self._context.log(request, "removed", f"{count} uploads that cannot be read")
        raise web.HTTPSeeOther(self._context.home)

    async def remove(self, request: web.Request) -> web.Response:
        """Remove an upload that has no run."""
        upload = upload_in(self._context, request)
        uploads = self._context.store.uploads
        async with self.starting:  # nobody may start a run of it meanwhile
            if uploads.has_run(upload.id):
                raise web.HTTPConflict(
                    text=_("%(file)s belongs to a run, so it stays.", file=upload.name)
                )
            await self._planner.cancel(upload.id)
            uploads.remove(upload.id)
            await asyncio.to_thread(self._files.remove, upload.id)
        self._context.log(request, "removed", upload.name)
        raise web.HTTPSeeOther(self._context.home)


def upload_in(context: AppContext, request: web.Request) -> Upload:
    """Return the requested upload; raises HTTPNotFound."""
    upload = context.store.uploads.get(context.org, request.match_info["id"])
    if upload is None:
        raise web.HTTPNotFound
    return upload
